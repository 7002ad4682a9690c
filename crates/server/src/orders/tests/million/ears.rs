//! What a driver's connection hears, at each node.

use std::{collections::HashSet, sync::Arc};

use holodrive_protocol::{OfferId, UserId};
use parking_lot::Mutex;

use super::super::{
    super::{DriverEvent, events::DriverEventKind},
    town::Town,
};
use crate::fanout::{Subscriber, Subscription};

/// I9: he hears of each offer once, and once of its end.
#[derive(Default)]
struct Ear {
    live: Mutex<HashSet<OfferId>>,
    wrong: Mutex<Vec<String>>,
}

impl Subscriber<DriverEvent> for Ear {
    fn deliver(&self, event: &DriverEvent) {
        let is_sound = match &event.kind {
            DriverEventKind::Offered { offer_id, .. } => self.live.lock().insert(*offer_id),
            DriverEventKind::Accepted { offer_id, .. } | DriverEventKind::Ended { offer_id, .. } => {
                self.live.lock().remove(offer_id)
            }
            DriverEventKind::TripCancelled { .. } => true,
        };
        if !is_sound {
            self.wrong.lock().push(format!("I9: {event:?}"));
        }
    }

    fn lost(&self) {
        self.wrong.lock().push("I9: events were lost".to_owned());
    }
}

/// One of each driver's at each node.
pub(super) struct Ears(Vec<Subscription<UserId, DriverEvent, Ear>>);

impl Ears {
    pub(super) fn open(nodes: &[Town], drivers: &[Arc<crate::accounts::User>]) -> Self {
        let pairs = nodes.iter().flat_map(|town| drivers.iter().map(move |driver| (town, driver.id)));
        let ears = pairs.map(|(town, driver_id)| {
            let ear = town.orders.driver_hub.subscribe(driver_id, Ear::default());
            assert!(ear.open(0).is_ok());
            ear
        });
        Self(ears.collect())
    }

    /// What was heard twice, or not at all.
    pub(super) fn violations(&self) -> Vec<String> {
        self.0.iter().flat_map(|ear| std::mem::take(&mut *ear.subscriber().wrong.lock())).collect()
    }

    /// Offers of whose end nobody was told, once all have ended.
    pub(super) fn untold(&self) -> Vec<String> {
        let untold = self.0.iter().flat_map(|ear| ear.subscriber().live.lock().iter().copied().collect::<Vec<_>>());
        untold.map(|offer_id| format!("I9: nobody was told how offer {offer_id} ended")).collect()
    }
}
