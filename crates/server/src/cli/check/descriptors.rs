use std::{io, os::fd::AsFd, thread};

use super::Report;
use crate::{config::Config, descriptors};

const SUBJECT: &str = "open files";
/// Below this, somebody has forgotten to raise the limit.
const FEW: usize = 4_096;

/// How many sockets there can be.
pub(super) fn check(config: &Config, report: &mut Report) {
    match sockets(config) {
        Ok((most, finding)) if most < FEW => {
            report.warn(SUBJECT, format!("{finding}: raise the hard limit (ulimit -Hn, LimitNOFILE=)"));
        }
        Ok((_, finding)) => report.ok(SUBJECT, finding),
        Err(error) => report.fail(SUBJECT, format!("the limit cannot be read or raised: {error}")),
    }
}

/// The most sockets, and how that comes.
fn sockets(config: &Config) -> io::Result<(usize, String)> {
    let limit = usize::try_from(descriptors::raise_limit()?).unwrap_or(usize::MAX);
    let loops = config.loops()?;
    // A thread that tries, since there is no way back from a table of its own.
    let room = thread::scope(|scope| scope.spawn(|| descriptors::own_table(&[io::stderr().as_fd()])).join());
    Ok(match room.unwrap_or(Ok(None))? {
        Some(room) => {
            let most = room.saturating_mul(loops);
            (most, format!("at most {most} sockets: the limit of {limit} counts for each of {loops} event loops"))
        }
        None => (limit, format!("at most {limit} sockets: no unshare() here, so the event loops share one limit")),
    })
}
