//! Moments in time, in the form that Django's `isoformat()` gives them.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment: microseconds since 1970-01-01T00:00:00Z.
///
/// Its text is what Python's `datetime.isoformat()` writes for UTC: `2025-11-22T13:15:22.970153+00:00`,
/// without the fraction when that is zero. Any RFC 3339 text is read; digits below a microsecond are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// The text is not an RFC 3339 date and time with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseTimestampError;

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an RFC 3339 date and time with an offset")
    }
}

impl std::error::Error for ParseTimestampError {}

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from an earlier moment to this one; zero if that one is later.
    pub const fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(if micros > 0 { micros.unsigned_abs() } else { 0 })
    }

    /// The moment so much earlier; the first one there is where that is before it.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment so much later; the last one there is where that is beyond it.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The date and time of day in UTC; beyond the years -9999 to 9999 the nearest one within.
    fn to_civil(self) -> jiff::civil::DateTime {
        let limit = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or(limit);
        Offset::UTC.to_datetime(moment)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.to_civil();
        // In one piece, since every message holds one: the formatting of numbers one by one takes several times as long.
        let mut text = *b"0000-00-00T00:00:00.000000+00:00";
        put_number(&mut text[..4], at.year().unsigned_abs().into());
        let two_digits = [at.month(), at.day(), at.hour(), at.minute(), at.second()];
        for (place, number) in text[5..19].chunks_mut(3).zip(two_digits) {
            put_number(&mut place[..2], number.unsigned_abs().into());
        }
        let micros = at.subsec_nanosecond().unsigned_abs() / 1_000;
        put_number(&mut text[20..26], micros);
        let text = str::from_utf8(&text).map_err(|_| fmt::Error)?;
        if at.year() < 0 {
            f.write_str("-")?;
        }
        if micros > 0 {
            return f.write_str(text);
        }
        f.write_str(&text[..19])?;
        f.write_str(&text[26..])
    }
}

/// Fills `place` with the last digits of a number.
fn put_number(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|moment| Self(moment.as_microsecond())).map_err(|_| ParseTimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_every_common_form_of_one_moment() {
        for text in [
            "2025-11-22T13:15:22.970153+00:00",
            "2025-11-22T13:15:22.970153Z",
            "2025-11-22T13:15:22.970153999Z",
            "2025-11-22T22:15:22.970153+09:00",
        ] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(at.to_string(), "2025-11-22T13:15:22.970153+00:00", "{text}");
        }
    }

    #[test]
    fn a_zero_fraction_is_left_out() {
        let at: Timestamp = serde_json::from_str("\"2025-11-22T13:15:22.000000Z\"").unwrap();
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2025-11-22T13:15:22+00:00\"");
    }

    #[test]
    fn refuses_what_names_no_moment() {
        for text in ["", "2025-11-22", "2025-11-22T13:15:22", "2025-13-01T00:00:00Z", "1763817322"] {
            assert_eq!(text.parse::<Timestamp>(), Err(ParseTimestampError), "{text}");
        }
    }

    #[test]
    fn every_number_has_a_text() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00+00:00");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999+00:00");
        assert!(Timestamp(i64::MAX).to_string().starts_with("9999-12-30"));
        assert!(Timestamp(i64::MIN).to_string().starts_with('-'));
        assert_eq!(Timestamp(-62_198_755_200_000_000).to_string(), "-0001-01-01T00:00:00+00:00");
        assert_eq!(Timestamp(951_782_400_000_007).to_string(), "2000-02-29T00:00:00.000007+00:00");
    }
}
