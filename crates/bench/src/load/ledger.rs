//! Who has got which message: the deliveries of all conversations, the missing and the doubled ones.

use std::time::Instant;

use super::crew::Schedule;
use crate::latencies::Latencies;

/// One message to the members of a conversation.
struct Message {
    conversation: usize,
    sender: usize,
    /// When it should have been sent: what is sent late because the sender was busy has waited, too.
    due: Instant,
    /// Deliveries that are missing.
    left: usize,
}

/// What a delivery was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Others are missing.
    Counted,
    /// The last one of its message.
    Completed,
    /// Nobody waited for it: it came twice, or to the wrong conversation.
    Unexpected,
}

/// The messages of a thread, by number.
pub(crate) struct Ledger {
    members: usize,
    /// Whether the sender gets his own message.
    echo: bool,
    messages: Vec<Message>,
    /// A bit for each message and member.
    seen: Vec<u64>,
    schedule: Option<Schedule>,
    /// From the moment when a message was due to each of its deliveries.
    pub(crate) latencies: Latencies,
    pub(crate) delivered: u64,
    pub(crate) unexpected: u64,
}

impl Ledger {
    pub(crate) fn new(members: usize, echo: bool) -> anyhow::Result<Self> {
        let (messages, seen, latencies) = (Vec::new(), Vec::new(), Latencies::new()?);
        Ok(Self { members, echo, messages, seen, schedule: None, latencies, delivered: 0, unexpected: 0 })
    }

    pub(crate) fn begin(&mut self, schedule: Schedule) {
        self.schedule = Some(schedule);
    }

    /// Notes a message, and gives it its number.
    pub(crate) fn sent(&mut self, conversation: usize, sender: usize, due: Instant) -> usize {
        let left = self.members - usize::from(!self.echo);
        self.messages.push(Message { conversation, sender, due, left });
        self.seen.resize((self.messages.len() * self.members).div_ceil(64), 0);
        self.messages.len() - 1
    }

    /// The oldest of these messages that this member sent and not everybody has.
    pub(crate) fn pending_of(&self, sender: usize, numbers: &[usize]) -> Option<usize> {
        let pending = |number: &&usize| self.messages[**number].sender == sender && self.messages[**number].left > 0;
        numbers.iter().find(pending).copied()
    }

    pub(crate) fn arrived(
        &mut self,
        number: Option<usize>,
        conversation: usize,
        member: usize,
        now: Instant,
    ) -> Delivery {
        let known = number.and_then(|number| Some((number, self.messages.get_mut(number)?)));
        let Some((number, message)) = known.filter(|(_, message)| message.conversation == conversation) else {
            self.unexpected += 1;
            return Delivery::Unexpected;
        };
        let (bit, own) = (number * self.members + member, message.sender == member && !self.echo);
        let (word, mask) = (&mut self.seen[bit / 64], 1 << (bit % 64));
        if own || *word & mask != 0 {
            self.unexpected += 1;
            return Delivery::Unexpected;
        }
        *word |= mask;
        message.left -= 1;
        let (due, completed) = (message.due, message.left == 0);
        self.count(due, now);
        if completed { Delivery::Completed } else { Delivery::Counted }
    }

    fn count(&mut self, due: Instant, now: Instant) {
        self.delivered += 1;
        if self.schedule.is_some_and(|schedule| schedule.holds(due)) {
            // A latency that the histogram cannot hold would be longer than any run.
            let _ = self.latencies.record(now.saturating_duration_since(due));
        }
    }

    pub(crate) fn missing(&self) -> u64 {
        self.messages.iter().map(|message| message.left as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn each_member_gets_each_message_once() {
        let (mut ledger, now) = (Ledger::new(2, true).unwrap(), Instant::now());
        let number = Some(ledger.sent(7, 0, now));
        assert_eq!(ledger.arrived(number, 7, 0, now), Delivery::Counted);
        assert_eq!(ledger.arrived(number, 7, 0, now), Delivery::Unexpected);
        assert_eq!(ledger.missing(), 1);
        assert_eq!(ledger.arrived(number, 7, 1, now), Delivery::Completed);
        assert_eq!((ledger.missing(), ledger.unexpected, ledger.delivered), (0, 1, 2));
    }

    #[test]
    fn a_message_in_the_wrong_conversation_or_to_its_sender_is_unexpected() {
        let (mut ledger, now) = (Ledger::new(3, false).unwrap(), Instant::now());
        let number = ledger.sent(0, 2, now);
        assert_eq!(ledger.arrived(Some(number), 1, 0, now), Delivery::Unexpected);
        assert_eq!(ledger.arrived(Some(number), 0, 2, now), Delivery::Unexpected);
        assert_eq!(ledger.arrived(None, 0, 0, now), Delivery::Unexpected);
        assert_eq!(ledger.missing(), 2);
    }

    #[test]
    fn a_sender_without_a_number_is_found_by_what_is_under_way() {
        let (mut ledger, now) = (Ledger::new(2, false).unwrap(), Instant::now());
        let numbers = [ledger.sent(0, 1, now), ledger.sent(0, 0, now), ledger.sent(0, 1, now)];
        assert_eq!(ledger.pending_of(1, &numbers), Some(numbers[0]));
        ledger.arrived(Some(numbers[0]), 0, 0, now);
        assert_eq!(ledger.pending_of(1, &numbers), Some(numbers[2]));
    }
}
