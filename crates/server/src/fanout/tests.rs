use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// In every snapshot that was read after it.
    Stored(i64),
    /// In no snapshot.
    Live(usize),
    /// Means something only now.
    Passing,
}

impl Sequenced for Event {
    fn position(&self) -> Option<i64> {
        match self {
            Self::Stored(position) => Some(*position),
            Self::Live(_) | Self::Passing => None,
        }
    }

    fn is_transient(&self) -> bool {
        *self == Self::Passing
    }
}

#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Event>>,
    has_lost: Mutex<bool>,
}

impl Subscriber<Event> for Arc<Ear> {
    fn deliver(&self, event: &Event) {
        self.heard.lock().push(*event);
    }

    fn lost(&self) {
        *self.has_lost.lock() = true;
    }
}

type Room = Hub<(), Event>;
type Seat = Subscription<(), Event, Arc<Ear>>;

fn subscribed() -> (Arc<Room>, Arc<Ear>, Seat) {
    let (hub, ear) = (Hub::new(), Arc::new(Ear::default()));
    let subscription = hub.subscribe((), Arc::clone(&ear));
    (hub, ear, subscription)
}

#[test]
fn what_the_snapshot_holds_is_not_delivered() {
    let (hub, ear, subscription) = subscribed();
    for event in [Event::Stored(1), Event::Passing, Event::Stored(2), Event::Live(1), Event::Stored(3)] {
        hub.publish(&(), event);
    }
    subscription.open(2).unwrap();
    // A snapshot may see a commit before its event comes.
    hub.publish(&(), Event::Stored(2));
    hub.publish(&(), Event::Passing);
    assert_eq!(*ear.heard.lock(), [Event::Passing, Event::Live(1), Event::Stored(3), Event::Passing]);
}

#[test]
fn where_too_much_came_only_what_the_next_snapshot_holds_is_dropped() {
    let (hub, ear, subscription) = subscribed();
    hub.publish(&(), Event::Live(1));
    hub.publish(&(), Event::Passing);
    for position in (1..).take(WAITING_MAX) {
        hub.publish(&(), Event::Stored(position));
    }
    hub.publish(&(), Event::Live(2));
    assert_eq!(subscription.open(0), Err(Overflowed));
    hub.publish(&(), Event::Stored(5_000));
    subscription.open(4_999).unwrap();
    assert_eq!(*ear.heard.lock(), [Event::Live(1), Event::Live(2), Event::Stored(5_000)]);
    assert!(!*ear.has_lost.lock());
}

#[test]
fn where_too_much_came_that_is_in_no_snapshot_the_subscriber_is_told() {
    let (hub, ear, _subscription) = subscribed();
    for number in 0..WAITING_MAX {
        hub.publish(&(), Event::Live(number));
    }
    assert!(!*ear.has_lost.lock());
    hub.publish(&(), Event::Live(WAITING_MAX));
    assert!(*ear.has_lost.lock());
}

#[test]
fn a_dropped_subscription_hears_nothing() {
    let (hub, ear, subscription) = subscribed();
    subscription.open(0).unwrap();
    drop(subscription);
    hub.publish(&(), Event::Live(1));
    assert!(ear.heard.lock().is_empty() && !hub.has_subscribers(&()));
}
