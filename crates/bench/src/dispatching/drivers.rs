//! The drivers' side: positions at an even pace, and an acceptance some time after each offer.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use holodrive::dispatch::Point;
use holodrive_protocol::{
    Order, OrderId,
    driver::{DriverClientMessage, DriverServerMessage},
};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use super::Args;
use crate::{
    cities::{Cities, Numbers, step},
    load::{LineWork, Lines, Schedule},
    socket::now_micros,
};

/// How long after the last order drivers still listen.
const GRACE: Duration = Duration::from_secs(3);
/// Unexpected messages that are told; all are counted.
const SHOWN: u64 = 3;

/// An order that a driver accepted.
pub(super) struct Accepted {
    pub(super) order_id: OrderId,
    /// The number of the driver.
    pub(super) driver: usize,
}

/// The first offer of an order; moments are microseconds since the epoch.
pub(super) struct Offered {
    /// When the order's transaction began.
    pub(super) created_at: i64,
    /// When `new_order` arrived.
    pub(super) arrived_at: i64,
}

/// What drivers got.
#[derive(Default)]
pub(super) struct Tally {
    /// By order.
    pub(super) first_offers: HashMap<OrderId, Offered>,
    pub(super) offers: u64,
    /// Offers to drivers who answer, and whose answer is due before the end.
    pub(super) answered: u64,
    pub(super) accepted: u64,
    pub(super) timeouts: u64,
    pub(super) positions: u64,
    /// Of these, the ones within the measured time.
    pub(super) measured_positions: u64,
    pub(super) unexpected: u64,
}

pub(super) struct Drivers {
    args: Args,
    answer: Duration,
    places: Vec<Point>,
    numbers: Numbers,
    schedule: Option<Schedule>,
    /// Acceptances to be sent, by time.
    answers: BinaryHeap<Reverse<(Instant, usize, OrderId)>>,
    started: UnboundedSender<Accepted>,
    pub(super) tally: Tally,
}

impl Drivers {
    /// `started` is told of each trip.
    pub(super) fn new(args: Args, started: UnboundedSender<Accepted>) -> anyhow::Result<Self> {
        let (cities, mut numbers) = (Cities::new(1), Numbers::new());
        let places = (0..args.drivers).map(|_| cities.place(&mut numbers)).collect::<anyhow::Result<_>>()?;
        let (answer, tally) = (Duration::try_from_secs_f64(args.answer)?, Tally::default());
        Ok(Self { args, answer, places, numbers, schedule: None, answers: BinaryHeap::new(), started, tally })
    }

    fn is_silent(&self, driver: usize) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "drivers are less than 2^52")]
        let part = driver as f64 / self.places.len() as f64;
        part < self.args.silent.0
    }

    fn tell_position(&mut self, lines: &mut Lines, driver: usize) {
        if let Ok(place) = step(self.places[driver], &mut self.numbers) {
            self.places[driver] = place;
            let Point { latitude, longitude } = place;
            send(lines, driver, &DriverClientMessage::Location { latitude, longitude });
        }
    }

    /// When the next position is due; the drivers take turns.
    fn next_position(&self, schedule: Schedule) -> Instant {
        let (told, rate) = (self.tally.positions, u64::from(self.args.positions));
        schedule.begin + Duration::from_secs(told / rate) + Duration::from_nanos(told % rate * 1_000_000_000 / rate)
    }

    fn offered(&mut self, driver: usize, order: &Order, now: Instant) {
        let (created_at, arrived_at) = (order.created_at.as_micros(), now_micros());
        self.tally.offers += 1;
        self.tally.first_offers.entry(order.id).or_insert(Offered { created_at, arrived_at });
        if !self.is_silent(driver) {
            let at = now + self.numbers.about(self.answer);
            self.tally.answered += u64::from(self.schedule.is_some_and(|schedule| at < schedule.to));
            self.answers.push(Reverse((at, driver, order.id)));
        }
    }

    fn accepted(&mut self, driver: usize, order_id: OrderId) {
        self.tally.accepted += 1;
        // Nobody drives any more at the end.
        let _ = self.started.send(Accepted { order_id, driver });
    }

    fn unexpected(&mut self, text: &[u8]) {
        self.tally.unexpected += 1;
        if self.tally.unexpected <= SHOWN {
            eprintln!("a driver did not expect {}", String::from_utf8_lossy(text));
        }
    }
}

impl LineWork for Drivers {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
        (0..lines.len()).for_each(|driver| self.tell_position(lines, driver));
    }

    fn text(&mut self, _: &mut Lines, driver: usize, text: &[u8], now: Instant) {
        match serde_json::from_slice(text) {
            Ok(DriverServerMessage::NewOrder { order, .. }) => self.offered(driver, &order, now),
            Ok(DriverServerMessage::OrderAccepted { order, .. }) => self.accepted(driver, order.id),
            Ok(DriverServerMessage::OrderTimeout { .. }) => self.tally.timeouts += 1,
            Ok(DriverServerMessage::InitialOrders { .. }) => {}
            _ => self.unexpected(text),
        }
    }

    fn turn(&mut self, lines: &mut Lines, now: Instant) -> Option<Instant> {
        let schedule = self.schedule?;
        while self.next_position(schedule) <= now {
            let driver = usize::try_from(self.tally.positions % lines.len() as u64).unwrap_or(0);
            self.tell_position(lines, driver);
            self.tally.positions += 1;
            self.tally.measured_positions += u64::from(schedule.holds(now));
        }
        while self.answers.peek().is_some_and(|Reverse((at, ..))| *at <= now)
            && let Some(Reverse((_, driver, order_id))) = self.answers.pop()
        {
            send(lines, driver, &DriverClientMessage::AcceptOrder { order_id });
        }
        let next_answer = self.answers.peek().map(|Reverse((at, ..))| *at);
        let next = next_answer.into_iter().chain([self.next_position(schedule), schedule.to + GRACE]).min();
        next.filter(|_| now < schedule.to + GRACE)
    }
}

fn send(lines: &mut Lines, driver: usize, message: &impl Serialize) {
    // These messages are made of numbers alone: there is nothing that cannot be written.
    if let Ok(text) = serde_json::to_vec(message) {
        lines.send(driver, &text);
    }
}
