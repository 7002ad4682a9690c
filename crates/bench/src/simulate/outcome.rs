//! What a run showed, whichever world it ran in.

use std::time::Duration;

use holodrive_protocol::Timestamp;

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// A driver took it.
    Accepted {
        /// After so long.
        after: Duration,
        /// He was so far away, in straight kilometres.
        pickup_km: f64,
        /// From the request to the driver's arrival.
        wait: Duration,
    },
    /// The rider left after so long.
    Left(Duration),
    /// The search ended after so long.
    NoDriver(Duration),
    /// It never ended.
    Forgotten,
}

impl End {
    /// How old the order was when somebody took it or nobody was looked for any more.
    pub(crate) const fn age(self) -> Option<Duration> {
        match self {
            Self::Accepted { after, .. } | Self::Left(after) | Self::NoDriver(after) => Some(after),
            Self::Forgotten => None,
        }
    }
}

/// An order from the outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OrderOutcome {
    pub(crate) requested_at: Timestamp,
    /// How many drivers were asked.
    pub(crate) offers: u32,
    pub(crate) end: End,
}

/// How an offer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferEnd {
    Accepted,
    Declined,
    Expired,
    Unreachable,
    /// The rider left, another driver was faster, or the driver took another order.
    Withdrawn,
}

/// How the offers of the orders that count ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfferEnds {
    pub(crate) accepted: u64,
    pub(crate) declined: u64,
    pub(crate) expired: u64,
    pub(crate) unreachable: u64,
    pub(crate) withdrawn: u64,
}

impl OfferEnds {
    pub(crate) fn count(ends: impl Iterator<Item = OfferEnd>) -> Self {
        let mut counts = Self::default();
        for end in ends {
            match end {
                OfferEnd::Accepted => counts.accepted += 1,
                OfferEnd::Declined => counts.declined += 1,
                OfferEnd::Expired => counts.expired += 1,
                OfferEnd::Unreachable => counts.unreachable += 1,
                OfferEnd::Withdrawn => counts.withdrawn += 1,
            }
        }
        counts
    }

    pub(crate) const fn all(self) -> u64 {
        self.accepted + self.declined + self.expired + self.unreachable + self.withdrawn
    }
}

/// What must never be, and was seen all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Violations {
    pub(crate) count: u64,
    /// The first ones, for people.
    pub(crate) first: Vec<String>,
}

impl Violations {
    /// That many are told in full.
    const TOLD: usize = 5;

    pub(crate) fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < Self::TOLD {
            self.first.push(text());
        }
    }
}

/// Everything about one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    /// The orders that count.
    pub(crate) orders: Vec<OrderOutcome>,
    pub(crate) offers: OfferEnds,
    /// Share of the drivers' time without an order.
    pub(crate) idle: f64,
    pub(crate) violations: Violations,
    /// From the first order to the end of all trips.
    pub(crate) simulated: Duration,
}
