//! Simulated time beside real time, and the server's settings in it.

use holodrive_protocol::Timestamp;
use tokio::time::Instant;

use crate::site::Settings;

/// So many simulated seconds pass in a real one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    began: Instant,
    begins: Timestamp,
    speed: f64,
}

impl Pace {
    /// It is `begins` at this moment.
    pub(super) fn from_now(begins: Timestamp, speed: f64) -> Self {
        Self { began: Instant::now(), begins, speed }
    }

    /// The simulated time.
    pub(super) fn now(self) -> Timestamp {
        self.begins.after(self.began.elapsed().mul_f64(self.speed))
    }

    /// When it is that time.
    pub(super) fn instant(self, at: Timestamp) -> Instant {
        self.began + at.since(self.begins).div_f64(self.speed)
    }
}

/// Settings that are times, with their defaults.
const TIMES: [(&str, f64); 6] = [
    ("ORDER_OFFER_TIMEOUT", 300.0),
    ("ORDER_OFFER_UNREACHABLE_TIMEOUT", 20.0),
    ("ORDER_REOFFER_AFTER", 120.0),
    ("ORDER_SEARCH_TIMEOUT", 900.0),
    ("DRIVER_STALE_AFTER", 60.0),
    ("DISPATCH_BATCH_INTERVAL", 2.0),
];
/// Settings that are kilometres a minute.
const RATES: [(&str, f64); 2] = [("DISPATCH_RADIUS_GROWTH", 1.0), ("DISPATCH_AGE_WEIGHT", 0.1)];
/// The server takes no more kilometres than that.
const MOST_KM: f64 = 20_000.0;

/// The settings of a server on which time passes so much faster.
pub(super) fn scaled(settings: &Settings, speed: f64) -> Settings {
    let mut scaled = settings.clone();
    let value = |name: &str, default: f64| settings.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    for (name, default) in TIMES {
        scaled.insert(name.to_owned(), (value(name, default) / speed).to_string());
    }
    for (name, default) in RATES {
        scaled.insert(name.to_owned(), (value(name, default) * speed).min(MOST_KM).to_string());
    }
    scaled
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

    use super::*;
    use crate::simulate::rules::{Rule, all};

    #[test]
    fn the_defaults_here_are_those_of_the_server() {
        let (given, scaled) = (Rule::new("", Settings::new()), Rule::new("", scaled(&Settings::new(), 1.0)));
        let (given, scaled) = (given.config().unwrap(), scaled.config().unwrap());
        assert_eq!(given.order_offer_timeout, scaled.order_offer_timeout);
        assert_eq!(given.order_offer_unreachable_timeout, scaled.order_offer_unreachable_timeout);
        assert_eq!(given.order_reoffer_after, scaled.order_reoffer_after);
        assert_eq!(given.order_search_timeout, scaled.order_search_timeout);
        assert_eq!(given.driver_stale_after, scaled.driver_stale_after);
        assert_eq!(given.dispatch_batch_interval, scaled.dispatch_batch_interval);
        let rates = |config: &holodrive::config::Config| [config.dispatch_radius_growth, config.dispatch_age_weight];
        assert_eq!(rates(&given), rates(&scaled));
    }

    #[test]
    fn every_rule_can_be_run_faster() {
        for rule in all() {
            let fast = Rule::new(&rule.name, scaled(&rule.settings, 60.0)).config().unwrap();
            let (fast, real) = (fast.order_offer_timeout, rule.config().unwrap().order_offer_timeout);
            assert!(fast.mul_f64(60.0).abs_diff(real) < std::time::Duration::from_micros(1), "{fast:?}, {real:?}");
        }
    }
}
