use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::config::Secret;

/// How long a service that gave no token is left in peace.
const FAILED_PAUSE: Duration = Duration::from_secs(2);
/// No token is used for longer than this, whatever is promised of it.
const LONGEST: Duration = Duration::from_hours(24);

/// A token that says who sends, used until it gets old. Whoever needs a new one makes it, and the others wait for it.
pub(super) struct Bearer {
    /// A service that refuses a token gets another one no sooner than this after the last one that it refused.
    renew_pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<(Result<Secret, String>, Instant)>,
    renewed_at: Option<Instant>,
}

impl Bearer {
    pub(super) fn new(renew_pause: Duration) -> Self {
        Self { renew_pause, state: Mutex::default() }
    }

    /// The token: another one than `refused`, if it is time for one. `make` gives one, and how long to use it.
    ///
    /// # Errors
    /// What `make` said; for two seconds nothing else is made of it.
    pub(super) async fn token(
        &self,
        refused: Option<&Secret>,
        make: impl AsyncFnOnce() -> Result<(Secret, Duration), String>,
    ) -> Result<Secret, String> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some((token, until)) = &state.token
            && now < *until
        {
            let is_refused = refused.is_some() && token.as_ref().ok() == refused;
            let too_soon = state.renewed_at.is_some_and(|at| now.duration_since(at) < self.renew_pause);
            if !is_refused || too_soon {
                return token.clone();
            }
            state.renewed_at = Some(now);
        }
        let fresh = make().await;
        let lasts = fresh.as_ref().map_or(FAILED_PAUSE, |(_, lasts)| *lasts);
        let token = fresh.map(|(token, _)| token);
        state.token = Some((token.clone(), Instant::now() + lasts.min(LONGEST)));
        token
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cell::Cell;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Makes `1`, `2` and so on.
    struct Maker(Cell<u32>);

    impl Maker {
        async fn ask(&self, bearer: &Bearer, refused: Option<&Secret>, lasts: Duration) -> String {
            let make = async || {
                self.0.set(self.0.get() + 1);
                Ok((Secret::new(self.0.get().to_string()), lasts))
            };
            bearer.token(refused, make).await.unwrap().expose().to_owned()
        }
    }

    #[tokio::test]
    async fn a_token_is_made_once_and_again_when_it_is_old() {
        let (bearer, maker) = (Bearer::new(HOUR), Maker(Cell::new(0)));
        assert_eq!(maker.ask(&bearer, None, HOUR).await, "1");
        assert_eq!(maker.ask(&bearer, None, HOUR).await, "1");
        let (bearer, maker) = (Bearer::new(HOUR), Maker(Cell::new(0)));
        assert_eq!(maker.ask(&bearer, None, Duration::MAX).await, "1");
        assert_eq!(maker.ask(&bearer, None, HOUR).await, "1");
        let (bearer, maker) = (Bearer::new(HOUR), Maker(Cell::new(0)));
        assert_eq!(maker.ask(&bearer, None, Duration::ZERO).await, "1");
        assert_eq!(maker.ask(&bearer, None, Duration::ZERO).await, "2");
    }

    #[tokio::test]
    async fn a_refused_token_is_made_anew_once_in_a_while() {
        let (bearer, maker) = (Bearer::new(HOUR), Maker(Cell::new(0)));
        maker.ask(&bearer, None, HOUR).await;
        let [first, second] = ["1", "2"].map(Secret::new);
        assert_eq!(maker.ask(&bearer, Some(&first), HOUR).await, "2");
        assert_eq!(maker.ask(&bearer, Some(&first), HOUR).await, "2", "somebody else has renewed it");
        assert_eq!(maker.ask(&bearer, Some(&second), HOUR).await, "2", "too soon");
    }

    #[tokio::test]
    async fn who_gives_none_is_left_in_peace() {
        let bearer = Bearer::new(HOUR);
        assert_eq!(bearer.token(None, async || Err("away".to_owned())).await.unwrap_err(), "away");
        assert_eq!(bearer.token(None, async || Err("again".to_owned())).await.unwrap_err(), "away");
    }
}
