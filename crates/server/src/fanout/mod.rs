//! Who on this node wants to hear of what: topics, their subscribers, and the order in which events reach them.
//!
//! Each feature has its own [`Hub`], from a key (a user, a conversation, an order) to the events of that feature; the
//! hub does not know what they mean. A [`Subscription`] begins closed: events that arrive are kept while the feature
//! reads its snapshot from the database, and [`Subscription::open`] lets those through that the snapshot does not hold.
//! So nothing is missed and nothing is seen twice, whatever happens between reading and listening.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::{collections::VecDeque, hash::Hash, sync::Arc};

use parking_lot::Mutex;

use crate::shards::{Keyed, Shards};

/// Events kept for one subscriber that is still reading its snapshot.
const WAITING_MAX: usize = 1_024;

/// An event with a place in a sequence that grows in commit order.
pub trait Sequenced: Send + Sync + 'static {
    /// Its place; `None` for what is in no snapshot.
    fn position(&self) -> Option<i64>;

    /// Whether it means something only now: it is the first to go where there is no room.
    fn is_transient(&self) -> bool {
        false
    }
}

/// Takes the events of a topic. It is called in order, must be quick and must not wait.
pub trait Subscriber<E>: Send + Sync + 'static {
    /// The next event.
    fn deliver(&self, event: &E);

    /// More events that are in no snapshot came while the gate was closed than are kept: it must begin anew.
    fn lost(&self);
}

/// The subscribers of one kind of topic on this node.
pub struct Hub<K, E> {
    slots: Shards<Arc<Listening<K, E>>>,
}

/// A subscriber's place in a topic, in one piece with the subscriber.
struct Slot<K, E, S: ?Sized> {
    key: K,
    gate: Mutex<Gate<E>>,
    subscriber: S,
}

/// The place of a subscriber of any type.
type Listening<K, E> = Slot<K, E, dyn Subscriber<E>>;

impl<K: Copy + Eq + Hash, E> Keyed for Arc<Listening<K, E>> {
    type Key = K;

    fn key(&self) -> K {
        self.key
    }
}

impl<K: Copy + Eq + Hash + Send + Sync + 'static, E: Sequenced> Hub<K, E> {
    /// A hub without subscribers.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { slots: Shards::default() })
    }

    /// Hears of `key` from now on; nothing is delivered before [`Subscription::open`].
    pub fn subscribe<S: Subscriber<E>>(self: &Arc<Self>, key: K, subscriber: S) -> Subscription<K, E, S> {
        let slot = Arc::new(Slot { key, gate: Mutex::new(Gate::Waiting(Box::default())), subscriber });
        self.slots.insert(Arc::clone(&slot) as Arc<Listening<K, E>>);
        Subscription { hub: Arc::clone(self), slot }
    }

    /// Hands `event` to every subscriber of `key`.
    pub fn publish(&self, key: &K, event: E) {
        self.publish_with(key, || event);
    }

    /// [`Hub::publish`] of an event that is made only where somebody listens. It is made under the topic's lock, so it must
    /// not come back to the hub.
    pub fn publish_with(&self, key: &K, event: impl FnOnce() -> E) {
        self.slots.look(*key, |slots| {
            let event = Arc::new(event());
            for slot in slots {
                slot.offer(&event);
            }
        });
    }

    /// What anybody on this node listens to, once for each subscriber.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.slots.iter().map(|slot| slot.key)
    }

    /// Whether anybody on this node listens to `key`.
    pub fn has_subscribers(&self, key: &K) -> bool {
        self.slots.look(*key, |_| ()).is_some()
    }
}

/// One subscriber's place in a topic; dropping it ends the subscription.
pub struct Subscription<K: Copy + Eq + Hash, E, S> {
    hub: Arc<Hub<K, E>>,
    slot: Arc<Slot<K, E, S>>,
}

/// More events arrived during the snapshot than are kept; the snapshot must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflowed;

impl<K: Copy + Eq + Hash, E: Sequenced, S: Subscriber<E>> Subscription<K, E, S> {
    /// Who is told.
    pub fn subscriber(&self) -> &S {
        &self.slot.subscriber
    }

    /// Delivers the kept events that are not in a snapshot up to `position`, and every later one as it comes.
    ///
    /// # Errors
    /// When events were lost because too many came. The subscription keeps events again from this call on: read the
    /// snapshot once more, and open again.
    pub fn open(&self, position: i64) -> Result<(), Overflowed> {
        self.open_after(|| {}, position)
    }

    /// [`Subscription::open`], with `show` run right before the first event is delivered, and only when none was lost:
    /// the place to send what the snapshot holds.
    ///
    /// # Errors
    /// As [`Subscription::open`].
    pub fn open_after(&self, show: impl FnOnce(), position: i64) -> Result<(), Overflowed> {
        let mut gate = self.slot.gate.lock();
        let Gate::Waiting(waiting) = &mut *gate else { return Ok(()) };
        if std::mem::take(&mut waiting.overflowed) {
            return Err(Overflowed);
        }
        show();
        for event in waiting.events.drain(..).filter(|event| is_after(event.as_ref(), position)) {
            self.slot.subscriber.deliver(&event);
        }
        *gate = Gate::Open { after: position };
        Ok(())
    }
}

/// Whether an event need not be kept, because it passes or because the next snapshot will hold it.
fn is_dispensable(event: &impl Sequenced) -> bool {
    event.is_transient() || event.position().is_some()
}

/// Whether an event is not in a snapshot up to that position.
fn is_after(event: &impl Sequenced, position: i64) -> bool {
    event.position().is_none_or(|at| at > position)
}

impl<K: Copy + Eq + Hash, E, S> Drop for Subscription<K, E, S> {
    fn drop(&mut self) {
        let own = Arc::as_ptr(&self.slot);
        self.hub.slots.remove(self.slot.key, |slot| std::ptr::addr_eq(Arc::as_ptr(slot), own));
    }
}

enum Gate<E> {
    /// Boxed, since an open gate is what most are most of the time.
    Waiting(Box<Waiting<E>>),
    /// A snapshot sees a commit before its event is published, so the event may still come when the gate is open.
    Open { after: i64 },
}

struct Waiting<E> {
    events: VecDeque<Arc<E>>,
    overflowed: bool,
}

impl<E> Default for Waiting<E> {
    fn default() -> Self {
        Self { events: VecDeque::new(), overflowed: false }
    }
}

impl<K, E: Sequenced> Listening<K, E> {
    fn offer(&self, event: &Arc<E>) {
        match &mut *self.gate.lock() {
            Gate::Open { after } if is_after(event.as_ref(), *after) => self.subscriber.deliver(event),
            Gate::Open { .. } => {}
            Gate::Waiting(waiting) => {
                if waiting.keep(event).is_err() {
                    self.subscriber.lost();
                }
            }
        }
    }
}

impl<E: Sequenced> Waiting<E> {
    /// Keeps an event; where too many came, transient ones and those that the next snapshot will hold make room.
    fn keep(&mut self, event: &Arc<E>) -> Result<(), Overflowed> {
        if self.events.len() >= WAITING_MAX {
            self.events.retain(|waiting| !is_dispensable(waiting.as_ref()));
            self.overflowed = true;
        }
        if self.overflowed && is_dispensable(event.as_ref()) {
            return Ok(());
        }
        if self.events.len() >= WAITING_MAX {
            return Err(Overflowed);
        }
        self.events.push_back(Arc::clone(event));
        Ok(())
    }
}
