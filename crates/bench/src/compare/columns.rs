//! What the table of each scenario shows.

/// A column of the table: the figure, what stands above it, and the digits behind the point.
pub(crate) type Column = (&'static str, &'static str, usize);

pub(super) const FAN_OUT: &[Column] = &[
    ("per_cpu_s", "deliveries / CPU s", 0),
    ("per_s", "deliveries / s", 0),
    ("server_cores", "server's cores", 2),
    ("client_cores", "client's cores", 2),
    ("p50_ms", "p50 ms", 2),
    ("p99_ms", "p99 ms", 2),
    ("missing", "missing", 0),
    ("unexpected", "doubled", 0),
];
pub(super) const LATENCY: &[Column] = &[
    ("p50_ms", "p50 ms", 3),
    ("p90_ms", "p90 ms", 3),
    ("p99_ms", "p99 ms", 2),
    ("max_ms", "max ms", 1),
    ("per_cpu_s", "deliveries / CPU s", 0),
    ("per_s", "deliveries / s", 0),
    ("missing", "missing", 0),
    ("unexpected", "doubled", 0),
];
pub(super) const IDLE: &[Column] = &[
    ("kib_per_connection", "KiB / connection", 2),
    ("kib_kept_per_connection", "KiB / connection kept after closing", 2),
    ("kernel_kib_per_pair", "kernel KiB / pair of ends", 2),
    ("connections", "connections", 0),
    ("lost", "lost", 0),
    ("refused", "refused", 0),
];
pub(super) const CONNECT: &[Column] = &[
    ("per_cpu_s", "connects / CPU s", 0),
    ("per_s", "connects / s", 0),
    ("server_cores", "server's cores", 2),
    ("p50_ms", "p50 ms", 1),
    ("p99_ms", "p99 ms", 1),
    ("refused", "refused", 0),
];

pub(super) const DURABLE: &[Column] = &[
    ("messages_per_s", "messages / s", 0),
    ("messages_per_cpu_s", "messages / CPU s", 0),
    ("server_cores", "server's cores", 2),
    ("p50_ms", "p50 ms", 2),
    ("p99_ms", "p99 ms", 2),
    ("missing", "missing", 0),
    ("unexpected", "doubled", 0),
];
pub(super) const PING: &[Column] = &[
    ("per_cpu_s", "pongs / CPU s", 0),
    ("per_s", "pongs / s", 0),
    ("server_cores", "server's cores", 2),
    ("client_cores", "client's cores", 2),
    ("p50_ms", "p50 ms", 3),
    ("p99_ms", "p99 ms", 2),
];
pub(super) const RECONNECT: &[Column] = &[
    ("per_cpu_s", "connects / CPU s", 0),
    ("all_back_ms", "all back after ms", 0),
    ("p50_ms", "wait p50 ms", 0),
    ("p99_ms", "wait p99 ms", 0),
    ("refused", "refused", 0),
];
pub(super) const DISCONNECT: &[Column] = &[
    ("max_ms", "max ms", 1),
    ("p99_ms", "p99 ms", 2),
    ("p50_ms", "p50 ms", 2),
    ("connects", "connects", 0),
    ("refused", "refused", 0),
];
pub(super) const NOTIFICATIONS: &[Column] = &[
    ("per_s", "notifications / s", 0),
    ("per_cpu_s", "notifications / CPU s", 0),
    ("server_cores", "server's cores", 2),
    ("client_cores", "client's cores", 2),
    ("p50_ms", "p50 ms", 2),
    ("p99_ms", "p99 ms", 2),
    ("missing", "missing", 0),
    ("unexpected", "doubled", 0),
];
pub(super) const POSITIONS: &[Column] = &[
    ("per_s", "positions / s", 0),
    ("per_cpu_s", "positions / CPU s", 0),
    ("server_cores", "server's cores", 2),
    ("client_cores", "client's cores", 2),
    ("p50_ms", "p50 ms", 1),
    ("p99_ms", "p99 ms", 1),
];
