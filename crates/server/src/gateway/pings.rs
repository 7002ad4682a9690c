/// Pings on their way, and what their pongs prove. A pong answers all pings before it, too.
#[derive(Debug, Default)]
pub(super) struct Pings {
    last: u64,
    answered: u64,
    /// What is to be proved, with the ping that does.
    receipts: Vec<(u64, i64)>,
}

impl Pings {
    /// The number of the next ping, whose pong proves this receipt.
    pub(super) fn begin(&mut self, receipt: Option<i64>) -> u64 {
        self.last += 1;
        self.receipts.extend(receipt.map(|receipt| (self.last, receipt)));
        self.last
    }

    /// The receipts that the pong of this ping proves; `None` where it answers no ping, or none again.
    pub(super) fn end(&mut self, number: u64) -> Option<Vec<i64>> {
        if number <= self.answered || number > self.last {
            return None;
        }
        self.answered = number;
        let proved = self.receipts.partition_point(|(ping, _)| *ping <= number);
        let proved = self.receipts.drain(..proved).map(|(_, receipt)| receipt).collect();
        if self.receipts.is_empty() {
            // A quiet connection keeps no room for what may never come.
            self.receipts = Vec::new();
        }
        Some(proved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_proves_everything_before_it_once_and_an_unasked_one_nothing() {
        let mut pings = Pings::default();
        assert_eq!(pings.end(0), None);
        assert_eq!(pings.end(1), None, "nobody asked");
        let (first, plain, second) = (pings.begin(Some(7)), pings.begin(None), pings.begin(Some(8)));
        assert_eq!(pings.end(plain), Some(vec![7]));
        assert_eq!(pings.end(first), None, "a later pong has answered it");
        assert_eq!(pings.end(second), Some(vec![8]));
        assert_eq!(pings.end(second), None, "once");
        assert_eq!(pings.end(u64::MAX), None);
    }
}
