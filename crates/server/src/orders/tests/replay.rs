//! The histories of all orders, replayed entry by entry. Entries are numbered in the order of the commits, so this sees what stood
//! between any two of them, and not only what stands when somebody looks.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
};

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId};
use serde::Deserialize;

use super::invariants::{Look, Stand};
use crate::storage::{Columns, Row, Tx};

/// Entries that are read at once.
const AT_ONCE: i64 = 5_000;

/// How everything stands after the entries that were taken.
pub(super) struct Replay {
    look: Look,
    last: i64,
    /// How many there were, by type.
    pub(super) entries: BTreeMap<String, i64>,
    orders: HashMap<OrderId, History>,
    hands: HashMap<UserId, Hands>,
    pub(super) violations: Vec<String>,
}

#[derive(Default)]
struct History {
    stand: Stand,
    driver: Option<UserId>,
    live: HashMap<OfferId, Offer>,
    /// For whoever has to find out what went wrong.
    story: String,
}

#[derive(Clone, Copy)]
struct Offer {
    driver_id: UserId,
    expires_at: Timestamp,
}

/// What a driver has in hand.
#[derive(Default)]
struct Hands {
    offers: HashSet<OfferId>,
    trip: Option<OrderId>,
}

struct Entry {
    id: i64,
    order_id: OrderId,
    at: Timestamp,
    kind: String,
    actor_id: Option<UserId>,
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    offer_id: Option<OfferId>,
    driver_id: Option<UserId>,
    expires_at: Option<Timestamp>,
}

impl Replay {
    pub(super) fn new(look: Look) -> Self {
        let (orders, hands) = (HashMap::new(), HashMap::new());
        Self { look, last: 0, entries: BTreeMap::new(), orders, hands, violations: Vec::new() }
    }

    /// Takes the entries that are new.
    pub(super) fn read_on(&mut self, tx: &mut Tx<'_>) {
        let sql = "SELECT id, order_id, at, type, actor_id, details FROM holodrive_order_event \
            WHERE id > $1 ORDER BY id LIMIT $2";
        loop {
            let rows = tx.query(sql, &[self.last.into(), AT_ONCE.into()]).unwrap();
            let is_all = rows.len() < usize::try_from(AT_ONCE).unwrap();
            rows.into_iter().map(Row::columns).map(entry).for_each(|entry| self.take(&entry));
            if is_all {
                return;
            }
        }
    }

    fn take(&mut self, entry: &Entry) {
        self.last = entry.id;
        *self.entries.entry(entry.kind.clone()).or_default() += 1;
        let history = self.orders.entry(entry.order_id).or_default();
        let who = entry.details.driver_id.or(entry.actor_id);
        let _ = write!(history.story, " {} {}({who:?})", entry.id, entry.kind);
        let checked = self.follow(entry);
        if let Err(wrong) = checked {
            let story = &self.orders[&entry.order_id].story;
            self.violations.push(format!("{wrong}: order {}, entry {}:{story}", entry.order_id, entry.id));
        }
    }

    /// What an entry does, and what must stand before it.
    fn follow(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let history = self.orders.get_mut(&entry.order_id).unwrap();
        history.stand = history.stand.after(&entry.kind).ok_or("I8: the entry cannot follow")?;
        match entry.kind.as_str() {
            "offered" => self.offered(entry),
            "delivered" => self.delivered(entry),
            "accepted" => self.accepted(entry),
            "offer_declined" | "offer_expired" | "offer_revoked" => self.ended(entry),
            "arrived" | "started" => self.is_his(entry),
            "released" | "unassigned" | "completed" | "cancelled" => self.trip_ended(entry),
            _ => Ok(()),
        }
    }

