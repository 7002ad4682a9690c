//! Deliberately broken variants of dispatch, which the simulation must catch: each is a mistake that real dispatchers make.
//!
//! Guards are conditions of statements, so what breaks them is another text of the statement, on the thread of one
//! storage's writer. The program itself knows nothing of it. Where the schema would still refuse, its indexes are dropped
//! first: they are the second line of defence, and here the first is judged.

use super::{
    super::events::{DriverEventKind, DriverFact},
    million,
    simulation::simulate,
    town::Town,
};
use crate::{storage::Rewrite, testing::on_threads};

/// Seeds within which each must be caught.
const SEEDS: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Accepting reads how the offer stands, and saves in another transaction without looking again.
    CheckThenSave,
    /// Accepting does not look at the deadline.
    NoDeadline,
    /// Nothing keeps two dispatchers from offering the same order.
    UnlockedDispatchers,
    /// The end of an offer does not make its order search again.
    LostOrder,
    /// That an offer ran out is not in the history.
    MissingHistory,
    /// Who gave an order back, or let its offer pass, may be asked at once again.
    ForgottenCoolDown,
    /// Drivers are not told of ends that another node commits.
    UntoldEnd,
    /// [`Self::UnlockedDispatchers`], while the schema still refuses.
    UnlockedBehindIndexes,
    /// Nobody counts how many offers a driver holds.
    UncountedOffers,
    /// Who takes an order is still offered others.
    OffersOnTrips,
    /// Who gives an order back keeps its offer.
    KeptOffer,
    /// Accepting takes along whatever else the driver is offered.
    GreedyAccept,
    /// Nobody finds the offers that ran out.
    UnseenDeadlines,
    /// An order that was given back searches for an hour too long.
    EndlessSearch,
}

impl Sabotage {
    /// Breaks a node.
    pub(super) async fn commit(self, town: &Town) {
        town.orders.storage.rewrite(self.statements()).await;
        for index in self.indexes() {
            let sql = format!("DROP INDEX IF EXISTS {index}");
            town.write(move |_, tx| Ok(tx.execute(&sql, &[])?)).await.unwrap();
        }
        if self == Self::UntoldEnd {
            forget_ends_of_others(town);
        }
    }

    const fn statements(self) -> &'static [Rewrite] {
        match self {
            Self::CheckThenSave => &[
                (
                    "WHERE order_id = $1 AND driver_id = $2 AND state = 'live' AND expires_at > $3 RETURNING id",
                    "WHERE id = (SELECT MAX(id) FROM holodrive_offer WHERE order_id = $1 AND driver_id = $2) RETURNING id",
                ),
                ("conversation_id = $4 WHERE id = $1 AND status IN ('pending')", "conversation_id = $4 WHERE id = $1"),
            ],
            Self::NoDeadline => &[("state = 'live' AND expires_at > $3 RETURNING id", "state = 'live' RETURNING id")],
            Self::UnlockedDispatchers | Self::UnlockedBehindIndexes => &[(
                "SET status = 'pending' WHERE id = $1 AND status IN ('searching')",
                "SET status = 'pending' WHERE id = $1 AND status IN ('searching', 'pending')",
            )],
            Self::LostOrder => &[(
                "SET status = 'searching' WHERE id = $1 AND status IN ('pending')",
                "SET status = 'searching' WHERE id = $1 AND status = 'none'",
            )],
            Self::MissingHistory => &[(
                "details) VALUES ($1, $2, $3,",
                "details) VALUES ($1, $2, CASE WHEN $3 = 'offer_expired' THEN 'delivered' ELSE $3 END,",
            )],
            Self::ForgottenCoolDown => &[("state NOT IN ('live', 'accepted')", "state = 'none'")],
            Self::UntoldEnd => &[],
            Self::UncountedOffers => &[(
                "COUNT(*) FROM holodrive_offer WHERE driver_id = $1 AND state = 'live'",
                "COUNT(*) FROM holodrive_offer WHERE driver_id = $1 AND state = 'none'",
            )],
            Self::OffersOnTrips => {
                &[("driver_id = $1 AND state = 'live' ORDER BY id", "driver_id = $1 AND state = 'none' ORDER BY id")]
            }
            Self::KeptOffer => &[("SET state = 'released', ended_at = $2", "SET state = 'accepted', ended_at = $2")],
            Self::GreedyAccept => &[(
                "conversation_id = $4 WHERE id = $1 AND status IN ('pending')",
                "conversation_id = $4 WHERE id = $1 OR id IN (SELECT order_id FROM holodrive_offer WHERE driver_id = $2 AND state = 'live')",
            )],
            Self::UnseenDeadlines => &[("AND expires_at <= $1 LIMIT", "AND expires_at <= $1 AND state = 'none' LIMIT")],
            Self::EndlessSearch => &[("search_until = $4", "search_until = $4 + 3600000000")],
        }
    }

    const fn indexes(self) -> &'static [&'static str] {
        match self {
            Self::CheckThenSave => &["holodrive_offer_accepted", "holodrive_order_trip"],
            Self::UnlockedDispatchers => &["holodrive_offer_live", "holodrive_offer_live_once"],
            Self::GreedyAccept => &["holodrive_order_trip"],
            _ => &[],
        }
    }

    /// What notices, in the words of the check.
    const fn noticed_by(self) -> &'static str {
        match self {
            Self::CheckThenSave | Self::MissingHistory => "I8",
            Self::NoDeadline => "accepted after its deadline",
            Self::UnlockedDispatchers => "I1",
            Self::LostOrder => "I5",
            Self::ForgottenCoolDown => "who gave the order back",
            Self::UntoldEnd => "I9",
            Self::UnlockedBehindIndexes => "offers could not be made",
            Self::UncountedOffers => "I2: more offers of a driver",
            Self::OffersOnTrips => "I2: a live offer",
            Self::KeptOffer => "I3: an accepted offer",
            Self::GreedyAccept => "I4",
            Self::UnseenDeadlines => "I6",
            Self::EndlessSearch => "I7: order",
        }
    }

    fn is_caught(self) {
        let caught = (1..=SEEDS).find_map(|seed| Some((seed, simulate(seed, 0, Some(self)).err()?)));
        let Some((seed, reason)) = caught else { panic!("{self:?} is not caught by {SEEDS} seeds") };
        let reason = reason.split("Schedule {").next().unwrap_or_default();
        assert!(reason.contains(self.noticed_by()), "{self:?} is caught by something else: {reason}");
        println!("{self:?}: caught by seed {seed}: {reason}");
    }
}

