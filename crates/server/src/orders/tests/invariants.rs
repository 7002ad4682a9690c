//! What must hold after every transaction.

use holodrive_protocol::OrderId;

use super::super::Orders;
use crate::storage::{Columns, Row, Tx};

/// Each query must give no rows; `$1` is the first order that is looked at.
const QUERIES: &[(&str, &str)] = &[
    (
        "I1: two live offers of one order in one place",
        "SELECT order_id, slot FROM holodrive_offer WHERE state = 'live' AND order_id >= $1
         GROUP BY order_id, slot HAVING COUNT(*) > 1",
    ),
    (
        "I1: two live offers of one order to one driver",
        "SELECT order_id, driver_id FROM holodrive_offer WHERE state = 'live' AND order_id >= $1
         GROUP BY order_id, driver_id HAVING COUNT(*) > 1",
    ),
    (
        "a live offer beside that of a driver whom staff have chosen",
        "SELECT b.id FROM holodrive_offer a JOIN holodrive_offer b ON b.order_id = a.order_id AND b.id <> a.id
         WHERE a.state = 'live' AND a.exclusive AND b.state = 'live' AND a.order_id >= $1",
    ),
    (
        "an offer by the dispatcher to a driver who gave the order back",
        r#"SELECT b.id FROM holodrive_offer a JOIN holodrive_offer b ON b.order_id = a.order_id AND b.driver_id = a.driver_id
         AND b.id > a.id WHERE a.state = 'released' AND a.order_id >= $1 AND EXISTS (SELECT 1 FROM holodrive_order_event e
         WHERE e.order_id = b.order_id AND e.type = 'offered' AND e.actor_id IS NULL
         AND e.details LIKE '%"offer_id":' || b.id || '}')"#,
    ),
    (
        "I2: a live offer of a driver on a trip",
        "SELECT f.id FROM holodrive_offer f JOIN holodrive_order o ON o.driver_id = f.driver_id
         WHERE f.state = 'live' AND f.order_id >= $1 AND o.status IN ('accepted', 'arrived', 'in_progress')",
    ),
    (
        "I3: a trip without exactly one accepted offer, of its driver",
        "SELECT o.id FROM holodrive_order o
         WHERE o.status IN ('accepted', 'arrived', 'in_progress', 'completed') AND o.id >= $1 AND
         ((SELECT COUNT(*) FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'accepted') <> 1 OR
          (SELECT COUNT(*) FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'accepted'
           AND f.driver_id = o.driver_id) <> 1)",
    ),
    (
        "I3: an accepted offer of an order that nobody has",
        "SELECT f.id FROM holodrive_offer f JOIN holodrive_order o ON o.id = f.order_id
         WHERE f.state = 'accepted' AND o.driver_id IS NULL AND o.id >= $1",
    ),
    (
        "I4: two open trips of a driver",
        "SELECT driver_id FROM holodrive_order WHERE status IN ('accepted', 'arrived', 'in_progress') AND id >= $1
         GROUP BY driver_id HAVING COUNT(*) > 1",
    ),
    (
        "I5: pending without a live offer, or a live offer of what is not pending",
        "SELECT o.id FROM holodrive_order o WHERE o.id >= $1 AND (o.status = 'pending') <>
         EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'live')",
    ),
    (
        "an offer that ended without a time, or is live with one",
        "SELECT id FROM holodrive_offer WHERE order_id >= $1 AND (state = 'live') = (ended_at IS NOT NULL)",
    ),
    (
        "a revoked offer without a reason, or another with one",
        "SELECT id FROM holodrive_offer WHERE order_id >= $1 AND (state = 'revoked') <> (reason IS NOT NULL)",
    ),
    (
        "an offer that was accepted after its deadline",
        "SELECT id FROM holodrive_offer WHERE order_id >= $1 AND state = 'accepted' AND ended_at >= expires_at",
    ),
    (
        "a driver who left the conversation of an order that he has not, or is missing from that of one that he has",
        "SELECT o.id FROM holodrive_order o WHERE o.id >= $1 AND o.status IN ('accepted', 'arrived', 'in_progress')
         AND NOT EXISTS (SELECT 1 FROM holodrive_conversation_participant p
         WHERE p.conversation_id = o.conversation_id AND p.user_id = o.driver_id)",
    ),
];

/// `$1` as above. An offer by the dispatcher to a driver who then had `$2` others; staff may make more.
const BEYOND_THE_LIMIT: &str = r#"SELECT b.id, b.driver_id FROM holodrive_offer b JOIN holodrive_order_event e
     ON e.order_id = b.order_id AND e.type = 'offered' AND e.actor_id IS NULL AND e.details LIKE '%"offer_id":' || b.id || '}'
     WHERE b.state = 'live' AND b.order_id >= $1 AND (SELECT COUNT(*) FROM holodrive_offer a
     WHERE a.driver_id = b.driver_id AND a.state = 'live' AND a.id < b.id) >= $2"#;

/// `$1` as above; `$2` is how many live offers an order may have.
const WIDTH: &str = "SELECT order_id FROM holodrive_offer WHERE state = 'live' AND order_id >= $1
     GROUP BY order_id HAVING COUNT(*) > $2";

