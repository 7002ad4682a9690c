//! How a number of connections is shared out, where no descriptor table may hold all of them.

/// The server's setting `EVENT_LOOPS` allows no more.
const MOST_LOOPS: usize = 1_000;
/// Each loop is woken through two descriptors, which every table holds.
const WAKERS: usize = 2;

/// What one process with so many connections is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) connections: usize,
    /// Event loops of the server, each with a descriptor table of its own.
    pub(super) loops: usize,
    /// Threads of the load generator, which have such tables, too.
    pub(super) threads: usize,
    /// Connections that a table holds.
    pub(super) table: usize,
}

impl Plan {
    /// `table` is what one table holds beside what any process has open.
    pub(super) fn new(connections: usize, table: usize) -> anyhow::Result<Self> {
        let holds = |loops: &usize| loops * table.saturating_sub(WAKERS * loops) >= connections;
        let Some(loops) = (1..=MOST_LOOPS).find(holds) else {
            let files = connections.div_ceil(MOST_LOOPS / 2);
            anyhow::bail!("the limit on open files is too low for {connections} connections: `ulimit -n {files}`");
        };
        Ok(Self { connections, loops, threads: connections.div_ceil(table), table })
    }

    /// Connections of each of so many addresses: each thread uses all of them.
    pub(super) fn each_address(&self, addresses: usize) -> usize {
        self.threads * self.table.min(self.connections).div_ceil(addresses)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_one_table_holds_needs_one_loop() {
        assert_eq!(Plan::new(10_000, 19_800).unwrap().loops, 1);
        assert_eq!(Plan::new(1_000_000, 1_048_000).unwrap().loops, 1);
    }

    #[test]
    fn many_tables_also_hold_what_the_loops_wake_each_other_with() {
        let plan = Plan::new(1_000_000, 19_800).unwrap();
        assert_eq!((plan.loops, plan.threads), (51, 51));
        assert_eq!(Plan::new(10_000_000, 19_800).unwrap().loops, 534);
        assert!(Plan::new(20_000_000, 10_000).unwrap_err().to_string().contains("ulimit -n"));
    }

    #[test]
    fn each_thread_uses_each_address() {
        assert_eq!(Plan::new(1_000_000, 19_800).unwrap().each_address(62_500), 51);
        assert_eq!(Plan::new(1_000_000, 1_048_000).unwrap().each_address(62_500), 16);
    }
}
