//! What time alone does to a connection: pings, a peer that stopped answering, a credential that runs out.

use std::time::{Duration, Instant};

use holodrive_protocol::{Timestamp, socket::CommonServerMessage};

use super::{Close, Connection, Frame, moment::Moment, terms::Terms};

/// How long before the end of a credential its user is warned.
const EXPIRY_WARNING: Duration = Duration::from_secs(60);
/// How far ahead a timer is set at the most, so that a changed wall clock is noticed.
const HORIZON: Duration = Duration::from_secs(60);

/// The timers of one connection.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the next ping is due.
    ping_at: Option<Moment>,
    /// Until when the peer has to show a sign of life.
    answer_by: Option<Moment>,
    /// The end of the credential that was warned of, or none that there is.
    warned_of: Timestamp,
}

impl Heartbeat {
    pub(super) fn new(terms: &Terms, now: Instant) -> Self {
        let ping_at = terms.heartbeat_interval.map(|interval| Moment::from(now + interval));
        Self { ping_at, answer_by: None, warned_of: Timestamp(i64::MIN) }
    }

    /// The peer sent something.
    pub(super) fn heard(&mut self, terms: &Terms, now: Instant) {
        self.answer_by = None;
        self.ping_at = terms.heartbeat_interval.map(|interval| Moment::from(now + interval));
    }

    /// When [`Heartbeat::tick`] is due.
    pub(super) fn next(&self, connection: &Connection, now: Instant) -> Instant {
        let credential = connection.expires_at().map(|expires_at| {
            let left = until(expires_at, connection.terms());
            let warned = self.warned_of == expires_at;
            now + if warned { left } else { left.saturating_sub(EXPIRY_WARNING) }
        });
        let answer_by = self.answer_by.map(Instant::from).filter(|deadline| *deadline > now);
        [self.ping_at.map(Instant::from), answer_by, credential].into_iter().flatten().fold(now + HORIZON, Instant::min)
    }

    /// Does what is due; an error is the reason to close. Whoever is not listened to is not blamed for his silence.
    pub(super) fn tick(&mut self, connection: &Connection, listening: bool, now: Instant) -> Result<(), Close> {
        self.check_credential(connection)?;
        if listening && self.answer_by.is_some_and(|deadline| deadline <= now.into()) {
            return Err(Close::idle_timeout());
        }
        let terms = connection.terms();
        if self.ping_at.is_some_and(|due| due <= now.into()) {
            connection.ping();
            self.answer_by = self.answer_by.or_else(|| terms.heartbeat_timeout.map(|timeout| (now + timeout).into()));
            self.ping_at = terms.heartbeat_interval.map(|interval| (now + interval).into());
        }
        Ok(())
    }

    fn check_credential(&mut self, connection: &Connection) -> Result<(), Close> {
        let Some(expires_at) = connection.expires_at() else { return Ok(()) };
        let left = until(expires_at, connection.terms());
        if left.is_zero() {
            return Err(Close::token_expired());
        }
        if left <= EXPIRY_WARNING && self.warned_of != expires_at {
            self.warned_of = expires_at;
            connection.send(Frame::json(&CommonServerMessage::TokenExpiring { expires_at }));
        }
        Ok(())
    }
}

fn until(moment: Timestamp, terms: &Terms) -> Duration {
    let micros = moment.as_micros().saturating_sub(terms.clock.now().as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
