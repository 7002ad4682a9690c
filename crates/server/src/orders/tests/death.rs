//! Nodes that die at the worst moment.

use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::{
    super::{OrderError, Orders},
    town::Town,
};
use crate::storage::Tx;

/// A node that is dead: it stands still until this is dropped, and then is nobody's any more.
pub(super) struct Dead {
    /// Its end lets the writer's thread go.
    _buries: mpsc::Sender<()>,
}

/// The node commits, and dies before it tells anybody, its own connections included. It stays among the nodes that the
/// database knows, as after a kill.
pub(super) async fn commit_and_die<T: Send + 'static>(
    node: &Town,
    job: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<T, OrderError> + Send + 'static,
) -> Dead {
    try_commit_and_die(node, job).await.map_err(|error| error.to_string()).unwrap()
}

/// [`commit_and_die`]; the node lives on when the job is refused.
pub(super) async fn try_commit_and_die<T: Send + 'static>(
    node: &Town,
    job: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<T, OrderError> + Send + 'static,
) -> Result<Dead, OrderError> {
    let (dies, has_died) = oneshot::channel();
    let (buries, is_buried) = mpsc::channel::<()>();
    let writing = node.write(move |orders, tx| {
        // The first of what comes after the commit, so nothing else comes.
        tx.after_commit(move || {
            let _ = dies.send(());
            let _ = is_buried.recv();
        });
        job(orders, tx).map(drop)
    });
    tokio::select! {
        Ok(()) = has_died => Ok(Dead { _buries: buries }),
        refused = writing => Err(refused.expect_err("it answers although it is dead")),
    }
}
