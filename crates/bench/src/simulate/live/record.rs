//! What drivers and riders saw, and what should not have been.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use holodrive_protocol::{OrderId, Timestamp};

use crate::simulate::{
    outcome::{End, OfferEnd, OfferEnds, OrderOutcome, Outcome, Violations},
    scenario::Scenario,
};

/// The notes of everybody, in one place.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    /// By the number of the trip.
    ends: BTreeMap<usize, End>,
    offers: BTreeMap<usize, u32>,
    /// With the number of the trip, as far as drivers can tell.
    offer_ends: Vec<(usize, OfferEnd)>,
    /// Who has which order, by the server's key.
    taken: BTreeMap<OrderId, u64>,
    driving: BTreeSet<u64>,
    driven: Duration,
    violations: Violations,
}

impl Record {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A driver was shown an offer.
    pub(super) fn offered(&self, trip: usize) {
        *self.notes().offers.entry(trip).or_default() += 1;
    }

    /// A driver was told that his offer ended.
    pub(super) fn offer_ended(&self, trip: usize, end: OfferEnd) {
        self.notes().offer_ends.push((trip, end));
    }

    /// A driver was told that he has the order.
    pub(super) fn accepted(&self, order_id: OrderId, driver: u64, trip: usize, end: End) {
        let mut notes = self.notes();
        if let Some(other) = notes.taken.insert(order_id, driver) {
            notes
                .violations
                .add(|| format!("drivers {other} and {driver} were both told that they have order {order_id}"));
        }
        notes.offer_ends.push((trip, OfferEnd::Accepted));
        notes.driving.insert(driver);
        notes.ends.insert(trip, end);
    }

    /// A driver is free again, after so long within the time that counts.
    pub(super) fn drove(&self, driver: u64, time: Duration) {
        let mut notes = self.notes();
        notes.driving.remove(&driver);
        notes.driven += time;
    }

    /// An order ended without a driver.
    pub(super) fn ended(&self, trip: usize, end: End) {
        self.notes().ends.insert(trip, end);
    }

    pub(super) fn violation(&self, text: impl FnOnce() -> String) {
        self.notes().violations.add(text);
    }

    /// Drivers who have somebody in the car, or are on their way.
    pub(super) fn driving(&self) -> usize {
        self.notes().driving.len()
    }

    pub(super) fn outcome(&self, scenario: &Scenario, until: Timestamp) -> Outcome {
        let notes = self.notes();
        let measured = scenario.trips.iter().enumerate().filter(|(_, trip)| scenario.is_measured(trip));
        let counts = |(trip, _): &&(usize, OfferEnd)| scenario.is_measured(&scenario.trips[*trip]);
        let order = |(number, trip): (usize, &crate::simulate::demand::Trip)| OrderOutcome {
            requested_at: trip.requested_at,
            offers: notes.offers.get(&number).copied().unwrap_or(0),
            end: notes.ends.get(&number).copied().unwrap_or(End::Forgotten),
        };
        #[expect(clippy::cast_precision_loss, reason = "drivers are few")]
        let working = scenario.ends.since(scenario.measured_from).as_secs_f64() * scenario.drivers as f64;
        Outcome {
            seed: scenario.seed,
            orders: measured.map(order).collect(),
            offers: OfferEnds::count(notes.offer_ends.iter().filter(counts).map(|(_, end)| *end)),
            idle: if working > 0.0 { 1.0 - notes.driven.as_secs_f64() / working } else { 0.0 },
            violations: notes.violations.clone(),
            simulated: until.since(scenario.begins),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_drivers_of_one_order_are_noticed() {
        let (record, end) = (Record::default(), End::Left(Duration::ZERO));
        record.accepted(1, 10, 0, end);
        record.accepted(2, 11, 1, end);
        assert_eq!(record.driving(), 2);
        assert_eq!(record.notes().violations.count, 0);
        record.accepted(1, 11, 0, end);
        assert_eq!(record.notes().violations.first, ["drivers 10 and 11 were both told that they have order 1"]);
    }
}
