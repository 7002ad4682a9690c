//! Drivers and a rider whose screens connect, read a while, and hang up.

use std::{collections::HashSet, sync::Arc};

use holodrive_protocol::OrderId;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{super::RiderOrdersEndpoint, screen::order_of, town::Town};
use crate::{
    accounts::User,
    gateway::{Opening, testing::Peer},
};

pub(super) const DRIVERS: usize = 3;

pub(super) struct Scene {
    pub(super) town: Town,
    pub(super) drivers: Vec<Arc<User>>,
    riders: Arc<RiderOrdersEndpoint>,
}

/// Whose screen it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seat {
    /// On a phone he answers, too.
    Driver { who: usize, has_phone: bool },
    /// With so many bytes of room in its queue.
    Rider { room: usize },
}

impl Scene {
    pub(super) async fn new() -> Self {
        let town = Town::new(&[
            ("ORDER_OFFERS_PER_DRIVER", "3"),
            ("ORDER_OFFER_TIMEOUT", "10"),
            ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "4"),
            ("ORDER_REOFFER_AFTER", "1"),
            ("DRIVER_STALE_AFTER", "3600"),
        ])
        .await;
        let mut drivers = Vec::new();
        for number in 0..DRIVERS {
            drivers.push(town.driver_at(&format!("driver{number}"), 1.0).await);
        }
        let riders = RiderOrdersEndpoint::new(Arc::clone(&town.orders));
        Self { town, drivers, riders }
    }

    async fn connect(&self, seat: Seat) -> Peer {
        match seat {
            Seat::Driver { who, .. } => self.town.connect(&self.drivers[who]).await,
            Seat::Rider { room } => {
                let (rider, accounts) = (&self.town.rider, &self.town.orders.accounts);
                Peer::connect(&*self.riders, rider, accounts, Opening::default(), Some(room)).await.unwrap()
            }
        }
    }
}

/// Connects, reads as many messages as is planned, and hangs up; in the end stays until everybody is done.
pub(super) async fn sit(
    scene: Arc<Scene>,
    seat: Seat,
    limits: Vec<usize>,
    mut done: watch::Receiver<bool>,
) -> Vec<(Seat, Visit)> {
    let mut phone = matches!(seat, Seat::Driver { has_phone: true, .. }).then(HashSet::new);
    let mut visits = Vec::new();
    for limit in limits.into_iter().chain(std::iter::repeat(usize::MAX)) {
        let peer = scene.connect(seat).await;
        visits.push((seat, Visit::of(peer, limit, &mut phone, &mut done).await));
        if *done.borrow() {
            break;
        }
    }
    visits
}

/// One connection.
pub(super) struct Visit {
    /// What it was told.
    pub(super) told: Vec<Value>,
    /// While it is open.
    peer: Option<Peer>,
    /// Whether it was told everything until nothing happened any more.
    pub(super) is_complete: bool,
}

impl Visit {
    /// `phone` knows what the driver was asked before: he answers each order once, so that no answer is a repeated one.
    async fn of(
        mut peer: Peer,
        limit: usize,
        phone: &mut Option<HashSet<OrderId>>,
        done: &mut watch::Receiver<bool>,
    ) -> Self {
        let mut told = Vec::new();
        while told.len() < limit {
            let message = tokio::select! {
                message = peer.next() => message,
                _ = done.wait_for(|done| *done) => return Self { told, peer: Some(peer), is_complete: false },
            };
            let Some(message) = message else { break };
            if let Some(asked) = phone {
                peer.pong().await;
                answer(&peer, asked, &message).await;
            }
            told.push(message);
        }
        peer.hang_up().await;
        Self { told, peer: None, is_complete: false }
    }

    /// Reads the rest.
    pub(super) fn end(mut self) -> Self {
        if let Some(mut peer) = self.peer.take() {
            self.told.extend(peer.heard());
            self.is_complete = !peer.connection.is_closing();
        }
        self
    }
}

/// On a phone, every other offer is accepted or declined.
async fn answer(peer: &Peer, asked: &mut HashSet<OrderId>, message: &Value) {
    if message["type"] == "new_order" && is_for_phone(order_of(message)) && asked.insert(order_of(message)) {
        let kind = if order_of(message) % 4 == 0 { "accept_order" } else { "decline_order" };
        peer.say(json!({"type": kind, "order_id": order_of(message)})).await;
    }
}

/// Whether a driver answers on his socket, and nowhere else.
pub(super) fn is_for_phone(order: OrderId) -> bool {
    order % 2 == 0
}
