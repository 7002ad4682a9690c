use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use holodrive_protocol::{
    Order, OrderId,
    driver::{DriverClientMessage, DriverServerMessage},
};
use tokio::sync::watch;

use super::orders::place_of;
use crate::socket::{Arrival, Socket};

/// An offer as a driver saw it; moments are microseconds since the epoch.
pub(super) struct Offer {
    pub(super) order_id: OrderId,
    /// When the order's transaction began.
    pub(super) created_at: i64,
    /// When `new_order` arrived.
    pub(super) offered_at: i64,
    pub(super) expires_at: i64,
    /// Whether nobody had the order before.
    pub(super) is_first: bool,
    /// When `order_timeout` arrived, each time that it did.
    pub(super) ended_at: Vec<i64>,
}

/// How far the first offers of all orders are.
#[derive(Default)]
pub(super) struct Tally {
    live: AtomicUsize,
    ended: AtomicUsize,
}

impl Tally {
    /// Orders that were offered.
    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Orders whose first offer has ended.
    pub(super) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }
}

pub(super) struct Driver {
    socket: Socket,
    offer_timeout: Duration,
    offers: Vec<Offer>,
}

impl Driver {
    /// Tells where he is; when this returns, the server knows.
    pub(super) async fn at_his_place(mut socket: Socket, n: usize, offer_timeout: Duration) -> anyhow::Result<Self> {
        let (latitude, longitude) = place_of(n)?;
        socket.send(&DriverClientMessage::Location { latitude, longitude }).await?;
        socket.settle().await?;
        Ok(Self { socket, offer_timeout, offers: Vec::new() })
    }

    /// Listens until it is told to stop.
    pub(super) async fn listen(
        mut self,
        tally: Arc<Tally>,
        mut stopped: watch::Receiver<()>,
    ) -> anyhow::Result<Vec<Offer>> {
        loop {
            tokio::select! {
                arrival = self.socket.next() => self.note(&arrival?, &tally)?,
                _ = stopped.changed() => return Ok(self.offers),
            }
        }
    }

    fn note(&mut self, arrival: &Arrival, tally: &Tally) -> anyhow::Result<()> {
        match arrival.parse() {
            Some(DriverServerMessage::NewOrder { order, .. }) => self.offered(&order, arrival.at, tally),
            Some(DriverServerMessage::OrderTimeout { order_id, .. }) => self.ended(order_id, arrival.at, tally),
            _ => anyhow::bail!("a driver did not expect {}", arrival.text),
        }
    }

    fn offered(&mut self, order: &Order, at: i64, tally: &Tally) -> anyhow::Result<()> {
        let expires_at = order.expires_at.ok_or_else(|| anyhow::anyhow!("an offer without a deadline"))?;
        // A second one would end after twice that time.
        let is_first = expires_at < order.created_at.after(self.offer_timeout * 3 / 2);
        if is_first {
            tally.live.fetch_add(1, Ordering::Relaxed);
        }
        self.offers.push(Offer {
            order_id: order.id,
            created_at: order.created_at.as_micros(),
            offered_at: at,
            expires_at: expires_at.as_micros(),
            is_first,
            ended_at: Vec::new(),
        });
        Ok(())
    }

    fn ended(&mut self, order_id: OrderId, at: i64, tally: &Tally) -> anyhow::Result<()> {
        let position = self.offers.iter().position(|offer| offer.order_id == order_id);
        let position =
            position.ok_or_else(|| anyhow::anyhow!("order {order_id} ended for a driver who never had it"))?;
        let Offer { ended_at, is_first, .. } = &mut self.offers[position];
        ended_at.push(at);
        if *is_first && ended_at.len() == 1 {
            tally.ended.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
