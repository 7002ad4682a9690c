use std::{marker::PhantomData, sync::Arc, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::{
    HookError, HookName,
    back_end::{BackEnd, Effort},
    questions::{self, Question},
    request::Request,
};

/// A hook that is on.
pub struct Hook<Q> {
    back_end: Arc<BackEnd>,
    question: PhantomData<fn(Q)>,
}

impl<Q: Question> Hook<Q> {
    /// `None` where it is not among those that are on.
    pub(super) fn new(back_end: &Arc<BackEnd>, on: &[HookName]) -> Option<Self> {
        let hook = Self { back_end: Arc::clone(back_end), question: PhantomData };
        on.contains(&Q::HOOK).then_some(hook)
    }

    /// How long an answer may take at the most.
    pub fn patience(&self) -> Duration {
        self.back_end.patience()
    }

    /// Asks the back end, at once. What was begun is finished, even when nobody waits for it any more.
    ///
    /// # Errors
    /// [`HookError::Refused`] is its last word; with [`HookError::Unavailable`] nobody knows whether it was done.
    pub fn ask(&self, question: Q) -> impl Future<Output = Result<Q::Answer, HookError>> + use<Q> {
        let asked = tokio::spawn(ask(Arc::clone(&self.back_end), question, Effort::AllAttempts));
        async { asked.await.unwrap_or(Err(HookError::Unavailable)) }
    }

    /// Asks the back end by one attempt, and only for as long as the answer is waited for: for those who try again themselves,
    /// with a question that has changed by then.
    ///
    /// # Errors
    /// As [`Hook::ask`].
    pub fn ask_once(&self, question: Q) -> impl Future<Output = Result<Q::Answer, HookError>> + use<Q> {
        let asked = tokio::spawn(ask(Arc::clone(&self.back_end), question, Effort::OneAttempt));
        let asked = AbortOnDropHandle::new(asked);
        async { asked.await.unwrap_or(Err(HookError::Unavailable)) }
    }
}

async fn ask<Q: Question>(back_end: Arc<BackEnd>, question: Q, effort: Effort) -> Result<Q::Answer, HookError> {
    let request = Request::new(Q::HOOK, &question, back_end.clock.now()).map_err(|error| {
        tracing::error!(%error, hook = Q::HOOK.as_str(), "a request cannot be written as JSON");
        HookError::Unavailable
    })?;
    let read = |body: &[u8]| questions::read(body).filter(|answer| question.is_answered_by(answer));
    back_end.ask(&request, effort, read).await
}
