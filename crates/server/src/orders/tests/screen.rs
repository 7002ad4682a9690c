use std::collections::BTreeSet;

use holodrive_protocol::OrderId;
use serde_json::Value;

/// What one connection of a driver shows. He is told of each offer once, and once of its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    pub(super) shown: BTreeSet<OrderId>,
    /// What he drives; the end of a trip that he ends himself is not told.
    pub(super) trip: Option<OrderId>,
}

impl Screen {
    pub(super) fn take(&mut self, message: &Value) {
        let order = || order_of(message);
        match message["type"].as_str().unwrap() {
            "connection_established" => {}
            "initial_orders" => {
                let orders = message["orders"].as_array().unwrap();
                self.shown.extend(orders.iter().map(|order| order["id"].as_i64().unwrap()));
            }
            "new_order" => assert!(self.shown.insert(order()), "I9: an offer is shown twice: {message}"),
            "active_ride_snapshot" => self.trip = Some(order()),
            "order_timeout" | "order_declined" => {
                assert!(self.shown.remove(&order()), "I9: the end of what was not shown: {message}");
            }
            "order_accepted" => {
                assert!(self.shown.remove(&order()), "I9: accepted, but not shown: {message}");
                self.trip = Some(order());
            }
            "order_cancelled" | "order_cancelled_by_rider" => {
                let known = self.shown.remove(&order()) || self.trip.take_if(|trip| *trip == order()).is_some();
                assert!(known, "I9: cancelled, but neither shown nor driven: {message}");
            }
            other => panic!("{other}"),
        }
    }
}

/// Which order a message is about.
pub(super) fn order_of(message: &Value) -> OrderId {
    message["order_id"].as_i64().or(message["order"]["id"].as_i64()).unwrap()
}
