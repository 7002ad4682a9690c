//! How large each scenario is, for whom.

use std::time::Duration;

use crate::{
    load::{Kind, Pace, Time, Work, newcomers},
    process::connections_at_most,
};

use super::peers::Peer;

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// A look at whether everything works.
    Quick,
    /// What is published.
    Full,
}

/// What the size of a scenario depends on. A server that needs milliseconds for a connection gets fewer of them.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) size: Size,
    pub(super) peer: Peer,
}

pub(super) fn idle(scale: Scale, full: usize) -> Work {
    let connections = connections(scale, full);
    let connections = if scale.peer.is_slow() { connections * 2 } else { connections };
    let hold = if scale.size == Size::Quick { Duration::from_secs(2) } else { Duration::from_secs(10) };
    Work::Idle { connections, hold }
}

pub(super) fn connections(scale: Scale, full: usize) -> usize {
    let full = if scale.peer.is_slow() { 1_000 } else { full };
    if scale.size == Size::Quick { full / 5 } else { full }
}

pub(super) fn talk(scale: Scale, kind: Kind, pace: Pace, (conversations, members): (usize, usize)) -> Work {
    Work::Talk { kind, pace, conversations, members, time: time(scale) }
}

pub(super) fn time(scale: Scale) -> Time {
    let (warm_up, measured) = if scale.size == Size::Quick { (500, 1_000) } else { (1_500, 4_000) };
    Time { warm_up: Duration::from_millis(warm_up), measured: Duration::from_millis(measured) }
}

/// Connections that leave at once: a server with one descriptor table has no more than fit into it beside the newcomers.
pub(super) fn leaving(scale: Scale, full: usize) -> usize {
    /// Some handshakes more than there are newcomers at a time.
    const SPARE: usize = 100;
    let table = connections_at_most().unwrap_or(usize::MAX).saturating_sub(newcomers() + SPARE);
    let most = if scale.peer.is_own() { full } else { full.min(table) };
    if scale.size == Size::Quick { most / 5 } else { most }
}
