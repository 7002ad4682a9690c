//! Paths of sockets: `/ws/chat/{id}/`, with or without the last slash, and with a token behind.

use holodrive_protocol::UserId;

/// How the paths of sockets begin.
#[cfg(not(feature = "test-hooks"))]
pub(super) const SOCKET_ROOTS: &[&str] = &["/ws/"];
#[cfg(feature = "test-hooks")]
pub(super) const SOCKET_ROOTS: &[&str] = &["/ws/", "/__echo"];

/// Whether a socket may have this path.
pub fn is_socket_path(path: &str) -> bool {
    SOCKET_ROOTS.iter().any(|root| path.starts_with(root))
}

/// A path with at most one `{id}`, such as `/ws/chat/{id}/`.
#[derive(Clone, Debug)]
pub struct PathPattern {
    segments: Vec<&'static str>,
    user_scoped: bool,
}

/// What a path holds beside its fixed words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathMatch {
    /// The `{id}`; 0, which no object has, for what is not a canonical number.
    pub(super) object_id: i64,
    /// A token at the end.
    pub(super) token: Option<String>,
    /// The user that the token must belong to.
    pub(super) user_id: Option<Result<UserId, ()>>,
}

impl PathPattern {
    /// A pattern from its text; `{id}` stands for the key of an object.
    pub fn new(pattern: &'static str) -> Self {
        Self { segments: segments(pattern).collect(), user_scoped: false }
    }

    /// Also accepts `…/{user_id}/TOKEN`.
    #[must_use]
    pub fn user_scoped(self) -> Self {
        Self { user_scoped: true, ..self }
    }

    pub(super) fn matches(&self, path: &str) -> Option<PathMatch> {
        let mut rest = segments(path);
        let mut found = PathMatch::default();
        for expected in &self.segments {
            let segment = rest.next()?;
            match *expected {
                "{id}" => found.object_id = canonical_id(segment),
                word if word == segment => {}
                _ => return None,
            }
        }
        match (rest.next(), rest.next(), rest.next()) {
            (None, _, _) => {}
            (Some(token), None, _) => found.token = Some(bare_token(token)),
            (Some(user), Some(token), None) if self.user_scoped => {
                found.user_id = Some(user.parse().map_err(|_| ()));
                found.token = Some(bare_token(token));
            }
            _ => return None,
        }
        Some(found)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/')
}

fn bare_token(segment: &str) -> String {
    // Some clients percent-encode the `=` of `token=…`.
    ["token=", "token%3D", "token%3d"]
        .iter()
        .find_map(|prefix| segment.strip_prefix(prefix))
        .unwrap_or(segment)
        .to_owned()
}

fn canonical_id(segment: &str) -> i64 {
    segment.parse::<i64>().ok().filter(|id| *id > 0 && id.to_string() == segment).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_end_in_a_slash_or_a_token() {
        let pattern = PathPattern::new("/ws/chat/{id}/");
        let plain = PathMatch { object_id: 7, ..PathMatch::default() };
        let with_token = PathMatch { token: Some("abc".into()), ..plain.clone() };
        assert_eq!(pattern.matches("/ws/chat/7"), Some(plain.clone()));
        assert_eq!(pattern.matches("/ws/chat/7/"), Some(plain));
        assert_eq!(pattern.matches("/ws/chat/7/abc"), Some(with_token.clone()));
        assert_eq!(pattern.matches("/ws/chat/7/token=abc/"), Some(with_token));
        assert_eq!(pattern.matches("/ws/chat"), None);
        assert_eq!(pattern.matches("/ws/chat/7/5/abc"), None);
    }

    #[test]
    fn only_canonical_ids_name_an_object() {
        let pattern = PathPattern::new("/ws/chat/{id}/");
        for odd in ["07", "+7", "-7", "0", "7.0", "%37", "99999999999999999999", "x"] {
            let found = pattern.matches(&format!("/ws/chat/{odd}/"));
            assert_eq!(found.map(|found| found.object_id), Some(0), "{odd}");
        }
    }

    #[test]
    fn a_user_scoped_path_names_the_user_of_the_token() {
        let pattern = PathPattern::new("/ws/notifications/").user_scoped();
        let found = pattern.matches("/ws/notifications/5/abc").unwrap_or_default();
        assert_eq!((found.user_id, found.token.as_deref()), (Some(Ok(UserId::Int(5))), Some("abc")));
        let odd = pattern.matches("/ws/notifications/05/abc").unwrap_or_default();
        assert_eq!(odd.user_id, Some(Err(())));
    }
}
