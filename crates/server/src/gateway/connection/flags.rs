use std::sync::atomic::{AtomicU8, Ordering};

/// What is told without the lock.
#[derive(Default)]
pub(super) struct Flags(AtomicU8);

impl Flags {
    /// The carrier has been told, and has not looked yet.
    pub(super) const TOLD: u8 = 1;
    /// The credential was replaced, and the carrier has not looked yet.
    pub(super) const REAUTHENTICATED: u8 = 2;
    /// There is a reason to close.
    pub(super) const CLOSING: u8 = 4;

    pub(super) fn is_up(&self, flag: u8) -> bool {
        self.0.load(Ordering::Acquire) & flag != 0
    }

    /// Tells whether it was up before.
    pub(super) fn raise(&self, flag: u8) -> bool {
        self.0.fetch_or(flag, Ordering::AcqRel) & flag != 0
    }

    /// Tells whether it was up.
    pub(super) fn lower(&self, flag: u8) -> bool {
        self.0.fetch_and(!flag, Ordering::AcqRel) & flag != 0
    }
}
