/// Pings on their way, and what their pongs prove. A pong answers all pings before it, too.
#[derive(Debug, Default)]
pub(super) struct Pings {
    last: u32,
    answered: u32,
    /// What is to be proved, with the ping that does; nothing but a pointer while there is nothing.
    #[expect(clippy::box_collection, reason = "hardly any connection has one at a time")]
    receipts: Option<Box<Vec<(u32, i64)>>>,
}

impl Pings {
    /// The number of the next ping, whose pong proves this receipt.
    pub(super) fn begin(&mut self, receipt: Option<i64>) -> u64 {
        self.last = self.last.wrapping_add(1);
        if let Some(receipt) = receipt {
            self.receipts.get_or_insert_default().push((self.last, receipt));
        }
        self.last.into()
    }

    /// The receipts that the pong of this ping proves; `None` where it answers no ping, or none again.
    pub(super) fn end(&mut self, number: u64) -> Option<Vec<i64>> {
        let number = u32::try_from(number).ok()?;
        let before = self.answered;
        // Numbers begin anew after the last one, so only what lies behind the last answer can be compared.
        let since = |ping: u32| ping.wrapping_sub(before);
        if since(number) == 0 || since(number) > since(self.last) {
            return None;
        }
        self.answered = number;
        let Some(receipts) = &mut self.receipts else { return Some(Vec::new()) };
        let proved = receipts.partition_point(|(ping, _)| since(*ping) <= since(number));
        let proved = receipts.drain(..proved).map(|(_, receipt)| receipt).collect();
        self.receipts.take_if(|receipts| receipts.is_empty());
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

    #[test]
    fn after_the_last_number_they_begin_anew() {
        let mut pings = Pings { last: u32::MAX - 1, answered: u32::MAX - 1, receipts: None };
        let (last, anew) = (pings.begin(Some(7)), pings.begin(Some(8)));
        assert_eq!((last, anew), (u32::MAX.into(), 0));
        assert_eq!(pings.end(last), Some(vec![7]));
        assert_eq!(pings.end(last), None, "once");
        assert_eq!(pings.end(anew), Some(vec![8]));
        assert_eq!(pings.end(1), None, "nobody asked");
    }
}
