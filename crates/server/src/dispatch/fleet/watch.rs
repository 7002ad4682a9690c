//! When to see whether a driver is still there.

use std::collections::BTreeMap;

use holodrive_protocol::Timestamp;

/// Drivers whom one call gives at most: more wait for the next one.
const AT_ONCE: usize = 4_096;
const SECOND: i64 = 1_000_000;

/// The indexes of drivers by the second in which they are to be looked at. Each is in it at most once: that a driver moves or polls
/// changes nothing here, and when his second comes he gets a later one.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seconds: BTreeMap<i64, Vec<u32>>,
}

impl Watch {
    /// The driver is to be looked at once `until` has passed.
    pub(super) fn look_at(&mut self, index: u32, until: Timestamp) {
        self.seconds.entry(until.as_micros().div_euclid(SECOND)).or_default().push(index);
    }

    /// Takes out some of those whose second has passed.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(mut second) =
            self.seconds.first_entry().filter(|second| *second.key() < now.as_micros().div_euclid(SECOND))
        {
            let drivers = second.get_mut();
            let taken = drivers.len().min(AT_ONCE - due.len());
            due.extend(drivers.drain(drivers.len() - taken..));
            if !drivers.is_empty() {
                break;
            }
            second.remove();
        }
        due
    }
}
