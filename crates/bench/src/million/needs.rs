//! What more connections would need, from what fewer have taken.

use super::plan::Plan;
use crate::load::Figures;

/// What `HEARTBEAT_INTERVAL` is unless it is set.
const HEARTBEAT_S: f64 = 25.0;
/// Ports above those that are kept for services.
const PORTS: f64 = 64_512.0;
/// Descriptors that a table may hold at most, as Linux comes (`fs.nr_open`).
pub(super) const LARGEST_TABLE: f64 = 1_048_576.0;
/// What the kernel keeps for a connection that a firewall follows, and its two places in the table, in KiB.
const TRACKED_KIB: f64 = 0.34;
pub(super) const KIB_OF_A_GIB: f64 = 1_024.0 * 1_024.0;

/// What the server's machine needs for so many connections whose other ends are elsewhere. Everything grows with their number.
#[derive(Debug, PartialEq)]
pub(super) struct Needs {
    pub(super) connections: f64,
    pub(super) server_gib: f64,
    /// Half of what both ends took.
    pub(super) kernel_gib: f64,
    /// Where a firewall follows connections.
    pub(super) tracked_gib: f64,
    /// Event loops with the limit on open files that was measured with.
    pub(super) loops: f64,
    /// Event loops with the highest limit that Linux comes with.
    pub(super) fewest_loops: f64,
    /// Addresses of clients, or ports and addresses of the server, that so many pairs of ports ask for.
    pub(super) addresses: f64,
    pub(super) pings_per_s: f64,
    /// Cores of the server for heartbeats and looking after users.
    pub(super) quiet_cores: f64,
    /// CPU time of the server to let all in.
    pub(super) opening_cpu_s: f64,
}

impl Needs {
    /// None where a figure is missing.
    pub(super) fn of(measured: &Figures, connections: f64) -> Option<Self> {
        let each = |figure| measured.get(figure);
        let factor = connections / each("connections").filter(|count| *count > 0.0)?;
        Some(Self {
            connections,
            server_gib: each("server_kib_per_connection")? * connections / KIB_OF_A_GIB,
            kernel_gib: each("slab_kib_per_connection")? / 2.0 * connections / KIB_OF_A_GIB,
            tracked_gib: TRACKED_KIB * connections / KIB_OF_A_GIB,
            loops: loops(connections, each("table")?)?,
            fewest_loops: loops(connections, LARGEST_TABLE)?,
            addresses: (connections / PORTS).ceil(),
            pings_per_s: connections / HEARTBEAT_S,
            quiet_cores: each("held_server_cores")? * factor,
            opening_cpu_s: connections / each("per_cpu_s").filter(|rate| *rate > 0.0)?,
        })
    }

    pub(super) fn memory_gib(&self) -> f64 {
        self.server_gib + self.kernel_gib
    }
}

/// Event loops whose tables hold so many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts are whole, and far below 2^52"
)]
fn loops(connections: f64, table: f64) -> Option<f64> {
    Plan::new(connections as usize, table as usize).ok().map(|plan| plan.loops as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn measured() -> Figures {
        let mut figures = Figures::default();
        for (name, value) in [
            ("connections", 1_000_000.0),
            ("slab_kib_per_connection", 7.0),
            ("server_kib_per_connection", 1.5),
            ("table", 20_000.0),
            ("held_server_cores", 0.5),
            ("per_cpu_s", 10_000.0),
        ] {
            figures.set(name, value);
        }
        figures
    }

    #[test]
    fn what_is_needed_grows_with_the_connections() {
        let needs = Needs::of(&measured(), 10_000_000.0).unwrap();
        assert!((needs.server_gib - 14.305).abs() < 0.01, "{needs:?}");
        assert!((needs.memory_gib() - 14.305 - 33.379).abs() < 0.01, "one end of each: {needs:?}");
        let counts = [needs.loops, needs.fewest_loops, needs.addresses, needs.quiet_cores, needs.opening_cpu_s];
        assert_eq!(counts.map(|count| count.round().to_string()), ["528", "10", "156", "5", "1000"]);
    }

    #[test]
    fn without_a_figure_nothing_is_told() {
        assert_eq!(Needs::of(&Figures::default(), 10_000_000.0), None);
        let mut nobody = measured();
        nobody.set("connections", 0.0);
        assert_eq!(Needs::of(&nobody, 10_000_000.0), None);
    }
}
