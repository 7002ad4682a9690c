//! Several nodes on one database file, each a [`Storage`] of its own.

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::{
    clock::ManualClock,
    config::Config,
    storage::{Storage, StorageError, StorageOptions, TimeSource, Topic, Tx},
    telemetry::Metrics,
};

/// Longer than a node may be silent, and half of it.
const LONG: Duration = Duration::from_secs(62);
const HALF: Duration = Duration::from_secs(31);

struct Node {
    storage: Storage,
    clock: Arc<ManualClock>,
    topic: Arc<Topic<u32>>,
    heard: Arc<Mutex<Vec<u32>>>,
}

impl Node {
    /// A server on the database in this folder.
    async fn start(folder: &Path) -> Self {
        let node = Self::command(folder);
        node.storage.join(|_| Ok::<_, StorageError>(())).await.unwrap();
        node
    }

    /// Something that uses the database without being a node.
    fn command(folder: &Path) -> Self {
        let config = Config::for_tests(folder, &[]).unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00+00:00".parse().unwrap()));
        let options = StorageOptions { time: TimeSource::Given, ..StorageOptions::from(&config) };
        let storage = Storage::open(&options, clock.clone(), Arc::new(Metrics::new())).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let topic = Arc::new(storage.topic("numbers", move |number| ear.lock().push(number)));
        Self { storage, clock, topic, heard }
    }

    async fn say(&self, number: u32) {
        let topic = Arc::clone(&self.topic);
        let publish = move |tx: &mut Tx<'_>| {
            tx.publish(&topic, number);
            Ok::<_, StorageError>(())
        };
        self.storage.write(publish).await.unwrap();
    }

    /// What it has heard, once it has caught up.
    async fn heard(&self) -> Vec<u32> {
        self.storage.follow().await.unwrap();
        self.heard.lock().clone()
    }

    /// Time passes in which this node is seen, and others are not.
    async fn outlive_others(&self) {
        for _ in 0..2 {
            self.clock.advance(HALF);
            self.storage.attend().await.unwrap();
        }
    }

    async fn rows(&self) -> i64 {
        let count = |tx: &mut Tx<'_>| tx.query_one("SELECT COUNT(*) FROM holodrive_outbox", &[]);
        self.storage.read(count).await.unwrap().unwrap().first().unwrap()
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn all_nodes_hear_the_same_once_and_in_the_order_of_the_commits() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    let work = |node: &Node, numbers: std::ops::Range<u32>| {
        let (storage, topic) = (node.storage.clone(), Arc::clone(&node.topic));
        tokio::spawn(async move {
            for number in numbers {
                let topic = Arc::clone(&topic);
                let publish = move |tx: &mut Tx<'_>| {
                    tx.publish(&topic, number);
                    Ok::<_, StorageError>(())
                };
                storage.write(publish).await.unwrap();
            }
        })
    };
    let writers = [work(&a, 0..100), work(&a, 100..200), work(&b, 200..300), work(&b, 300..400)];
    for writer in writers {
        writer.await.unwrap();
    }
    let heard = a.heard().await;
    assert_eq!(heard, b.heard().await);
    let mut numbers = heard.clone();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..400).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_undone_is_told_to_nobody() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    let topic = Arc::clone(&a.topic);
    let regret = move |tx: &mut Tx<'_>| {
        tx.publish(&topic, 1);
        Err::<(), _>(StorageError::Unavailable)
    };
    a.storage.write(regret).await.unwrap_err();
    a.say(2).await;
    assert_eq!((a.heard().await, b.heard().await), (vec![2], vec![2]));
}

#[tokio::test]
async fn a_node_that_is_alone_leaves_no_rows() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    a.say(1).await;
    assert_eq!(a.rows().await, 1);
    b.storage.leave().await.unwrap();
    a.say(2).await;
    assert_eq!(a.rows().await, 1);
    assert_eq!(a.heard().await, [1, 2]);
}

