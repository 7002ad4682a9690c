use super::{Round, Strategy};

/// Whoever is new is matched at once: a new order with the nearest driver, or as many as it may be
/// offered to, and a free driver with the best of the orders that wait.
#[derive(Debug)]
pub(super) struct Immediate;

impl Strategy for Immediate {
    fn choose(&self, round: &mut Round<'_>) {
        for order_id in round.orders() {
            while let Some(nearest) = round.drivers_for(order_id, 1).pop() {
                round.ask(nearest);
            }
        }
        for driver_id in round.drivers() {
            while let Some(best) = round.orders_for(driver_id, 1).pop() {
                round.ask(best);
            }
        }
    }
}
