use std::thread;

use super::Report;
use crate::{config::Config, descriptors};

/// Below this, somebody has forgotten to raise the limit.
const FEW: u64 = 4_096;

/// How many sockets there can be.
pub(super) fn check(config: &Config, report: &mut Report) {
    const SUBJECT: &str = "open files";
    let loops = config.event_loops.map_or_else(|| thread::available_parallelism().map(usize::from), Ok);
    match (descriptors::raise_limit(), loops) {
        (Ok(limit), Ok(loops)) => {
            let finding =
                format!("at most {limit} in the process and {limit} more sockets on each of {loops} event loops");
            if limit < FEW {
                report.warn(SUBJECT, format!("{finding}: raise the hard limit (ulimit -Hn, LimitNOFILE)"));
            } else {
                report.ok(SUBJECT, finding);
            }
        }
        (Err(error), _) => report.fail(SUBJECT, format!("the limit cannot be read or raised: {error}")),
        (_, Err(error)) => report.fail(SUBJECT, format!("the cores cannot be counted: {error}")),
    }
}
