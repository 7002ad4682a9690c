//! What the clients do while the server is counted: one thing at a time, always the same.

use std::ops::Add;

use anyhow::Context;
use holodrive_protocol::{
    chat::ChatClientMessage,
    coordinate::{Latitude, Longitude},
    driver::DriverClientMessage,
};

use crate::{
    chat::open_room,
    site::{Member, Site},
    socket::{Socket, connect_all},
};

/// Who hears that somebody is typing.
pub(super) const LISTENERS: u64 = 9;
/// Positions that arrive together, and a `ping` behind them.
pub(super) const BATCH: u64 = 10;
/// Users to connect as; more than ever do.
const USERS: usize = 500;
const NOTIFICATIONS: &str = "/ws/notifications/";

/// How much is done.
#[derive(Clone, Copy)]
pub(super) struct Amounts {
    /// Connections that come, stay, and leave.
    pub(super) connections: usize,
    /// `typing` in a conversation of one more than [`LISTENERS`].
    pub(super) typing: usize,
    /// Stored messages in a conversation of two.
    pub(super) messages: usize,
    /// Batches of [`BATCH`] positions.
    pub(super) batches: usize,
}

impl Amounts {
    pub(super) const NONE: Self = Self { connections: 0, typing: 0, messages: 0, batches: 0 };
    /// Whatever is made once is made by so much.
    pub(super) const SOME: Self = Self { connections: 20, typing: 20, messages: 20, batches: 20 };

    pub(super) const fn total(self) -> u64 {
        (self.connections + self.typing + self.messages + self.batches) as u64
    }
}

impl Add for Amounts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            connections: self.connections + more.connections,
            typing: self.typing + more.typing,
            messages: self.messages + more.messages,
            batches: self.batches + more.batches,
        }
    }
}

/// Everybody who takes part; the same in each run.
pub(super) struct Crowd {
    users: Vec<Member>,
    room: Vec<Member>,
    pair: Vec<Member>,
    driver: Member,
}

impl Crowd {
    pub(super) async fn join(site: &Site) -> anyhow::Result<Self> {
        let users = site.add_members("user", USERS, None).await?;
        let room = site.add_members("member", 1 + usize::try_from(LISTENERS)?, None).await?;
        let pair = site.add_members("friend", 2, None).await?;
        let driver = site.add_members("driver", 1, Some("Driver")).await?.pop().context("no driver")?;
        Ok(Self { users, room, pair, driver })
    }

    pub(super) async fn work(&self, address: &str, amounts: Amounts) -> anyhow::Result<()> {
        self.come_and_go(address, amounts.connections).await?;
        self.type_on(address, amounts.typing).await?;
        self.write(address, amounts.messages).await?;
        self.drive(address, amounts.batches).await
    }

    async fn come_and_go(&self, address: &str, count: usize) -> anyhow::Result<()> {
        let mut open = Vec::with_capacity(count);
        for user in self.users.get(..count).context("too few users")? {
            open.push(Socket::connect(address, NOTIFICATIONS, &user.token).await?);
        }
        for socket in open {
            socket.close().await?;
        }
        Ok(())
    }

    async fn type_on(&self, address: &str, count: usize) -> anyhow::Result<()> {
        let path = format!("/ws/chat/{}/", open_room(address, &self.room).await?);
        let mut sockets = connect_all(address, &path, &self.room).await?;
        let (typist, listeners) = sockets.split_first_mut().context("an empty room")?;
        for number in 0..count {
            typist.send(&ChatClientMessage::Typing { is_typing: number.is_multiple_of(2) }).await?;
            for listener in &mut *listeners {
                listener.wait_for("typing").await?;
            }
        }
        Ok(())
    }

    async fn write(&self, address: &str, count: usize) -> anyhow::Result<()> {
        let path = format!("/ws/chat/{}/", open_room(address, &self.pair).await?);
        let mut sockets = connect_all(address, &path, &self.pair).await?;
        let (writer, readers) = sockets.split_first_mut().context("an empty room")?;
        let reader = readers.first_mut().context("nobody reads")?;
        let mut bell = Socket::connect(address, NOTIFICATIONS, &self.pair[1].token).await?;
        for number in 0..count {
            let (message, client_id) = (MESSAGE.to_owned(), Some(format!("message-{number:06}")));
            writer.send(&ChatClientMessage::ChatMessage { message, client_id }).await?;
            writer.wait_for("chat_message").await?;
            reader.wait_for("chat_message").await?;
            bell.wait_for("notification").await?;
        }
        Ok(())
    }

    async fn drive(&self, address: &str, batches: usize) -> anyhow::Result<()> {
        let mut driver = Socket::connect(address, "/ws/driver/orders/", &self.driver.token).await?;
        for batch in 0..batches as u64 {
            for number in 0..BATCH {
                driver.hold(&position(batch * BATCH + number)?).await?;
            }
            driver.settle().await?;
        }
        Ok(())
    }
}

const MESSAGE: &str = "I am at the corner, next to the pharmacy, in the white car";

/// Some steps further each time.
fn position(step: u64) -> anyhow::Result<DriverClientMessage> {
    let steps = i64::try_from(step)?;
    let latitude = Latitude::from_microdegrees(41_300_000 + steps * 10).context("no such latitude")?;
    let longitude = Longitude::from_microdegrees(69_200_000 + steps * 10).context("no such longitude")?;
    Ok(DriverClientMessage::Location { latitude, longitude })
}