    fn offered(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let (offer_id, driver_id) = (entry.details.offer_id.unwrap(), entry.details.driver_id.unwrap());
        let history = self.orders.get_mut(&entry.order_id).unwrap();
        if history.live.len() >= self.look.offers_per_order {
            return Err("I1: more live offers of an order than it may have");
        }
        if history.live.values().any(|offer| offer.driver_id == driver_id) {
            return Err("I1: two live offers of one order to one driver");
        }
        history.live.insert(offer_id, Offer { driver_id, expires_at: entry.details.expires_at.unwrap() });
        let hands = self.hands.entry(driver_id).or_default();
        let is_full = hands.offers.len() >= self.look.offers_per_driver as usize;
        hands.offers.insert(offer_id);
        if hands.trip.is_some() {
            return Err("I2: an offer to a driver on a trip");
        }
        // Staff may go beyond the limit.
        if is_full && entry.actor_id.is_none() {
            return Err("I2: more offers of a driver than he may have");
        }
        Ok(())
    }

    fn delivered(&self, entry: &Entry) -> Result<(), &'static str> {
        let offer = self.orders[&entry.order_id].live.get(&entry.details.offer_id.unwrap());
        let is_his = offer.is_some_and(|offer| Some(offer.driver_id) == entry.actor_id);
        if is_his { Ok(()) } else { Err("an offer was delivered that this driver does not have") }
    }

    fn accepted(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let (offer_id, driver_id) = (entry.details.offer_id.unwrap(), entry.actor_id.unwrap());
        let offer = self.take_offer(entry.order_id, offer_id).ok_or("I3: accepted without a live offer")?;
        if offer.driver_id != driver_id {
            return Err("I3: accepted by somebody else");
        }
        if entry.at >= offer.expires_at {
            return Err("accepted after its deadline");
        }
        self.orders.get_mut(&entry.order_id).unwrap().driver = Some(driver_id);
        match self.hands.entry(driver_id).or_default().trip.replace(entry.order_id) {
            None => Ok(()),
            Some(_) => Err("I4: two open trips of a driver"),
        }
    }

    fn ended(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let offer = self.take_offer(entry.order_id, entry.details.offer_id.unwrap());
        let offer = offer.ok_or("I8: the end of an offer that is not live")?;
        let is_expired = entry.at >= offer.expires_at;
        match entry.kind.as_str() {
            _ if Some(offer.driver_id) != entry.details.driver_id => Err("I8: the end of somebody else's offer"),
            "offer_declined" if is_expired => Err("declined after its deadline"),
            "offer_expired" if !is_expired => Err("expired before its deadline"),
            _ => Ok(()),
        }
    }

    /// Where he begins to drive, nothing else is in his hands.
    fn is_his(&self, entry: &Entry) -> Result<(), &'static str> {
        let driver_id = entry.actor_id.unwrap();
        match self.hands.get(&driver_id) {
            Some(hands) if hands.trip == Some(entry.order_id) && hands.offers.is_empty() => Ok(()),
            Some(hands) if hands.trip == Some(entry.order_id) => Err("I2: a live offer of a driver on a trip"),
            _ => Err("I3: a step of somebody who does not drive"),
        }
    }

    /// An order that is cancelled may have had no driver.
    fn trip_ended(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let history = self.orders.get_mut(&entry.order_id).unwrap();
        let Some(driver_id) = history.driver.take() else {
            return if entry.kind == "cancelled" { Ok(()) } else { Err("I3: the end of a trip that nobody drives") };
        };
        let hands = self.hands.entry(driver_id).or_default();
        if hands.trip.take() != Some(entry.order_id) {
            return Err("I4: the end of another trip");
        }
        if hands.offers.is_empty() { Ok(()) } else { Err("I2: a live offer of a driver on a trip") }
    }

    fn take_offer(&mut self, order_id: OrderId, offer_id: OfferId) -> Option<Offer> {
        let offer = self.orders.get_mut(&order_id)?.live.remove(&offer_id)?;
        self.hands.entry(offer.driver_id).or_default().offers.remove(&offer_id);
        Some(offer)
    }
}

fn entry(mut row: Columns) -> Entry {
    let (id, order_id, at) = (row.take().unwrap(), row.take().unwrap(), row.take().unwrap());
    let (kind, actor_id, details) = (row.take().unwrap(), row.take().unwrap(), row.take::<String>().unwrap());
    Entry { id, order_id, at, kind, actor_id, details: serde_json::from_str(&details).unwrap() }
}
