use super::{super::round::Candidate, PARTNERS, Round, Strategy};

/// Whoever is new is matched at once: a new order with the nearest driver, or as many as it may be
/// offered to, and a free driver with the best of the orders that wait.
#[derive(Debug)]
pub(super) struct Immediate {
    pub(super) offers_per_order: usize,
}

impl Strategy for Immediate {
    fn offers_per_order(&self) -> usize {
        self.offers_per_order
    }

    fn choose(&self, round: &mut Round<'_>) {
        for order_id in round.orders() {
            while let Some(nearest) = round.drivers_for(order_id, 1).pop() {
                round.ask(&[nearest]);
            }
        }
        // Of several who are free for the same order the one for whom it is best has it, not the one who is looked at first.
        let mut pairs: Vec<_> =
            round.drivers().into_iter().flat_map(|driver_id| round.orders_for(driver_id, PARTNERS)).collect();
        Candidate::sort(&mut pairs);
        for pair in &pairs {
            if round.still_suits(pair) {
                round.ask(std::slice::from_ref(pair));
            }
        }
        round.put_back(&pairs);
    }
}
