//! Support: answers whoever asks.

use std::time::Duration;

use holodrive_client::{Api, Event, NotificationsSocket, PageOf};
use holodrive_protocol::{
    ConversationId, UserId,
    chat::{Conversation, ConversationKind},
    notifications::{NotificationsClientMessage, NotificationsServerMessage},
};
use tokio::{task::JoinSet, time::sleep};

use super::{
    chat::{Lines, Talker},
    dice::Dice,
    people,
};

const LINES: Lines = Lines {
    openings: &["Assalomu alaykum! How can we help you?", "Hello, this is support. One moment, I am looking it up."],
    answers: &[
        "Thank you, we will look after it.",
        "I have told the driver. Anything else?",
        "It is done. Have a good trip!",
        "I am sorry about that. The money comes back to you within a day.",
    ],
    most: 4,
};

/// How often to look for questions that nobody answered: they come from before a restart.
const LOOK_EVERY: Duration = Duration::from_secs(30);

struct Support {
    api: Api,
    dice: Dice,
    me: UserId,
    talks: JoinSet<ConversationId>,
    busy_with: Vec<ConversationId>,
}

/// Works until it is dropped.
pub(super) async fn run(api: Api, dice: Dice) {
    let me = people::who_am_i(&api).await;
    let mut socket = api.notifications().connect();
    let mut support = Support { api, dice, me, talks: JoinSet::new(), busy_with: Vec::new() };
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            event = socket.next() => match event {
                Event::Ended(reason) => return tracing::warn!(%reason, "demo: support has left"),
                event => support.on_event(&socket, event).await,
            },
            _ = look.tick() => support.look_for_questions().await,
            Some(Ok(done)) = support.talks.join_next() => support.busy_with.retain(|busy| *busy != done),
        }
    }
}

impl Support {
    async fn on_event(&mut self, socket: &NotificationsSocket, event: Event<NotificationsServerMessage>) {
        let Event::Message(NotificationsServerMessage::Notification { notification }) = event else { return };
        if notification.notification_type == "chat_message" {
            self.look_for_questions().await;
            let read = NotificationsClientMessage::MarkAsRead { notification_id: notification.id };
            if let Err(error) = socket.send(&read) {
                tracing::debug!(%error, "demo: not marked as read");
            }
        }
    }

    /// Joins every support conversation whose last word is not support's.
    async fn look_for_questions(&mut self) {
        match self.api.conversations(&PageOf::default()).await {
            Ok(page) => page.results.iter().for_each(|conversation| self.join(conversation)),
            Err(error) => tracing::debug!(%error, "demo: support sees no conversations"),
        }
    }

    fn join(&mut self, conversation: &Conversation) {
        let Some(last) = &conversation.last_message else { return };
        let waits = conversation.kind == ConversationKind::Support && !last.is_from_support;
        if !waits || self.busy_with.contains(&conversation.id) {
            return;
        }
        self.busy_with.push(conversation.id);
        let (id, since) = (conversation.id, last.message_id);
        let talker = Talker { api: self.api.clone(), me: self.me, lines: LINES, dice: self.dice.split() };
        let pause = self.dice.seconds(1.0..4.0);
        self.talks.spawn(async move {
            sleep(pause).await;
            talker.talk(id, true, Some(since)).await;
            id
        });
    }
}
