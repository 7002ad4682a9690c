//! Look-ups of the users of tokens: those that wait for a reader are one query, so that everybody who comes back at once
//! does not hammer the database.
//!
//! Nothing is kept for later: a user who was locked out a moment ago must not come in, and whoever locked him out (Django,
//! most often) tells nobody.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Account, store::Users};
use crate::storage::{Storage, StorageError, Tx};

/// Those who wait are enough for a query at this number,
const CROWD: usize = 64;
/// and else have this long for becoming more: a query costs as much as looking up ten users.
const GATHERING: Duration = Duration::from_millis(1);

type Answer = Result<Option<Account>, StorageError>;
/// Who waits for which user.
type Waiting = HashMap<String, Vec<oneshot::Sender<Answer>>>;

/// Joins look-ups by the name that a token calls a user: one query at a time, and those who come meanwhile are the next.
/// Somebody who comes alone does not wait for others.
pub(super) struct JointLookup {
    storage: Storage,
    users: Arc<Users>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// Whether somebody is reading, and will take those who wait.
    reading: bool,
}

impl JointLookup {
    pub(super) fn new(storage: Storage, users: Arc<Users>) -> Arc<Self> {
        Arc::new(Self { storage, users, state: Mutex::default() })
    }

    /// The user of that name, as the database knows him at a moment after the call.
    pub(super) async fn find(self: &Arc<Self>, name: String) -> Answer {
        let (answer, result) = oneshot::channel();
        let reading = {
            let mut state = self.state.lock();
            state.waiting.entry(name).or_default().push(answer);
            mem::replace(&mut state.reading, true)
        };
        if !reading {
            // A task, for others wait for it as well when this caller goes away.
            tokio::spawn(Arc::clone(self).read());
        }
        result.await.unwrap_or(Err(StorageError::Unavailable))
    }

    /// Reads until nobody waits.
    async fn read(self: Arc<Self>) {
        while let Some(waiting) = self.take() {
            let users = Arc::clone(&self.users);
            let read = self.storage.read(move |tx| {
                answer(waiting, tx, &users);
                Ok::<_, StorageError>(())
            });
            if let Err(error) = read.await {
                // Those who waited have learnt it by the end of their channel.
                tracing::debug!(%error, "users cannot be looked up");
            }
            self.gather().await;
        }
    }

    /// Lets a crowd come together, where there is one.
    async fn gather(&self) {
        if (1..CROWD).contains(&self.state.lock().waiting.len()) {
            tokio::time::sleep(GATHERING).await;
        }
    }

    fn take(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        state.reading = !state.waiting.is_empty();
        state.reading.then(|| mem::take(&mut state.waiting))
    }
}

fn answer(waiting: Waiting, tx: &mut Tx<'_>, users: &Users) {
    let names: Vec<_> = waiting.keys().map(String::as_str).collect();
    let found = users.by_token_names(tx, &names);
    for (name, callers) in waiting {
        let answer = found.as_ref().map(|found| found.get(&name).cloned()).map_err(StorageError::clone);
        for caller in callers {
            // One that went away does not need the answer.
            let _ = caller.send(answer.clone());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::future::join_all;

    use crate::testing::Site;

    #[tokio::test]
    async fn everybody_gets_his_own_answer_and_the_same_user_is_found_by_all_who_ask() {
        let site = Site::new();
        let users = [site.user("One", "").await, site.user("Two", "").await];
        let lookup = &site.accounts.token_users;
        let names = (0..300).map(|number| users.get(number % 3).map_or("nobody".into(), |user| user.id.to_string()));
        let answers = join_all(names.map(|name| lookup.find(name))).await;
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap().map(|account| account.user.id), users.get(number % 3).map(|user| user.id));
        }
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_others_their_answers() {
        let site = Site::new();
        let user = site.user("One", "").await;
        let lookup = &site.accounts.token_users;
        let mut first = Box::pin(lookup.find(user.id.to_string()));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        assert!(lookup.find(user.id.to_string()).await.unwrap().is_some());
    }
}
