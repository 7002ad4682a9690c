//! What `channels_redis` calls things in Redis, and which of several servers has them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Names of groups and channels are shorter.
const NAME_LIMIT: usize = 100;
/// What is left of a name that is too long, as a checksum.
const TAG_BYTES: usize = 24;
/// Longest id that stands in a group's name: a UUID.
const LONGEST_ID: usize = 36;

/// Names under the layer's prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The channel of a group on the layer `pubsub`.
    pub(super) fn pubsub_channel(&self, group: &str) -> String {
        format!("{}__group__{group}", self.prefix)
    }

    /// The set of a group's members on the layer `core`.
    pub(super) fn group_set(&self, group: &str) -> String {
        format!("{}:group:{group}", self.prefix)
    }

    /// The queue of a process on the layer `core`; its name ends with `!`.
    pub(super) fn queue(&self, process: &str) -> String {
        format!("{}{process}", self.prefix)
    }
}

/// Whether the layer `core` takes names of groups made like this one, which was made without an id.
pub(super) fn is_valid_in_core(without_id: &str) -> bool {
    is_valid(without_id) && without_id.len() + LONGEST_ID < NAME_LIMIT
}

fn is_valid(name: &str) -> bool {
    (1..NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// What names a group in a channel's name behind `process`: the group's own name, where there is room for it.
pub(super) fn tag(group: &str, process: &str) -> String {
    if process.len() + group.len() < NAME_LIMIT {
        return group.to_owned();
    }
    URL_SAFE_NO_PAD.encode(&Sha256::digest(group)[..TAG_BYTES])
}

/// Which of `hosts` servers has `name`: `consistent_hash` of `channels_redis`.
pub(super) fn host_of(name: &str, hosts: usize) -> usize {
    if hosts < 2 {
        return 0;
    }
    let place = f64::from(crc32(name.as_bytes()) & 0xfff);
    let share = 4096.0 / f64::from(u32::try_from(hosts).unwrap_or(u32::MAX));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the number of hosts")]
    let host = (place / share) as usize;
    host.min(hosts - 1)
}

/// The checksum of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{super::tests::vectors, *};

    #[test]
    fn several_hosts_share_names_as_in_django() {
        for case in vectors()["sharding"].as_array().unwrap() {
            let hosts = usize::try_from(case["ring_size"].as_u64().unwrap()).unwrap();
            assert_eq!(host_of(case["value"].as_str().unwrap(), hosts) as u64, case["index"], "{case}");
        }
    }

    #[test]
    fn names_are_judged_as_in_django() {
        for case in vectors()["group_names"].as_array().unwrap() {
            assert_eq!(is_valid(case["group"].as_str().unwrap()), case["valid"], "{case}");
        }
    }

    #[test]
    fn a_channel_is_valid_however_long_the_name_of_its_group() {
        let process = "specific.0123456789abcdef0123456789abcdef!";
        for case in vectors()["channel_names"].as_array().unwrap() {
            let channel = case["channel"].as_str().unwrap();
            let Some(group) = channel.strip_prefix(process).filter(|group| !group.is_empty()) else { continue };
            assert_eq!(is_valid(group) && tag(group, process) == group, case["valid"], "{case}");
            assert!(process.len() + tag(group, process).len() < NAME_LIMIT);
        }
        let (one, other) = ("x".repeat(98) + "1", "x".repeat(98) + "2");
        assert_ne!(tag(&one, process), tag(&other, process));
    }
}
