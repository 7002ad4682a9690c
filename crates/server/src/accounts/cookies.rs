//! Cookies: read as Django and Channels read them, set as Django sets them.

use std::time::Duration;

use http::{HeaderMap, header};

/// Django's `CSRF_COOKIE_AGE`: 52 weeks, in seconds.
pub const CSRF_COOKIE_AGE: i64 = 52 * 7 * 24 * 60 * 60;

/// The value of cookie `name` in a request. Like Channels, only the first `Cookie` header counts.
pub fn from_headers(headers: &HeaderMap, name: &str) -> Option<String> {
    let header = headers.get(header::COOKIE)?;
    find(&String::from_utf8_lossy(header.as_bytes()), name)
}

/// The value of cookie `name` in the text of a `Cookie` header; the last one wins.
pub fn find(header: &str, name: &str) -> Option<String> {
    header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .rfind(|(key, _)| key.trim() == name)
        .map(|(_, value)| unquote(value.trim()))
}

/// Removes double quotes around a value, and within them the backslash forms `\"` and `\054`.
fn unquote(value: &str) -> String {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(mut rest) = quoted else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let (character, length) = escaped(after);
        plain.extend(character);
        rest = &after[length..];
    }
    plain + rest
}

/// The character that a backslash before `text` stands for, and how many bytes of `text` it takes.
fn escaped(text: &str) -> (Option<char>, usize) {
    match text.as_bytes() {
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            (Some(char::from((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))), 3)
        }
        [] => (Some('\\'), 0),
        _ => (text.chars().next(), text.chars().next().map_or(0, char::len_utf8)),
    }
}

/// The `Set-Cookie` value of a new session that lasts `age`. `secure` keeps the cookie off plain HTTP.
pub fn set_session(name: &str, key: &str, age: Duration, secure: bool) -> String {
    let age = age.as_secs();
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={key}; HttpOnly; Max-Age={age}; Path=/; SameSite=Lax{secure}")
}

/// The `Set-Cookie` value that makes the browser forget its session.
pub fn clear_session(name: &str) -> String {
    format!("{name}=; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax")
}

/// The `Set-Cookie` value of a CSRF secret. Scripts must read it, so it is not `HttpOnly`.
pub fn set_csrf(name: &str, secret: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={secret}; Max-Age={CSRF_COOKIE_AGE}; Path=/; SameSite=Lax{secure}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_header_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(from_headers(&headers, "a"), None);
        headers.append(header::COOKIE, "x=\u{e9}; a=1".parse().unwrap());
        headers.append(header::COOKIE, "a=2; b=3".parse().unwrap());
        assert_eq!(from_headers(&headers, "a").as_deref(), Some("1"));
        assert_eq!(from_headers(&headers, "b"), None);
    }

    #[test]
    fn odd_quoting_is_read_without_fail() {
        for (header, value) in [
            (r#"a="""#, ""),
            (r#"a=""#, "\""),
            (r#"a="\""#, "\\"),
            (r#"a="\é\9\400""#, "é9400"),
            (r#"a="\351""#, "é"),
            (r#"a="\03""#, "03"),
        ] {
            assert_eq!(find(header, "a").as_deref(), Some(value), "{header}");
        }
    }

    #[test]
    fn set_cookie_has_djangos_attributes() {
        assert_eq!(
            set_session("sessionid", "k", Duration::from_hours(24 * 14), true),
            "sessionid=k; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure"
        );
        assert_eq!(set_csrf("csrftoken", "s", false), "csrftoken=s; Max-Age=31449600; Path=/; SameSite=Lax");
        assert!(clear_session("sessionid").starts_with("sessionid=; expires=Thu, 01 Jan 1970"));
    }
}
