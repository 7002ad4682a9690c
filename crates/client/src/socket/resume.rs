//! Where a reader stands in a stream of ids.

/// The last id seen. Ids grow in the order of the stream, so whatever is not higher has been seen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resume {
    last: Option<i64>,
}

impl Resume {
    pub(super) const fn since(last: Option<i64>) -> Self {
        Self { last }
    }

    /// The value of `?since=`.
    pub(super) const fn last(self) -> Option<i64> {
        self.last
    }

    /// Whether a message is new; it counts as seen from now on. Messages without an id always are.
    pub(super) fn admit(&mut self, id: Option<i64>) -> bool {
        let new = id.is_none() || self.last < id;
        if new && id.is_some() {
            self.last = id;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_admitted_once_and_what_has_no_id_always() {
        let mut resume = Resume::since(None);
        let admitted = [Some(4), None, Some(4), Some(3), Some(9), None].map(|id| resume.admit(id));
        assert_eq!(admitted, [true, true, false, false, true, true]);
        assert_eq!(resume.last(), Some(9));
    }

    #[test]
    fn since_counts_as_seen() {
        let mut resume = Resume::since(Some(7));
        assert_eq!([7, 8].map(|id| resume.admit(Some(id))), [false, true]);
    }
}
