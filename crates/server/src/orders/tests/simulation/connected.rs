use std::sync::Arc;

use super::super::{screen::Screen, town::Town};
use crate::{accounts::User, gateway::testing::Peer};

/// One connection of a driver.
pub(super) struct Connected {
    pub(super) node: usize,
    pub(super) driver: usize,
    pub(super) peer: Peer,
    pub(super) screen: Screen,
}

impl Connected {
    pub(super) async fn new(node: usize, driver: usize, town: &Town, user: &Arc<User>) -> Self {
        Self { node, driver, peer: town.connect(user).await, screen: Screen::default() }
    }

    /// Takes in what has arrived, and tells it.
    pub(super) fn look(&mut self) -> Vec<String> {
        let messages = self.peer.heard();
        for message in &messages {
            self.screen.take(message);
        }
        let (node, driver) = (self.node, self.driver);
        messages.into_iter().map(|message| format!("    {node} driver {driver} hears {message}")).collect()
    }
}
