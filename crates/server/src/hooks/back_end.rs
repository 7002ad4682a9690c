//! How a request is made until it is answered, or given up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use holodrive_protocol::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    HookError, HookName, SetupError,
    breaker::{Breaker, State},
    client::{Client, Failure},
    request::Request,
    retries::{Retries, total},
};
use crate::{
    clock::SharedClock,
    config::Config,
    telemetry::{BreakerState, HookOutcome, Metrics, Seldom},
};

/// Requests for one hook that are under way at once; the others wait, within their time.
pub const AT_ONCE: usize = 32;

/// How much is done for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What `HOOKS_RETRIES` allows.
    AllAttempts,
    OneAttempt,
}

/// The back end, as hooks ask it.
pub(super) struct BackEnd {
    client: Client,
    timeout: Duration,
    retries: u32,
    /// For each hook, as the breakers, so that one that is slow or broken leaves the others alone.
    places: [Semaphore; HookName::ALL.len()],
    breakers: [Mutex<Breaker>; HookName::ALL.len()],
    pub(super) clock: SharedClock,
    pub(super) metrics: Arc<Metrics>,
    failures: Seldom,
}

impl BackEnd {
    /// `None` where the configuration names none.
    pub(super) fn new(config: &Config, clock: SharedClock, metrics: Arc<Metrics>) -> Result<Option<Self>, SetupError> {
        let (Some(url), Some(secret)) = (&config.hooks_url, &config.hooks_secret) else { return Ok(None) };
        let client = Client::new(url, secret, clock.clone())?;
        config.hooks.iter().for_each(|hook| metrics.hooks().is_on(hook.as_str()));
        let back_end = Self {
            client,
            timeout: config.hooks_timeout,
            retries: config.hooks_retries,
            places: [const { Semaphore::const_new(AT_ONCE) }; HookName::ALL.len()],
            breakers: Default::default(),
            clock,
            metrics,
            failures: Seldom::default(),
        };
        Ok(Some(back_end))
    }

    /// How long [`BackEnd::ask`] takes at the most.
    pub(super) fn patience(&self) -> Duration {
        total(self.retries, self.timeout)
    }

    /// Asks until there is an answer, or the attempts or the time are used up. `read` gives `None` for a body that is no
    /// answer.
    pub(super) async fn ask<A>(
        &self,
        request: &Request,
        effort: Effort,
        read: impl Fn(&[u8]) -> Option<A>,
    ) -> Result<A, HookError> {
        let hook = request.hook;
        if !self.change_breaker(hook, Breaker::admits) {
            self.metrics.hooks().not_asked(hook.as_str());
            return Err(HookError::Unavailable);
        }
        let started = Instant::now();
        let answer = self.try_until_answered(request, effort, read).await;
        let outcome = match &answer {
            Ok(_) => HookOutcome::Done,
            Err(HookError::Refused { .. }) => HookOutcome::Refused,
            Err(HookError::Unavailable) => HookOutcome::Failed,
        };
        self.metrics.hooks().asked(hook.as_str(), outcome, started.elapsed());
        self.change_breaker(hook, |breaker, now| match outcome {
            HookOutcome::Failed => breaker.failed(now),
            _ => breaker.succeeded(),
        });
        answer
    }

    async fn try_until_answered<A>(
        &self,
        request: &Request,
        effort: Effort,
        read: impl Fn(&[u8]) -> Option<A>,
    ) -> Result<A, HookError> {
        let retries = if effort == Effort::AllAttempts { self.retries } else { 0 };
        let mut retries = Retries::new(retries, self.timeout, Instant::now());
        loop {
            match self.try_once(request, &read, retries.time_left(Instant::now())).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Failed(reason)) => self.complain(request, &reason),
            }
            match retries.next_pause(Instant::now()) {
                Some(pause) => sleep(pause).await,
                None => return Err(HookError::Unavailable),
            }
        }
    }

    async fn try_once<A>(
        &self,
        request: &Request,
        read: impl Fn(&[u8]) -> Option<A>,
        time_left: Duration,
    ) -> Result<A, Failure> {
        let Ok(Ok(_place)) = timeout(time_left, self.places[request.hook as usize].acquire()).await else {
            return Err(Failure::Failed("too many requests wait for it".to_owned()));
        };
        let body = self.client.ask(request, time_left.min(self.timeout)).await?;
        read(&body).ok_or_else(|| Failure::Failed("its answer is not what docs/hooks.md asks for".to_owned()))
    }

    fn complain(&self, request: &Request, reason: &str) {
        if self.failures.is_due() {
            tracing::warn!(hook = request.hook.as_str(), id = %request.id, reason, "the back end failed");
        }
    }

    fn change_breaker<T>(&self, hook: HookName, change: impl FnOnce(&mut Breaker, Timestamp) -> T) -> T {
        let mut breaker = self.breakers[hook as usize].lock();
        let before = breaker.state();
        let changed = change(&mut breaker, self.clock.now());
        if breaker.state() != before {
            self.metrics.hooks().breaker(hook.as_str(), shown(breaker.state()));
            tracing::info!(hook = hook.as_str(), state = ?shown(breaker.state()), "the circuit breaker of a hook");
        }
        changed
    }
}

fn shown(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::HalfOpen(_) => BreakerState::HalfOpen,
        State::Open(_) => BreakerState::Open,
    }
}
