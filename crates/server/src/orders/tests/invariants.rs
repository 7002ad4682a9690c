//! What must hold after every transaction.

use holodrive_protocol::OrderId;

use crate::storage::{Row, Tx};

/// Each query must give no rows.
const QUERIES: &[(&str, &str)] = &[
    (
        "I1: two live offers of one order",
        "SELECT order_id FROM holodrive_offer WHERE state = 'live' GROUP BY order_id HAVING COUNT(*) > 1",
    ),
    (
        "an offer by the dispatcher to a driver who gave the order back",
        r#"SELECT b.id FROM holodrive_offer a JOIN holodrive_offer b ON b.order_id = a.order_id AND b.driver_id = a.driver_id
         AND b.id > a.id WHERE a.state = 'released' AND EXISTS (SELECT 1 FROM holodrive_order_event e WHERE
         e.order_id = b.order_id AND e.type = 'offered' AND e.actor_id IS NULL
         AND e.details LIKE '%"offer_id":' || b.id || '}')"#,
    ),
    (
        "I2: a live offer of a driver on a trip",
        "SELECT f.id FROM holodrive_offer f JOIN holodrive_order o ON o.driver_id = f.driver_id
         WHERE f.state = 'live' AND o.status IN ('accepted', 'arrived', 'in_progress')",
    ),
    (
        "I3: a trip without exactly one accepted offer, of its driver",
        "SELECT o.id FROM holodrive_order o WHERE o.status IN ('accepted', 'arrived', 'in_progress', 'completed') AND
         ((SELECT COUNT(*) FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'accepted') <> 1 OR
          (SELECT COUNT(*) FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'accepted'
           AND f.driver_id = o.driver_id) <> 1)",
    ),
    (
        "I3: an accepted offer of an order that nobody has",
        "SELECT f.id FROM holodrive_offer f JOIN holodrive_order o ON o.id = f.order_id
         WHERE f.state = 'accepted' AND o.driver_id IS NULL",
    ),
    (
        "I4: two open trips of a driver",
        "SELECT driver_id FROM holodrive_order WHERE status IN ('accepted', 'arrived', 'in_progress')
         GROUP BY driver_id HAVING COUNT(*) > 1",
    ),
    (
        "I5: pending without a live offer, or a live offer of what is not pending",
        "SELECT o.id FROM holodrive_order o WHERE (o.status = 'pending') <>
         EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'live')",
    ),
    (
        "an offer that ended without a time, or is live with one",
        "SELECT id FROM holodrive_offer WHERE (state = 'live') = (ended_at IS NOT NULL)",
    ),
    (
        "a revoked offer without a reason, or another with one",
        "SELECT id FROM holodrive_offer WHERE (state = 'revoked') <> (reason IS NOT NULL)",
    ),
    (
        "an offer that was accepted after its deadline",
        "SELECT id FROM holodrive_offer WHERE state = 'accepted' AND ended_at >= expires_at",
    ),
    (
        "a driver who left the conversation of an order that he has not, or is missing from that of one that he has",
        "SELECT o.id FROM holodrive_order o WHERE o.status IN ('accepted', 'arrived', 'in_progress') AND NOT EXISTS
         (SELECT 1 FROM holodrive_conversation_participant p WHERE p.conversation_id = o.conversation_id
          AND p.user_id = o.driver_id)",
    ),
];

/// What does not hold.
pub(super) fn violations(tx: &mut Tx<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, sql) in QUERIES {
        let rows = tx.query(sql, &[]).unwrap();
        found.extend(rows.into_iter().map(|row| format!("{name}: {row:?}")));
    }
    found.extend(replay_violations(tx));
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
fn replay_violations(tx: &mut Tx<'_>) -> Vec<String> {
    let rows = tx.query("SELECT id, status FROM holodrive_order", &[]).unwrap();
    let orders = rows.into_iter().map(Row::columns).map(|mut row| (row.take().unwrap(), row.take().unwrap()));
    orders.filter_map(|(id, status): (OrderId, String)| replay(tx, id, &status).err()).collect()
}

fn replay(tx: &mut Tx<'_>, id: OrderId, status: &str) -> Result<(), String> {
    // A push changes nothing about an order, and what came of it may be put down when the offer is over.
    let sql = "SELECT type FROM holodrive_order_event WHERE order_id = $1 AND type NOT IN ('pushed', 'push_failed') ORDER BY id";
    let mut at = String::new();
    for row in tx.query(sql, &[id.into()]).unwrap() {
        let kind: String = row.first().unwrap();
        at = next(&at, &kind).ok_or_else(|| format!("I8: order {id}: {kind} cannot follow {at}"))?.to_owned();
    }
    if at == status { Ok(()) } else { Err(format!("I8: order {id} is {status}, its history says {at}")) }
}

/// The table of transitions.
pub(super) fn next(at: &str, kind: &str) -> Option<&'static str> {
    Some(match (at, kind) {
        ("", "created")
        | ("pending", "offer_declined" | "offer_expired" | "offer_revoked")
        | ("accepted" | "arrived", "released") => "searching",
        ("searching", "offered") | ("pending", "delivered") => "pending",
        ("pending", "accepted") => "accepted",
        ("accepted", "arrived") => "arrived",
        ("arrived", "started") => "in_progress",
        ("in_progress", "completed") => "completed",
        ("searching" | "accepted" | "arrived", "cancelled") => "cancelled",
        ("searching", "no_driver") => "no_driver",
        _ => return None,
    })
}
