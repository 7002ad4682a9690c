//! How people of the demo talk.

use std::time::Duration;

use holodrive_client::{Api, ChatSocket, Event};
use holodrive_protocol::{
    ConversationId, UserId,
    chat::{ChatClientMessage, ChatMessage, ChatServerMessage},
};
use tokio::time::{sleep, timeout};

use super::dice::Dice;

/// How long somebody stays in a conversation.
const STAY: Duration = Duration::from_mins(3);

/// What somebody has to say.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    /// Said first, by who begins.
    pub(super) openings: &'static [&'static str],
    /// Said when the other has spoken.
    pub(super) answers: &'static [&'static str],
    /// How many answers, so that a conversation ends.
    pub(super) most: u32,
}

/// Somebody in one conversation.
pub(super) struct Talker {
    pub(super) api: Api,
    pub(super) me: UserId,
    pub(super) lines: Lines,
    pub(super) dice: Dice,
}

impl Talker {
    /// Talks until everything is said or nobody listens any more. `since` is the last message that is already answered.
    pub(super) async fn talk(mut self, conversation: ConversationId, begins: bool, since: Option<i64>) {
        let socket = self.api.chat(conversation);
        let mut socket = since.into_iter().fold(socket, holodrive_client::SocketBuilder::since).connect();
        let opening = if begins { self.dice.pick(self.lines.openings) } else { None };
        if let Some(opening) = opening {
            self.say(&socket, opening).await;
        }
        // Ends with the time, whatever is left to say.
        let _ = timeout(STAY, self.answer(&mut socket)).await;
        socket.close().await;
    }

    async fn answer(&mut self, socket: &mut ChatSocket) {
        let mut left = self.lines.most;
        while left > 0 {
            match socket.next().await {
                Event::Message(ChatServerMessage::ChatMessage(message)) if message.sender_id != self.me => {
                    left -= 1;
                    self.reply(socket, &message).await;
                }
                Event::Ended(_) => return,
                _ => {}
            }
        }
    }

    async fn reply(&mut self, socket: &ChatSocket, message: &ChatMessage) {
        sleep(self.dice.seconds(0.5..2.0)).await;
        send(socket, &ChatClientMessage::ReadMessage { message_id: message.message_id });
        if let Some(answer) = self.dice.pick(self.lines.answers) {
            self.say(socket, answer).await;
        }
    }

    async fn say(&mut self, socket: &ChatSocket, text: &str) {
        send(socket, &ChatClientMessage::Typing { is_typing: true });
        sleep(self.dice.seconds(1.0..4.0)).await;
        send(socket, &ChatClientMessage::Typing { is_typing: false });
        send(socket, &ChatClientMessage::ChatMessage { message: text.to_owned(), client_id: None });
    }
}

/// What cannot be said now is not said.
fn send(socket: &ChatSocket, message: &ChatClientMessage) {
    if let Err(error) = socket.send(message) {
        tracing::debug!(%error, "demo: not said");
    }
}
