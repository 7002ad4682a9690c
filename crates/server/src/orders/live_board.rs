use holodrive_protocol::{OrderId, Timestamp, UserId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::dispatch::{Board, Change, Point, Position, Rules};

/// The dispatcher's view, shared by all who tell it something.
pub(super) struct LiveBoard {
    board: Mutex<Board>,
    /// Wakes the dispatcher after the board changed.
    changed: Notify,
}

impl LiveBoard {
    pub(super) fn new(rules: Rules) -> Self {
        Self { board: Mutex::new(Board::new(rules)), changed: Notify::new() }
    }

    /// Takes in what the database holds.
    pub(super) fn apply(&self, change: Change) {
        self.update(|board| board.apply(change));
    }

    /// Changes the view and lets the dispatcher plan again.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Board) -> T) -> T {
        let result = change(&mut self.board.lock());
        self.changed.notify_one();
        result
    }

    /// A driver told where he is; gives the order that he drives. The dispatcher wakes only where he may get an order: this
    /// is by far the most frequent of all changes.
    pub(super) fn driver_moved(&self, driver_id: UserId, position: Position) -> Option<OrderId> {
        self.move_if(driver_id, position, |_| true)
    }

    /// As [`LiveBoard::driver_moved`], by way of the database or another node: counts only where nothing newer is known.
    pub(super) fn driver_told(&self, driver_id: UserId, position: Position, now: Timestamp) -> Option<OrderId> {
        self.move_if(driver_id, position, |board| is_news(board, driver_id, position, now))
    }

    fn move_if(&self, driver_id: UserId, position: Position, counts: impl FnOnce(&Board) -> bool) -> Option<OrderId> {
        let mut board = self.board.lock();
        let (trip, may_match) = if counts(&board) { board.driver_moved(driver_id, position) } else { (None, false) };
        drop(board);
        if may_match {
            self.changed.notify_one();
        }
        trip
    }

    /// Looks at the view, or plans by it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Board) -> T) -> T {
        look(&mut self.board.lock())
    }

    /// Waits until the view has changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Where a driver was last.
    pub(super) fn driver_at(&self, driver_id: UserId) -> Option<Point> {
        self.look(|board| board.position(driver_id)).map(|position| position.point)
    }
}

/// What was told in the future was told before the clock was set back: it must not silence anybody.
fn is_news(board: &Board, driver_id: UserId, position: Position, now: Timestamp) -> bool {
    let is_newer = |known: Position| known.at > now || known.at <= position.at && known != position;
    board.position(driver_id).is_none_or(is_newer)
}