fn forget_ends_of_others(town: &Town) {
    let hub = std::sync::Arc::clone(&town.orders.driver_hub);
    town.orders.storage.topic("drivers", move |DriverFact { driver_id, event }| {
        if !matches!(event.kind, DriverEventKind::Ended { .. }) {
            hub.publish(&driver_id, event);
        }
    });
}

#[test]
fn check_then_save_is_caught() {
    Sabotage::CheckThenSave.is_caught();
}

#[test]
fn check_then_save_is_caught_on_threads_too() {
    let report = on_threads(million::run(100_000, Some(Sabotage::CheckThenSave)));
    let noticed = report.violations.iter().any(|violation| violation.starts_with('I'));
    assert!(noticed, "{:#?}", report.violations);
}

#[test]
fn a_deadline_that_nobody_looks_at_is_caught() {
    Sabotage::NoDeadline.is_caught();
}

#[test]
fn two_unlocked_dispatchers_are_caught() {
    Sabotage::UnlockedDispatchers.is_caught();
}

#[test]
fn a_lost_order_is_caught() {
    Sabotage::LostOrder.is_caught();
}

#[test]
fn a_missing_entry_of_the_history_is_caught() {
    Sabotage::MissingHistory.is_caught();
}

#[test]
fn a_forgotten_cool_down_is_caught() {
    Sabotage::ForgottenCoolDown.is_caught();
}

#[test]
fn an_end_that_is_not_told_is_caught() {
    Sabotage::UntoldEnd.is_caught();
}

#[test]
fn unlocked_dispatchers_do_not_hide_behind_the_indexes() {
    Sabotage::UnlockedBehindIndexes.is_caught();
}

#[test]
fn uncounted_offers_are_caught() {
    Sabotage::UncountedOffers.is_caught();
}

#[test]
fn offers_on_trips_are_caught() {
    Sabotage::OffersOnTrips.is_caught();
}

#[test]
fn an_offer_that_is_kept_is_caught() {
    Sabotage::KeptOffer.is_caught();
}

#[test]
fn a_greedy_accept_is_caught() {
    Sabotage::GreedyAccept.is_caught();
}

#[test]
fn deadlines_that_nobody_sees_are_caught() {
    Sabotage::UnseenDeadlines.is_caught();
}

#[test]
fn an_endless_search_is_caught() {
    Sabotage::EndlessSearch.is_caught();
}
