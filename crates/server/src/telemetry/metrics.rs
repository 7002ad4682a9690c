/// What the server counts.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// A transaction with that many writes is about to be committed.
    pub fn commit_batch(&self, _writes: usize) {}

    /// A commit failed.
    pub fn commit_failed(&self) {}
}
