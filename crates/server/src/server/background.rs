use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::task::JoinSet;

/// How long a task that panicked stays down.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// What runs beside the requests for as long as the server does; dropping it ends all of it.
#[derive(Default)]
pub(super) struct Background(JoinSet<()>);

impl Background {
    /// Starts a task, and starts it again should it panic.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        name: &'static str,
        task: impl Fn() -> F + Send + Sync + 'static,
    ) {
        self.0.spawn(async move {
            while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
                tracing::error!(name, "a background task panicked; it is started again");
                tokio::time::sleep(RESTART_AFTER).await;
            }
        });
    }
}
