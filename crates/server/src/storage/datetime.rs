//! Dates as Django keeps them in SQLite: `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC (with `USE_TZ`, its default).
//!
//! Django compares these columns as text, so what is written here must match its form exactly: six digits
//! of fraction, or none at all where the fraction is zero.

use holodrive_protocol::Timestamp;

const WHOLE_SECONDS: usize = "2025-10-09 08:53:20".len();
const MICROSECONDS: usize = "2025-10-09 08:53:20.000000".len();

/// The text that Django would store.
pub fn to_sqlite(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace("+00:00", "")
}

/// The moment that a stored text names; none where it has another form.
pub fn from_sqlite(text: &str) -> Option<Timestamp> {
    let well_formed = (WHOLE_SECONDS..=MICROSECONDS).contains(&text.len())
        && text.as_bytes()[10] == b' '
        && text[11..].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.'));
    well_formed.then(|| format!("{text}Z").parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2025-10-09",
            "2025-10-09T08:53:20",
            "2025-10-09 08:53:20Z",
            "2025-10-09 08:53:20+00:00",
            "2025-10-09 08:53:20-04",
            "2025-10-32 08:53:20",
            "2025-10-0é 08:53:20",
            "2025-10-é9 08:53:20",
        ] {
            assert_eq!(from_sqlite(text), None, "{text}");
        }
    }

    #[test]
    fn a_short_fraction_is_read() {
        let at = from_sqlite("2025-10-09 08:53:20.5").unwrap();
        assert_eq!(to_sqlite(at), "2025-10-09 08:53:20.500000");
    }
}
