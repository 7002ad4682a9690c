//! Conversations in which everybody gets what one of them sends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    crew::{LOOK_EVERY, Schedule, Work},
    ledger::{Delivery, Ledger},
    lines::Lines,
    text::{digits_after, find},
};

/// How long to wait for what is missing at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `chat_message`: comes back to its sender, too.
    Message,
    /// `typing`: nobody stores it, and the sender does not get it.
    Typing,
}

/// When the next message is sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// In each conversation so many are under way; as soon as everybody has one, the next is sent.
    Closed(usize),
    /// So many messages a second over all conversations, whatever the server does.
    Open(f64),
}

impl Pace {
    /// That of `part` of `whole` conversations.
    #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 conversations")]
    pub(crate) fn share(self, part: usize, whole: usize) -> Self {
        match self {
            Self::Closed(depth) => Self::Closed(depth),
            Self::Open(rate) => Self::Open(rate * part as f64 / whole as f64),
        }
    }
}

/// Conversations of one size, all alike. The connection of a member has the number
/// `conversation * members + member`, counted within the thread.
pub(crate) struct Chat {
    kind: Kind,
    pace: Pace,
    members: usize,
    /// The first conversation of this thread.
    first: usize,
    conversations: Vec<Conversation>,
    schedule: Option<Schedule>,
    /// When the next message of [`Pace::Open`] is due, and in which conversation.
    due: Option<(Instant, usize)>,
    pub(crate) ledger: Ledger,
    pub(crate) errors: u64,
    pub(crate) error: Option<String>,
    units: Arc<AtomicU64>,
    counted: u64,
}

#[derive(Clone, Default)]
struct Conversation {
    /// Messages sent in it; the members take turns.
    sent: usize,
    under_way: Vec<usize>,
}

impl Chat {
    /// `units` is told of deliveries as they come.
    pub(crate) fn new(
        (kind, pace): (Kind, Pace),
        (first, conversations, members): (usize, usize, usize),
        units: Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let ledger = Ledger::new(members, kind == Kind::Message)?;
        let conversations = vec![Conversation::default(); conversations];
        let (schedule, due, errors, error, counted) = (None, None, 0, None, 0);
        Ok(Self { kind, pace, members, first, conversations, schedule, due, ledger, errors, error, units, counted })
    }

    fn say(&mut self, lines: &mut Lines, conversation: usize, due: Instant) {
        let talk = &mut self.conversations[conversation];
        let sender = talk.sent % self.members;
        talk.sent += 1;
        let number = self.ledger.sent(conversation, sender, due);
        talk.under_way.push(number);
        let text = match self.kind {
            Kind::Message => format!(
                r##"{{"type":"chat_message","message":"#{number}# I am at the corner, next to the pharmacy, in the white car"}}"##
            ),
            Kind::Typing => format!(r#"{{"type":"typing","is_typing":{}}}"#, number.is_multiple_of(2)),
        };
        lines.send(conversation * self.members + sender, text.as_bytes());
    }

    /// The number of the message that arrived.
    fn number(&self, conversation: usize, text: &[u8]) -> Option<usize> {
        match self.kind {
            Kind::Message => digits_after(text, b"\"#"),
            Kind::Typing => {
                let user = digits_after(text, br#""user":"#)?;
                let sender = user.checked_sub(1 + (self.first + conversation) * self.members)?;
                self.ledger.pending_of(sender, &self.conversations[conversation].under_way)
            }
        }
    }

    fn is_ours(&self, text: &[u8]) -> bool {
        let kind: &[u8] = if self.kind == Kind::Message { b"\"chat_message\"" } else { b"\"typing\"" };
        find(text, kind).is_some()
    }

    fn over(&self, now: Instant) -> bool {
        self.schedule.is_some_and(|schedule| now >= schedule.to)
    }

    /// Sends what is due by the clock.
    fn catch_up(&mut self, lines: &mut Lines, now: Instant) {
        let Pace::Open(rate) = self.pace else { return };
        while let Some((due, conversation)) = self.due.filter(|(due, _)| *due <= now) {
            self.say(lines, conversation, due);
            let next = (conversation + 1) % self.conversations.len();
            self.due = Some((due + Duration::from_secs_f64(1.0 / rate), next));
        }
    }

    fn report(&mut self) {
        self.units.fetch_add(self.ledger.delivered - self.counted, Ordering::Relaxed);
        self.counted = self.ledger.delivered;
    }

    fn is_quiet(&self) -> bool {
        self.conversations.iter().all(|conversation| conversation.under_way.is_empty())
    }
}

impl Work for Chat {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
        self.ledger.begin(schedule);
        match self.pace {
            Pace::Open(_) => self.due = Some((schedule.begin, 0)),
            Pace::Closed(depth) => {
                let now = Instant::now();
                for conversation in 0..self.conversations.len() {
                    (0..depth).for_each(|_| self.say(lines, conversation, now));
                }
            }
        }
    }

    fn text(&mut self, lines: &mut Lines, id: usize, text: &[u8], now: Instant) {
        if !self.is_ours(text) {
            if find(text, b"\"error\"").is_some() {
                self.errors += 1;
                self.error.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
            }
            return;
        }
        let (conversation, member) = (id / self.members, id % self.members);
        let number = self.number(conversation, text);
        if self.ledger.arrived(number, conversation, member, now) == Delivery::Completed {
            self.conversations[conversation].under_way.retain(|under_way| Some(*under_way) != number);
            if matches!(self.pace, Pace::Closed(_)) && !self.over(now) {
                self.say(lines, conversation, Instant::now());
            }
        }
    }

    fn turn(&mut self, lines: &mut Lines, now: Instant) -> Option<Instant> {
        self.report();
        let schedule = self.schedule?;
        if now < schedule.to {
            self.catch_up(lines, now);
            let due = self.due.map_or(schedule.to, |(due, _)| due);
            return Some(due.min(schedule.to));
        }
        let given_up = now >= schedule.to + DRAIN;
        (!given_up && !self.is_quiet()).then_some(now + LOOK_EVERY)
    }
}
