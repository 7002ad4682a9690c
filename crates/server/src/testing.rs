//! The parts of a server over a database of its own, for the tests of features.

use std::{hash::Hash, sync::Arc, thread, time::Duration};

use holodrive_protocol::{ConversationId, UserId};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::{
    accounts::{Accounts, AccountsOptions, User},
    chat::{Chat, ChatEndpoint},
    clock::SystemClock,
    config::Config,
    fanout::{Hub, Sequenced, Subscriber, Subscription},
    gateway::{Close, Opening, testing::Peer},
    hooks::Hooks,
    notifications::{Notifications, NotificationsEndpoint},
    storage::{Storage, StorageError, StorageOptions, Tx},
    telemetry::Metrics,
};

pub(crate) struct Site {
    pub(crate) storage: Storage,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) notifications: Arc<Notifications>,
    pub(crate) chat: Arc<Chat>,
    /// Room in the queues of connections, in bytes.
    pub(crate) outbound_limit: Option<usize>,
    pub(crate) chat_endpoint: Arc<ChatEndpoint>,
    pub(crate) notifications_endpoint: Arc<NotificationsEndpoint>,
    pub(crate) _folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::for_tests(folder.path(), settings).unwrap();
        let options = StorageOptions::from(&config);
        let storage = Storage::open(&options, Arc::new(SystemClock), Arc::new(Metrics::new())).unwrap();
        let accounts = Arc::new(Accounts::new(storage.clone(), AccountsOptions::from(&config)).unwrap());
        let hooks = Hooks::new(&config, Arc::new(SystemClock), Arc::new(Metrics::new())).unwrap();
        let notifications = Notifications::new(storage.clone(), hooks.mark_as_read);
        let chat = Chat::new(storage.clone(), Arc::clone(&accounts), Arc::clone(&notifications), hooks.chat);
        Self {
            storage,
            accounts,
            chat_endpoint: ChatEndpoint::new(Arc::clone(&chat)),
            notifications_endpoint: NotificationsEndpoint::new(Arc::clone(&notifications)),
            notifications,
            chat,
            outbound_limit: Some(1 << 20),
            _folder: folder,
        }
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.write(job).await.unwrap()
    }

    /// An active user called `First Last`, with the login name `first`.
    pub(crate) async fn user(&self, first: &str, last: &str) -> Arc<User> {
        self.add_user(first, last, false).await
    }

    pub(crate) async fn staff(&self, first: &str, last: &str) -> Arc<User> {
        self.add_user(first, last, true).await
    }

    async fn add_user(&self, first: &str, last: &str, is_staff: bool) -> Arc<User> {
        let sql = "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                   date_joined) VALUES ('!', FALSE, $1, $2, $3, '', $4, TRUE, '2026-01-01 00:00:00') RETURNING id";
        let params = [first.to_lowercase().into(), first.into(), last.into(), is_staff.into()];
        let id: UserId = self.write(move |tx| tx.query_one(sql, &params)?.unwrap().first()).await;
        self.accounts.user_by_id(id).await.unwrap().unwrap()
    }

    /// A conversation of these users.
    pub(crate) async fn conversation(&self, users: &[&Arc<User>]) -> ConversationId {
        let (chat, ids) = (Arc::clone(&self.chat), users.iter().map(|user| user.id).collect::<Vec<_>>());
        self.write(move |tx| Ok(chat.open_direct_conversation(tx, &ids, None)?.id)).await
    }

    /// A connection to `/ws/notifications/`, before its first message.
    pub(crate) async fn notifications(&self, user: &Arc<User>, since: Option<i64>) -> Peer {
        let opening = Opening { object_id: 0, since };
        let endpoint = &*self.notifications_endpoint;
        Peer::connect(endpoint, user, &self.accounts, opening, self.outbound_limit).await.unwrap()
    }

    /// A connection to `/ws/chat/{id}/`, before its first message.
    pub(crate) async fn try_chat(
        &self,
        user: &Arc<User>,
        id: ConversationId,
        since: Option<i64>,
    ) -> Result<Peer, Close> {
        let opening = Opening { object_id: id, since };
        Peer::connect(&*self.chat_endpoint, user, &self.accounts, opening, self.outbound_limit).await
    }

    /// A connection to `/ws/chat/{id}/`, after its first message.
    pub(crate) async fn chat(&self, user: &Arc<User>, id: ConversationId) -> Peer {
        let mut peer = self.try_chat(user, id, None).await.unwrap();
        peer.hear_type("connection_established").await;
        peer
    }
}

/// Runs a test on two threads, so that its tasks meet each other anywhere.
pub(crate) fn on_threads<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

/// Everything that is published on a topic from now on, in order: what connections are told is held against it.
pub(crate) struct Log<K: Copy + Eq + Hash, E: Sequenced>(Subscription<K, E, Events<E>>);

pub(crate) struct Events<E>(Mutex<Vec<E>>);

impl<E: Sequenced + Clone> Subscriber<E> for Events<E> {
    /// Slow now and then, so that others read a commit before they hear of it.
    fn deliver(&self, event: &E) {
        let mut events = self.0.lock();
        events.push(event.clone());
        let is_slow = events.len().is_multiple_of(8);
        drop(events);
        if is_slow {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn lost(&self) {
        unreachable!("the gate is open from the start");
    }
}

impl<K: Copy + Eq + Hash + Send + Sync + 'static, E: Sequenced + Clone> Log<K, E> {
    pub(crate) fn of(hub: &Arc<Hub<K, E>>, key: K) -> Self {
        let subscription = hub.subscribe(key, Events(Mutex::default()));
        subscription.open(i64::MIN).unwrap();
        Self(subscription)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.subscriber().0.lock().len()
    }

    pub(crate) fn events(&self) -> Vec<E> {
        self.0.subscriber().0.lock().clone()
    }
}
