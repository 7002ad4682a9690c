/// What the server counts.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// A transaction with that many writes is about to be committed.
    pub fn commit_batch(&self, _writes: usize) {}

    /// A commit failed.
    pub fn commit_failed(&self) {}

    /// A handshake was refused, or ended right after it.
    pub fn handshake_refused(&self, _endpoint: &'static str, _reason: &str) {}

    /// A connection is open.
    pub fn connection_opened(&self, _endpoint: &'static str) {}

    /// A connection is gone.
    pub fn connection_closed(&self, _endpoint: &'static str, _code: u16) {}
}
