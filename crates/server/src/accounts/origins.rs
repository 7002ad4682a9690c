//! Which web origins a browser may connect from, in the pattern rules of Channels' `OriginValidator`.

use std::str::FromStr;

/// The list of allowed origins; empty means the host that the request was sent to.
///
/// A pattern is `*`, a host (`example.com`, with any scheme and port), a domain with its subdomains
/// (`.example.com`), or either with a scheme and perhaps a port (`https://.example.com:8443`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<Pattern>);

/// An entry that can never match an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no origin pattern: write `example.com`, `.example.com`, `https://example.com:8443` or `*`")]
pub struct InvalidPattern(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    Host(String),
    Origin(Origin),
}

/// Scheme, host and port of an origin, in lower case; the port is none where the scheme has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl AllowedOrigins {
    /// Reads a list of patterns; empty entries are skipped.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidPattern> {
        let patterns = patterns.into_iter().map(str::trim).filter(|pattern| !pattern.is_empty());
        patterns.map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a request with this `Origin` header, sent to this `Host`, may connect. No origin at all
    /// passes only under `*`; whether a native app needs one is the caller's affair.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        if self.0.contains(&Pattern::Any) {
            return true;
        }
        let Some(origin) = origin.and_then(Origin::parse) else {
            return false;
        };
        if self.0.is_empty() {
            return host.is_some_and(|host| origin.is_at(host));
        }
        self.0.iter().any(|pattern| pattern.matches(&origin))
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = || InvalidPattern(text.to_owned());
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains("://") {
            return Origin::parse(text).map(Self::Origin).ok_or_else(invalid);
        }
        match split_authority(text) {
            Some((host, None)) if !text.contains('/') => Ok(Self::Host(host)),
            _ => Err(invalid()),
        }
    }
}

impl Pattern {
    fn matches(&self, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::Host(pattern) => is_same_domain(&origin.host, pattern),
            Self::Origin(pattern) => {
                pattern.scheme == origin.scheme
                    && pattern.port == origin.port
                    && is_same_domain(&origin.host, &pattern.host)
            }
        }
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let authority = rest.split(['/', '?', '#']).next()?;
        let (host, port) = split_authority(authority.rsplit('@').next()?)?;
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Whether a `Host` header names this origin; a port left out is the default of the origin's scheme.
    fn is_at(&self, host_header: &str) -> bool {
        split_authority(host_header)
            .is_some_and(|(host, port)| host == self.host && port.or_else(|| default_port(&self.scheme)) == self.port)
    }
}

/// Host, without brackets and in lower case, and port; none where there is no host or the port is no number.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        None | Some("") => None,
        Some(digits) => Some(digits.parse().ok()?),
    };
    (!host.is_empty()).then(|| (host.to_lowercase(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Equal, or with a leading dot that domain and everything below it.
fn is_same_domain(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('.') {
        Some(domain) => host == domain || host.ends_with(pattern),
        None => host == pattern,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_means_the_same_host_and_port() {
        let origins = AllowedOrigins::default();
        let cases = [
            ("http://127.0.0.1:9000", "127.0.0.1:9000", true),
            ("https://drive.example", "DRIVE.example", true),
            ("https://drive.example:443", "drive.example", true),
            ("http://drive.example", "drive.example:80", true),
            ("http://[::1]:9000", "[::1]:9000", true),
            ("http://127.0.0.1:3000", "127.0.0.1:9000", false),
            ("https://evil.example", "drive.example", false),
            ("https://drive.example.evil.example", "drive.example", false),
            ("https://drive.example", "", false),
            ("null", "null", false),
        ];
        for (origin, host, expected) in cases {
            assert_eq!(origins.allows(Some(origin), Some(host)), expected, "{origin} at {host}");
        }
        assert!(!origins.allows(None, Some("127.0.0.1:9000")));
        assert!(!origins.allows(Some("http://127.0.0.1:9000"), None));
    }

    #[test]
    fn patterns_that_could_never_match_are_refused() {
        for bad in ["localhost:3000", "https://", "https://a:b", "a/b", ":80", "[::1"] {
            assert_eq!(AllowedOrigins::parse([bad]), Err(InvalidPattern(bad.into())), "{bad}");
        }
        assert_eq!(AllowedOrigins::parse(["", " "]), Ok(AllowedOrigins::default()));
    }

    #[test]
    fn a_bad_port_in_the_origin_is_refused() {
        let origins = AllowedOrigins::parse(["https://a.example", "a.example"]).unwrap();
        for bad in ["https://a.example:x", "https://a.example:99999", "https://[a.example"] {
            assert!(!origins.allows(Some(bad), None), "{bad}");
        }
    }
}
