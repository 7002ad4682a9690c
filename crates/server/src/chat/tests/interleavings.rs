//! Whoever writes while somebody comes, goes and comes back: he sees every message once and in order.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    accounts::User,
    gateway::testing::Peer,
    testing::{Site, on_threads},
};

/// How one case runs.
#[derive(Debug, Clone)]
struct Plan {
    /// For each writer, the sizes of his messages.
    writers: Vec<Vec<usize>>,
    /// For each reader, how many messages he reads on each of his connections before he hangs up.
    readers: Vec<Vec<usize>>,
    /// Room in the queues of connections.
    outbound_limit: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let writers = prop::collection::vec(prop::collection::vec(1_usize..300, 1..60), 1..5);
    let readers = prop::collection::vec(prop::collection::vec(0_usize..40, 0..6), 1..4);
    let outbound_limit = prop_oneof![Just(600_usize), 1_000_usize..20_000, Just(1 << 20)];
    (writers, readers, outbound_limit).prop_map(|(writers, readers, outbound_limit)| Plan {
        writers,
        readers,
        outbound_limit,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_who_resumes_sees_every_message_once_and_in_order(plan in plan()) {
        let (stored, seen) = on_threads(run(plan));
        for ids in seen {
            prop_assert_eq!(&ids, &stored);
        }
    }
}

/// What was stored, and what each reader saw in all.
async fn run(plan: Plan) -> (Vec<i64>, Vec<Vec<i64>>) {
    let site = Arc::new(Site { outbound_limit: Some(plan.outbound_limit), ..Site::new() });
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann, &bob]).await;
    let total = plan.writers.iter().map(Vec::len).sum();
    let writers: JoinSet<_> = plan.writers.into_iter().map(|sizes| write(&site, &ann, id, sizes)).collect();
    let readers: JoinSet<_> = plan.readers.into_iter().map(|visits| read(&site, &bob, id, visits, total)).collect();
    writers.join_all().await;
    let seen = readers.join_all().await;
    let sql = "SELECT id FROM holodrive_message ORDER BY id";
    let stored = site.write(move |tx| tx.query(sql, &[])?.into_iter().map(crate::storage::Row::first).collect()).await;
    (stored, seen)
}

/// A writer who does not listen: he comes back whenever he was cut off as a slow reader.
fn write(site: &Arc<Site>, user: &Arc<User>, id: i64, sizes: Vec<usize>) -> impl Future<Output = ()> + use<> {
    let (site, user) = (Arc::clone(site), Arc::clone(user));
    async move {
        for size in sizes {
            let peer = site.try_chat(&user, id, None).await.unwrap();
            peer.say(json!({"type": "chat_message", "message": "x".repeat(size)})).await;
        }
    }
}

/// Reads as long as each visit lasts, then until all messages are there; gives the ids in the order they came.
fn read(
    site: &Arc<Site>,
    user: &Arc<User>,
    id: i64,
    visits: Vec<usize>,
    total: usize,
) -> impl Future<Output = Vec<i64>> + use<> {
    let (site, user) = (Arc::clone(site), Arc::clone(user));
    async move {
        let mut seen = Vec::new();
        for limit in visits {
            let enough = seen.len() + limit;
            visit(&site, &user, id, &mut seen, enough.min(total)).await;
        }
        while seen.len() < total {
            visit(&site, &user, id, &mut seen, total).await;
        }
        seen
    }
}

/// One connection, until enough is seen or the connection is closed.
async fn visit(site: &Site, user: &Arc<User>, id: i64, seen: &mut Vec<i64>, enough: usize) {
    let mut peer: Peer = site.try_chat(user, id, Some(seen.last().copied().unwrap_or(0))).await.unwrap();
    while seen.len() < enough
        && let Some(message) = peer.next().await
    {
        if message["type"] == "chat_message" {
            seen.push(message["message_id"].as_i64().unwrap());
        }
    }
}
