use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Counters: a megabyte, whoever comes.
const SLOTS: usize = 64 * 1024;

/// Holds logins to so many a minute for each name and each address.
///
/// Names and addresses share a fixed number of counters by a secret hash, so that no flood of names can make it grow, and
/// nothing has to be thrown away. Two that meet in one counter are rare and only share their rate.
pub struct LoginLimiter {
    /// Time that one login takes from the minute; `None` is no limit.
    interval: Option<Duration>,
    /// A counter is the time, since `began`, until which its logins fill the minute.
    slots: Mutex<Box<[Duration]>>,
    hasher: RandomState,
    began: Instant,
}

const MINUTE: Duration = Duration::from_mins(1);

impl LoginLimiter {
    /// A limit of so many logins a minute.
    pub fn new(per_minute: Option<u32>) -> Self {
        let interval = per_minute.and_then(|rate| MINUTE.checked_div(rate));
        let slots = if interval.is_some() { SLOTS } else { 1 };
        Self {
            interval,
            slots: Mutex::new(vec![Duration::ZERO; slots].into()),
            hasher: RandomState::new(),
            began: Instant::now(),
        }
    }

    /// Counts a login with this name from this address.
    ///
    /// # Errors
    /// The whole seconds after which another try makes sense.
    pub fn count(&self, name: &str, address: IpAddr, now: Instant) -> Result<(), u64> {
        let Some(interval) = self.interval else { return Ok(()) };
        let now = now.saturating_duration_since(self.began);
        let mut slots = self.slots.lock();
        let keys = [self.slot(&network(address)), self.slot(&name)];
        let wait = |slot: usize, slots: &[Duration]| (slots[slot].max(now) + interval).saturating_sub(now + MINUTE);
        let longest = keys.iter().map(|slot| wait(*slot, &slots)).max().unwrap_or_default();
        if !longest.is_zero() {
            return Err(longest.as_secs() + 1);
        }
        for slot in keys {
            slots[slot] = slots[slot].max(now) + interval;
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn slot(&self, key: &impl std::hash::Hash) -> usize {
        self.hasher.hash_one(key) as usize % SLOTS
    }
}

/// Whoever has an IPv6 address has the 2^64 beside it too.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn address(n: u8) -> IpAddr {
        [10, 0, 0, n].into()
    }

    #[test]
    fn a_name_has_its_rate_whatever_address_it_comes_from() {
        let limiter = LoginLimiter::new(Some(3));
        let now = Instant::now();
        let count = |n, after| limiter.count("rider", address(n), now + Duration::from_secs(after));
        assert_eq!([count(1, 0), count(2, 0), count(3, 0)], [Ok(()); 3]);
        assert!(matches!(count(4, 0), Err(1..=21)));
        assert_eq!(count(5, 21), Ok(()));
        assert!(count(6, 21).is_err());
        assert_eq!(limiter.count("driver", address(7), now), Ok(()));
    }

    #[test]
    fn an_address_has_its_rate_whatever_names_it_tries() {
        let limiter = LoginLimiter::new(Some(2));
        let now = Instant::now();
        assert_eq!(limiter.count("a", HERE, now), Ok(()));
        assert_eq!(limiter.count("b", HERE, now), Ok(()));
        assert!(limiter.count("c", HERE, now).is_err());
        assert_eq!(limiter.count("c", address(1), now), Ok(()), "a refused login does not count for its name");
    }

    #[test]
    fn neighbours_in_ipv6_count_as_one() {
        let limiter = LoginLimiter::new(Some(1));
        let now = Instant::now();
        let count = |text: &str| limiter.count(text, text.parse().unwrap_or(HERE), now);
        assert_eq!(count("2001:db8::1"), Ok(()));
        assert!(count("2001:db8::2").is_err());
        assert_eq!(count("2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn without_a_rate_everybody_may_try() {
        let limiter = LoginLimiter::new(None);
        assert!((0..1000).all(|_| limiter.count("rider", HERE, Instant::now()).is_ok()));
    }
}