/// Orders whose histories are read at once.
const REPLAYED_AT_ONCE: i64 = 5_000;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The first order.
    pub(super) from: OrderId,
    /// `ORDER_OFFERS_PER_DRIVER`.
    pub(super) offers_per_driver: u32,
    /// What the strategy allows.
    pub(super) offers_per_order: usize,
}

impl Look {
    /// Looks at everything.
    pub(super) fn at(orders: &Orders) -> Self {
        let offers_per_order = orders.rules.strategy.offers_per_order();
        Self { from: 0, offers_per_driver: orders.config.order_offers_per_driver, offers_per_order }
    }
}

/// What does not hold.
pub(super) fn violations(tx: &mut Tx<'_>, look: Look) -> Vec<String> {
    let mut found = Vec::new();
    for (name, sql) in QUERIES {
        let rows = tx.query(sql, &[look.from.into()]).unwrap();
        found.extend(rows.into_iter().map(|row| format!("{name}: {row:?}")));
    }
    let limits = [
        ("I1: more live offers of an order than it may have", WIDTH, look.offers_per_order.into()),
        ("I2: more offers of a driver than he may have", BEYOND_THE_LIMIT, i64::from(look.offers_per_driver).into()),
    ];
    for (name, sql, limit) in limits {
        let rows = tx.query(sql, &[look.from.into(), limit]).unwrap();
        found.extend(rows.into_iter().map(|row| format!("{name}: {row:?}")));
    }
    found.extend(replay_violations(tx, look.from));
    found
}

/// I6, I7: what is late at this moment, after the dispatcher had its turn.
pub(super) fn late(tx: &mut Tx<'_>) -> Vec<Row> {
    let sql = "SELECT id FROM holodrive_offer WHERE state = 'live' AND
         (expires_at <= $1 OR (unreachable_at <= $1 AND delivered_at IS NULL))
         UNION ALL SELECT id FROM holodrive_order WHERE status = 'searching' AND search_until <= $1";
    tx.query(sql, &[tx.now().into()]).unwrap()
}

/// I8: the history of each order, replayed, gives its status.
fn replay_violations(tx: &mut Tx<'_>, from: OrderId) -> Vec<String> {
    let last = tx.query_one("SELECT COALESCE(MAX(id), 0) FROM holodrive_order", &[]).unwrap().unwrap();
    let (mut first, last) = (from, last.first::<OrderId>().unwrap());
    let mut found = Vec::new();
    while first <= last {
        found.extend(replay(tx, first, first + REPLAYED_AT_ONCE));
        first += REPLAYED_AT_ONCE;
    }
    found
}

fn replay(tx: &mut Tx<'_>, from: OrderId, before: OrderId) -> Vec<String> {
    let sql =
        "SELECT o.id, o.status, e.type FROM holodrive_order o LEFT JOIN holodrive_order_event e ON e.order_id = o.id
         WHERE o.id >= $1 AND o.id < $2 ORDER BY o.id, e.id";
    let rows = tx.query(sql, &[from.into(), before.into()]).unwrap();
    let entries: Vec<_> = rows.into_iter().map(|row| entry(row.columns())).collect();
    entries.chunk_by(|(one, ..), (next, ..)| one == next).filter_map(|history| replay_one(history).err()).collect()
}

type Entry = (OrderId, String, Option<String>);

fn entry(mut row: Columns) -> Entry {
    (row.take().unwrap(), row.take().unwrap(), row.take().unwrap())
}

fn replay_one(history: &[Entry]) -> Result<(), String> {
    let (id, status, _) = &history[0];
    let mut at = Stand::default();
    for kind in history.iter().filter_map(|(.., kind)| kind.as_deref()) {
        at = at.after(kind).ok_or_else(|| format!("I8: order {id}: {kind} cannot follow {at:?}"))?;
    }
    let is_told = at.status == status && (at.live_offers > 0) == (status == "pending");
    if is_told { Ok(()) } else { Err(format!("I8: order {id} is {status}, its history says {at:?}")) }
}

/// Where an order stands by its history.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stand {
    pub(super) status: &'static str,
    live_offers: usize,
}

impl Stand {
    /// The table of transitions; `None` where there is none of that kind.
    pub(super) fn after(self, kind: &str) -> Option<Self> {
        let live_offers = match kind {
            "offered" => self.live_offers + 1,
            "accepted" | "offer_declined" | "offer_expired" | "offer_revoked" => self.live_offers.checked_sub(1)?,
            _ => self.live_offers,
        };
        let status = match (self.status, kind) {
            ("", "created") | ("accepted" | "arrived", "released" | "unassigned") => "searching",
            ("pending", "offer_declined" | "offer_expired" | "offer_revoked") if live_offers == 0 => "searching",
            ("searching" | "pending", "offered")
            | ("pending", "delivered" | "offer_declined" | "offer_expired" | "offer_revoked") => "pending",
            // Those who had it offered at the same time.
            ("pending", "accepted") | ("accepted", "offer_revoked") => "accepted",
            ("accepted", "arrived") | ("arrived", "wrong_pin") => "arrived",
            ("arrived", "started") => "in_progress",
            ("in_progress", "completed") => "completed",
            ("searching" | "accepted" | "arrived", "cancelled") => "cancelled",
            ("searching", "no_driver") => "no_driver",
            // A push changes nothing, and what came of it may be put down when the offer is over.
            (status, "pushed" | "push_failed") if !status.is_empty() => status,
            _ => return None,
        };
        Some(Self { status, live_offers })
    }
}