#[tokio::test]
async fn commands_tell_the_nodes_and_hear_nothing_but_themselves() {
    let folder = folder();
    let (server, command) = (Node::start(folder.path()).await, Node::command(folder.path()));
    command.say(1).await;
    server.say(2).await;
    assert_eq!((server.heard().await, command.heard().await), (vec![1, 2], vec![1]));
}

#[tokio::test]
async fn who_joins_later_hears_only_what_comes_later() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    a.say(1).await;
    let late = Node::start(folder.path()).await;
    b.say(2).await;
    assert_eq!((late.heard().await, a.heard().await), (vec![2], vec![1, 2]));
}

#[tokio::test]
async fn rows_are_kept_until_every_node_has_published_them() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    a.say(1).await;
    a.storage.attend().await.unwrap();
    assert_eq!(a.rows().await, 1);
    assert_eq!(b.heard().await, [1]);
    b.storage.attend().await.unwrap();
    assert_eq!(a.rows().await, 0);
    a.say(2).await;
    assert_eq!(b.heard().await, [1, 2]);
}

#[tokio::test]
async fn nothing_is_kept_for_the_dead() {
    let folder = folder();
    let (a, dead) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    a.say(1).await;
    drop(dead);
    a.outlive_others().await;
    a.say(2).await;
    assert_eq!(a.rows().await, 0);
}

#[tokio::test]
async fn a_node_that_was_taken_for_dead_learns_that_it_missed_something() {
    let folder = folder();
    let (a, frozen) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    let misses = frozen.storage.misses();
    a.outlive_others().await;
    a.say(1).await;
    frozen.say(2).await;
    assert_eq!((*misses.borrow(), frozen.heard().await), (1, vec![2]));
    a.say(3).await;
    assert_eq!((frozen.heard().await, a.heard().await), (vec![2, 3], vec![1, 2, 3]));
}

#[tokio::test]
async fn nobody_is_taken_for_dead_by_who_was_not_seen_himself() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    a.clock.advance(LONG);
    a.storage.attend().await.unwrap();
    a.say(1).await;
    assert_eq!((*b.storage.misses().borrow(), b.heard().await), (0, vec![1]));
}

#[tokio::test]
async fn nor_by_who_has_much_to_forget_then() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    let many = |tx: &mut Tx<'_>| {
        for _ in 0..2_500 {
            tx.execute("INSERT INTO holodrive_outbox (events) VALUES ('[]')", &[])?;
        }
        Ok::<_, StorageError>(())
    };
    a.storage.write(many).await.unwrap();
    for node in [&a, &b] {
        node.say(1).await;
        node.storage.attend().await.unwrap();
    }
    a.storage.write(many).await.unwrap();
    b.say(2).await;
    a.clock.advance(LONG);
    a.storage.attend().await.unwrap();
    assert_eq!((*b.storage.misses().borrow(), b.heard().await), (0, vec![1, 1, 2]));
    a.say(3).await;
    assert_eq!((*b.storage.misses().borrow(), b.heard().await), (0, vec![1, 1, 2, 3]));
}

#[tokio::test]
async fn what_another_version_tells_is_passed_over() {
    let folder = folder();
    let (a, b) = (Node::start(folder.path()).await, Node::start(folder.path()).await);
    let (colours, words) = (a.storage.topic("colours", |_: String| {}), a.storage.topic("numbers", |_: String| {}));
    let publish = move |tx: &mut Tx<'_>| {
        tx.publish(&colours, "red".to_owned());
        tx.publish(&words, "one".to_owned());
        Ok::<_, StorageError>(())
    };
    a.storage.write(publish).await.unwrap();
    b.say(1).await;
    assert_eq!(b.heard().await, [1]);
}

#[tokio::test]
async fn a_node_that_could_not_join_at_its_start_joins_later_and_begins_anew() {
    let folder = folder();
    let (a, late) = (Node::start(folder.path()).await, Node::command(folder.path()));
    a.say(1).await;
    late.storage.attend().await.unwrap();
    a.say(2).await;
    assert_eq!((*late.storage.misses().borrow(), late.heard().await), (1, vec![2]));
}
