//! The ways to a driver, and what goes there.

use std::sync::Arc;

use holodrive_protocol::{OfferId, Order, Timestamp, UserId, http::Platform};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    apns::Apns,
    fcm::Fcm,
    outcome::{Outcome, PushSetupError},
    service::ATTEMPT_TIMEOUT,
    store::Addressee,
};
use crate::{
    clock::SharedClock,
    config::Config,
    hooks::{self, Hook, HookError, PushOffer},
};

/// Pushes by one service that are under way at once; the others wait.
const AT_ONCE: usize = 64;

/// What a driver is told.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) driver_id: UserId,
    pub(super) order: Order,
    pub(super) offer_id: OfferId,
    /// Whether it can still be accepted; otherwise this says that it is over.
    pub(super) is_live: bool,
    pub(super) expires_at: Timestamp,
    /// Whole seconds until then, at least one: nobody wants the push any more after that.
    pub(super) ttl_seconds: u64,
    pub(super) attempt: u32,
}

impl Message {
    /// A later push about the same order takes the place of an earlier one.
    pub(super) fn collapse_key(&self) -> String {
        format!("order-{}", self.order.id)
    }

    /// Unix seconds from which on nobody wants it any more.
    pub(super) fn expiration(&self) -> i64 {
        self.expires_at.as_micros() / 1_000_000
    }
}

/// Where a push goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    BackEnd,
    Device(Addressee),
}

impl Target {
    /// The name of the way there, in metrics and in the order's history.
    pub(super) const fn way(&self) -> &'static str {
        match self {
            Self::BackEnd => "webhook",
            Self::Device(addressee) => addressee.device.platform.as_str(),
        }
    }

    pub(super) const fn device_id(&self) -> Option<i64> {
        match self {
            Self::BackEnd => None,
            Self::Device(addressee) => Some(addressee.device.id),
        }
    }
}

/// What `holodrive check` finds out about a push service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It answers, and takes our credentials.
    Sound,
    /// It does not.
    Problem(String),
}

/// All ways to drivers; those that are off are `None`.
#[derive(Default)]
pub struct Ways {
    webhook: Option<Bounded<Hook<PushOffer>>>,
    fcm: Option<Bounded<Fcm>>,
    apns: Option<Bounded<Apns>>,
}

/// A service, and places for those who use it at once.
struct Bounded<S> {
    service: S,
    places: Semaphore,
}

impl<S> Bounded<S> {
    const fn new(service: S, at_once: usize) -> Self {
        Self { service, places: Semaphore::const_new(at_once) }
    }

    /// Waits for a place, but not for long.
    async fn try_to(&self, send: impl AsyncFnOnce(&S) -> Outcome) -> Outcome {
        match timeout(ATTEMPT_TIMEOUT, self.places.acquire()).await {
            Ok(Ok(_place)) => send(&self.service).await,
            _ => Outcome::delayed("too many pushes wait for it"),
        }
    }
}

impl Ways {
    /// The ways of this configuration. The hook is on where it is given.
    ///
    /// # Errors
    /// When a key cannot be read or used; the message is one line.
    pub fn new(config: &Config, clock: &SharedClock, webhook: Option<Hook<PushOffer>>) -> Result<Self, PushSetupError> {
        let fcm = Fcm::new(config, Arc::clone(clock))?.map(|fcm| Bounded::new(fcm, AT_ONCE));
        let apns = Apns::new(config, Arc::clone(clock))?.map(|apns| Bounded::new(apns, AT_ONCE));
        // The hook itself lets no more through at once: whoever waits, waits here, before it is said what is asked.
        let webhook = webhook.map(|webhook| Bounded::new(webhook, hooks::AT_ONCE));
        Ok(Self { webhook, fcm, apns })
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        self.webhook.is_some() || self.fcm.is_some() || self.apns.is_some()
    }

    /// The names of those that are on.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let all = [("webhook", self.webhook.is_some()), ("fcm", self.fcm.is_some()), ("apns", self.apns.is_some())];
        all.into_iter().filter_map(|(name, is_on)| is_on.then_some(name))
    }

    /// Asks each push service for something that tells nobody anything; each with its name.
    pub async fn probe(&self) -> Vec<(&'static str, Finding)> {
        let mut findings = Vec::new();
        if let Some(fcm) = &self.fcm {
            findings.push(("FCM", fcm.service.probe().await));
        }
        if let Some(apns) = &self.apns {
            findings.push(("APNs", apns.service.probe().await));
        }
        findings
    }

    /// Where a push to the owner of these devices goes. That an offer is over, phones alone are told.
    pub(super) fn targets(&self, devices: Vec<Addressee>, is_live: bool) -> Vec<Target> {
        let webhook = (is_live && self.webhook.is_some()).then_some(Target::BackEnd);
        let devices = devices.into_iter().filter(|addressee| match addressee.device.platform {
            Platform::Fcm => self.fcm.is_some(),
            Platform::Apns => self.apns.is_some(),
        });
        webhook.into_iter().chain(devices.map(Target::Device)).collect()
    }

    /// Tries once. What is sent is composed when its turn has come, unless it is too late by then.
    pub(super) async fn send(&self, target: &Target, compose: impl FnOnce() -> Option<Message>) -> Outcome {
        match target {
            Target::BackEnd => self.ask_back_end(compose).await,
            Target::Device(Addressee { device, token }) => match (device.platform, &self.fcm, &self.apns) {
                (Platform::Fcm, Some(fcm), _) => fcm.try_to(async |fcm| fcm.send(token, compose).await).await,
                (Platform::Apns, _, Some(apns)) => apns.try_to(async |apns| apns.send(token, compose).await).await,
                _ => Outcome::Failed("this way is off".to_owned()),
            },
        }
    }

    async fn ask_back_end(&self, compose: impl FnOnce() -> Option<Message>) -> Outcome {
        let Some(hook) = &self.webhook else { return Outcome::Failed("this way is off".to_owned()) };
        let ask = async |hook: &Hook<PushOffer>| match compose() {
            Some(message) => ask(hook, message).await,
            None => Outcome::too_late(),
        };
        hook.try_to(ask).await
    }
}

async fn ask(hook: &Hook<PushOffer>, message: Message) -> Outcome {
    let Message { driver_id, order, offer_id, expires_at, ttl_seconds, attempt, .. } = message;
    match hook.ask_once(PushOffer { driver_id, order, offer_id, expires_at, ttl_seconds, attempt }).await {
        Ok(_) => Outcome::Sent,
        Err(error @ HookError::Refused { .. }) => Outcome::Failed(format!("the back end refuses: {error}")),
        Err(HookError::Unavailable) => Outcome::delayed("the back end does not answer"),
    }
}
