//! What push services have in common: keys in files, HTTP, and how it fails.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use holodrive_protocol::Timestamp;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};

use super::outcome::PushSetupError;
use crate::{clock::SharedClock, config::Secret};

/// Time for one request.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection over which nothing comes back is given up this soon, and a new one opened.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A service that asks for more time than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The longest part of a foreign code that a reason repeats.
const CODE_CHARS: usize = 40;

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long to wait before another attempt.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether the service may do later what it did not do now.
    pub(super) fn is_temporary(&self) -> bool {
        let temporary = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        self.status.is_server_error() || temporary.contains(&self.status)
    }

    /// The status, and what the service calls it: a word, or nothing.
    pub(super) fn reason(&self, code: &str) -> String {
        let is_word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let word: String = code.chars().take(CODE_CHARS).take_while(is_word).collect();
        format!("{} {word}", self.status.as_u16()).trim_end().to_owned()
    }
}

/// A client that goes nowhere but where it was sent.
pub(super) fn client(
    setting: &'static str,
    adjust: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, PushSetupError> {
    let builder = Client::builder()
        .redirect(Policy::none())
        .timeout(ATTEMPT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    adjust(builder).build().map_err(|error| PushSetupError::NoClient { setting, problem: error.to_string() })
}

/// The address with these steps added to its path.
pub(super) fn address(setting: &'static str, base: &str, steps: &[&str]) -> Result<Url, PushSetupError> {
    let no_client = |problem: String| PushSetupError::NoClient { setting, problem };
    let mut url = Url::parse(base).map_err(|error| no_client(error.to_string()))?;
    let path = url.path_segments_mut().map_err(|()| no_client("it has no path".to_owned()));
    path?.pop_if_empty().extend(steps);
    Ok(url)
}

/// The text of a file with a key.
pub(super) fn read_key(setting: &'static str, file: &Path) -> Result<Secret, PushSetupError> {
    let text = fs::read_to_string(file);
    text.map(Secret::new).map_err(|problem| PushSetupError::Unreadable { setting, file: file.to_owned(), problem })
}

/// Sends a request; what went wrong is told without its address, which may hold a token.
pub(super) async fn send(request: RequestBuilder, clock: &SharedClock) -> Result<Answer, String> {
    let receive = async {
        let response = request.send().await?;
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| waiting_time(value, clock.now()));
        let status = response.status();
        Ok::<_, reqwest::Error>(Answer { status, retry_after, body: body(response).await? })
    };
    receive.await.map_err(|error| format!("{:#}", anyhow::Error::new(error.without_url())))
}

/// What is beyond the limit is cut off: then it is nothing that can be read.
async fn body(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(body)
}

/// What `Retry-After` says: seconds, or a date.
fn waiting_time(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let asked_for = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => moment(value)?.since(now),
    };
    Some(asked_for.min(LONGEST_WAIT))
}

fn moment(date: &str) -> Option<Timestamp> {
    let since_epoch = httpdate::parse_http_date(date).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(0).after(since_epoch))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_its_time_in_seconds_or_by_a_date() {
        let now = "2026-11-22T13:15:22+00:00".parse().unwrap();
        let seconds = |value: &str| waiting_time(value, now).map(|time| time.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        for date in ["Sun, 22 Nov 2026 13:16:02 GMT", "Sunday, 22-Nov-26 13:16:02 GMT", "Sun Nov 22 13:16:02 2026"] {
            assert_eq!(seconds(date), Some(40), "{date}");
        }
        assert_eq!(seconds("Sun, 22 Nov 2026 13:15:00 GMT"), Some(0));
        for nothing in ["", "soon", "-1", "1.5", "Sun, 22 Nov"] {
            assert_eq!(seconds(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn nobody_is_waited_for_longer_than_an_hour() {
        let now = Timestamp::from_micros(0);
        for value in ["3601", "18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(waiting_time(value, now), Some(LONGEST_WAIT), "{value}");
        }
    }
}
