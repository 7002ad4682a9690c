//! Whoever is notified through whatever door, and whatever is read meanwhile: somebody who comes, goes and comes back sees
//! every notification once and in order, and of the time when he is there every one that is read.

use std::{ops::RangeInclusive, sync::Arc};

use holodrive_protocol::{UserId, notifications::NotificationStatus::Unread};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{super::NotificationEvent, new, notify};
use crate::{
    accounts::User,
    gateway::testing::message_of,
    storage::{Row, StorageError, Tx},
    testing::{Log, Site, on_threads},
};

/// The title of the last notification.
const END: &str = "The end";

#[derive(Clone, Debug)]
enum Action {
    /// Notifies, with a title of this length.
    Notify(usize),
    /// A chat message of this length, which notifies.
    Chat(usize),
    /// Marks the newest unread notifications but so many.
    MarkRead(i64),
    MarkAllRead,
    /// Notifies and marks all as read, but is undone before the commit.
    Undone,
}

/// How one case runs.
#[derive(Debug, Clone)]
struct Plan {
    /// How many notifications there are before anybody comes.
    backlog: usize,
    writers: Vec<Vec<Action>>,
    /// For each reader, how many messages he reads on each of his connections before he hangs up.
    readers: Vec<Vec<usize>>,
    /// Room in the queues of connections.
    outbound_limit: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let action = prop_oneof![
        4 => (1..300_usize).prop_map(Action::Notify),
        3 => (1..300_usize).prop_map(Action::Chat),
        4 => (0..3_i64).prop_map(Action::MarkRead),
        1 => Just(Action::MarkAllRead),
        1 => Just(Action::Undone),
    ];
    let writers = prop::collection::vec(prop::collection::vec(action, 20..70), 1..5);
    let readers = prop::collection::vec(prop::collection::vec(0..40_usize, 0..8), 1..5);
    let outbound_limit = prop_oneof![Just(600_usize), 1_000..20_000_usize, Just(1 << 20)];
    (150..300_usize, writers, readers, outbound_limit).prop_map(|(backlog, writers, readers, outbound_limit)| Plan {
        backlog,
        writers,
        readers,
        outbound_limit,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_who_resumes_sees_every_notification_once_and_hears_what_is_read(plan in plan()) {
        on_threads(run(plan));
    }
}

struct Scene {
    site: Site,
    ann: Arc<User>,
    bob: Arc<User>,
    conversation: i64,
    /// What is published for Bob.
    log: Log<UserId, NotificationEvent>,
}

async fn run(plan: Plan) {
    let scene = Arc::new(Scene::new(&plan).await);
    let writers: JoinSet<_> = plan.writers.into_iter().map(|actions| write(Arc::clone(&scene), actions)).collect();
    let readers: JoinSet<_> = plan.readers.into_iter().map(|visits| read(Arc::clone(&scene), visits)).collect();
    writers.join_all().await;
    scene.act(Action::MarkAllRead).await;
    notify(&scene.site, &scene.bob, END).await;
    let readers = readers.join_all().await;
    let log = scene.check_log().await;
    for visits in readers {
        let seen: Vec<_> = visits.iter().flat_map(Visit::seen).collect();
        assert_eq!(seen, log.iter().filter_map(Told::stored).collect::<Vec<_>>());
        for visit in &visits {
            visit.check(&log);
        }
    }
}

async fn write(scene: Arc<Scene>, actions: Vec<Action>) {
    for action in actions {
        scene.act(action).await;
    }
}

impl Scene {
    async fn new(plan: &Plan) -> Self {
        let site = Site { outbound_limit: Some(plan.outbound_limit), ..Site::new() };
        let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
        let conversation = site.conversation(&[&ann, &bob]).await;
        let log = Log::of(site.notifications.hub(), bob.id);
        let (notifications, backlog) = (Arc::clone(&site.notifications), vec![bob.id; plan.backlog]);
        site.write(move |tx| notifications.notify(tx, &backlog, new("Old"))).await;
        Self { site, ann, bob, conversation, log }
    }

    async fn act(&self, action: Action) {
        let (site, notifications, user_id) = (&self.site, Arc::clone(&self.site.notifications), self.bob.id);
        match action {
            Action::Notify(length) => _ = notify(site, &self.bob, &"x".repeat(length)).await,
            Action::Chat(length) => {
                let peer = site.try_chat(&self.ann, self.conversation, None).await.unwrap();
                peer.say(json!({"type": "chat_message", "message": "x".repeat(length)})).await;
            }
            Action::MarkRead(but) => {
                let unread = move |tx: &mut Tx<'_>| notifications.list(tx, user_id, i64::MAX, Some(Unread), but + 1);
                if let Some(last) = site.write(unread).await.last() {
                    let peer = site.notifications(&self.bob, None).await;
                    peer.say(json!({"type": "mark_as_read", "notification_id": last.id})).await;
                }
            }
            Action::MarkAllRead => _ = site.write(move |tx| notifications.mark_all_read(tx, user_id)).await,
            Action::Undone => {
                let undone = site.storage.write(move |tx| {
                    notifications.notify(tx, &[user_id], new("Lost"))?;
                    notifications.mark_all_read(tx, user_id)?;
                    Err::<(), _>(StorageError::Unavailable)
                });
                assert!(undone.await.is_err());
            }
        }
    }

    /// What was published is what the table holds: each notification once and in order, and once that it was read.
    async fn check_log(&self) -> Vec<Told> {
        let messages = self.log.events().into_iter().map(|event| message_of(&event.frame));
        let log: Vec<_> = messages.filter_map(|message| Told::of(&message)).collect();
        let ids = async |condition: &str| -> Vec<i64> {
            let sql = format!("SELECT id FROM holodrive_notification WHERE {condition} AND user_id = $1 ORDER BY id");
            let user_id = self.bob.id;
            self.site.write(move |tx| tx.query(&sql, &[user_id.into()])?.into_iter().map(Row::first).collect()).await
        };
        assert_eq!(log.iter().filter_map(Told::stored).collect::<Vec<_>>(), ids("TRUE").await);
        let mut read: Vec<_> = log.iter().filter_map(Told::read).collect();
        read.sort_unstable();
        assert_eq!(read, ids("read_at IS NOT NULL").await);
        log
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Stored(i64),
    Read(i64),
}

impl Told {
    fn of(message: &Value) -> Option<Self> {
        match message["type"].as_str().unwrap() {
            "notification" => message["notification"]["id"].as_i64().map(Self::Stored),
            "notification_read" => message["notification_id"].as_i64().map(Self::Read),
            _ => None,
        }
    }

    fn stored(&self) -> Option<i64> {
        if let Self::Stored(id) = self { Some(*id) } else { None }
    }

    fn read(&self) -> Option<i64> {
        if let Self::Read(id) = self { Some(*id) } else { None }
    }
}

/// Reads as long as each visit lasts, then up to the last notification.
async fn read(scene: Arc<Scene>, limits: Vec<usize>) -> Vec<Visit> {
    let (mut visits, mut last) = (Vec::<Visit>::new(), 0);
    for limit in limits.into_iter().chain(std::iter::repeat(usize::MAX)) {
        let visit = Visit::of(&scene, last, limit).await;
        last = visit.seen().last().unwrap_or(last);
        visits.push(visit);
        if visits.last().is_some_and(|visit| visit.ended) {
            break;
        }
    }
    visits
}

/// One connection of a reader.
#[derive(Debug)]
struct Visit {
    /// The last notification that he had before.
    since: i64,
    /// How much of the log there was before he subscribed, and when he had.
    subscribed: RangeInclusive<usize>,
    /// The ids of the replay, each with its status.
    replay: Vec<(i64, String)>,
    /// What came after it.
    live: Vec<Told>,
    /// Whether the last notification came.
    ended: bool,
}

impl Visit {
    /// Ends with the last notification, when enough is read, or when the connection is closed.
    async fn of(scene: &Scene, since: i64, limit: usize) -> Self {
        let before = scene.log.len();
        let mut peer = scene.site.notifications(&scene.bob, Some(since)).await;
        let subscribed = before..=scene.log.len();
        let mut visit = Self { since, subscribed, replay: Vec::new(), live: Vec::new(), ended: false };
        let mut resumed = false;
        while visit.replay.len() + visit.live.len() < limit
            && !visit.ended
            && let Some(message) = peer.next().await
        {
            let notification = &message["notification"];
            visit.ended = notification["title"] == END;
            match Told::of(&message) {
                Some(Told::Stored(id)) if !resumed => {
                    visit.replay.push((id, notification["status"].as_str().unwrap().to_owned()));
                }
                told => visit.live.extend(told),
            }
            resumed |= message["type"] == "resumed";
        }
        peer.hang_up().await;
        visit
    }

    fn seen(&self) -> impl Iterator<Item = i64> {
        self.replay.iter().map(|(id, _)| *id).chain(self.live.iter().filter_map(Told::stored))
    }

    /// What came live is what was published since he subscribed, without what he had.
    fn check(&self, log: &[Told]) {
        let last = self.replay.last().map_or(self.since, |(id, _)| *id);
        let is_new = |told: &&Told| told.stored().is_none_or(|id| id > last);
        let follows = |start: usize| log[start..].iter().filter(is_new).take(self.live.len()).eq(&self.live);
        assert!(self.subscribed.clone().any(follows), "{self:#?} is no part of {log:?}");
        for (id, status) in &self.replay {
            let position = log.iter().position(|told| *told == Told::Read(*id));
            match status.as_str() {
                "read" => assert!(position.is_some(), "{id} was never read"),
                _ => assert!(position.is_none_or(|at| at >= *self.subscribed.start()), "{id} had been read before"),
            }
        }
    }
}
