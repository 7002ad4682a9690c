//! What is noted while the city runs.

use std::{collections::HashMap, time::Duration};

use holodrive_protocol::{OrderId, Timestamp};

use super::ledger::{Ledger, Offer};
use crate::simulate::{
    outcome::{End, OfferEnds, OrderOutcome, Outcome, Violations},
    scenario::Scenario,
};

pub(super) struct Observed {
    pub(super) violations: Violations,
    ends: HashMap<OrderId, End>,
    /// Since when drivers drive.
    driving_since: HashMap<u64, Timestamp>,
    driven: Duration,
    measured: (Timestamp, Timestamp),
    requested: HashMap<OrderId, Timestamp>,
}

impl Observed {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            violations: Violations::default(),
            ends: HashMap::new(),
            driving_since: HashMap::new(),
            driven: Duration::ZERO,
            measured: (scenario.measured_from, scenario.ends),
            requested: (1..).zip(scenario.trips.iter().map(|trip| trip.requested_at)).collect(),
        }
    }

    pub(super) fn accepted(
        &mut self,
        order_id: OrderId,
        driver: u64,
        now: Timestamp,
        pickup_km: f64,
        approach: Duration,
    ) {
        let after = self.age(order_id, now);
        self.ends.insert(order_id, End::Accepted { after, pickup_km, wait: after + approach });
        self.driving_since.insert(driver, now);
    }

    pub(super) fn completed(&mut self, driver: u64, now: Timestamp) {
        let (from, to) = self.measured;
        if let Some(since) = self.driving_since.remove(&driver) {
            self.driven += now.min(to).since(since.max(from));
        }
    }

    pub(super) fn left(&mut self, order_id: OrderId, now: Timestamp) {
        let end = End::Left(self.age(order_id, now));
        self.ends.insert(order_id, end);
    }

    pub(super) fn no_driver(&mut self, order_id: OrderId, now: Timestamp) {
        let end = End::NoDriver(self.age(order_id, now));
        self.ends.insert(order_id, end);
    }

    fn age(&self, order_id: OrderId, now: Timestamp) -> Duration {
        self.requested.get(&order_id).map_or(Duration::ZERO, |requested_at| now.since(*requested_at))
    }

    pub(super) fn outcome(self, scenario: &Scenario, ledger: &Ledger, simulated: Duration) -> Outcome {
        let measured = (1..).zip(&scenario.trips).filter(|(_, trip)| scenario.is_measured(trip));
        let order = |(order_id, trip): (OrderId, &crate::simulate::demand::Trip)| OrderOutcome {
            requested_at: trip.requested_at,
            offers: ledger.order(order_id).map_or(0, |order| order.offers),
            end: self.ends.get(&order_id).copied().unwrap_or(End::Forgotten),
        };
        let (from, to) = self.measured;
        #[expect(clippy::cast_precision_loss, reason = "drivers are few")]
        let working = to.since(from).as_secs_f64() * scenario.drivers as f64;
        Outcome {
            seed: scenario.seed,
            orders: measured.map(order).collect(),
            offers: offer_ends(scenario, ledger),
            idle: if working > 0.0 { 1.0 - self.driven.as_secs_f64() / working } else { 0.0 },
            violations: self.violations,
            simulated,
        }
    }
}

fn offer_ends(scenario: &Scenario, ledger: &Ledger) -> OfferEnds {
    let counts = |offer: &&Offer| scenario.trip(offer.times.order_id).is_some_and(|trip| scenario.is_measured(&trip));
    OfferEnds::count(ledger.offers.iter().filter(counts).filter_map(|offer| offer.end))
}
