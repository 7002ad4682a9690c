mod faults;
mod presence;
mod requests;
mod served;
mod site;

use std::sync::Arc;

use super::{
    DriverOrders, Hook, HookError, HookName, ShownOrders,
    back_end::BackEnd,
    testing::{Django, SECRET},
};
use crate::{clock::ManualClock, config::Config, telemetry::Metrics};
use holodrive_protocol::UserId;

/// A hook that asks this back end, and what it is measured by.
struct Asker {
    hook: Hook<DriverOrders>,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
}

impl Asker {
    fn of(django: &Django, settings: &[(&str, &str)]) -> Self {
        Self::at(&django.url(), settings)
    }

    fn at(url: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [&[("HOOKS_URL", url), ("HOOKS_SECRET", SECRET)], settings].concat();
        let config = Config::for_tests(folder.path(), &settings).unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00+00:00".parse().unwrap()));
        let metrics = Arc::new(Metrics::new());
        let back_end = BackEnd::new(&config, Arc::clone(&clock) as _, Arc::clone(&metrics)).unwrap().unwrap();
        let hook = Hook::new(&Arc::new(back_end), &HookName::ALL).unwrap();
        Self { hook, clock, metrics }
    }

    async fn ask(&self) -> Result<ShownOrders, HookError> {
        self.hook.ask(DriverOrders { driver_id: UserId::Int(7) }).await
    }

    async fn unavailable(&self) {
        assert_eq!(self.ask().await.map(drop), Err(HookError::Unavailable));
    }

    fn counts(&self, line: &str) {
        let text = self.metrics.encode();
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
