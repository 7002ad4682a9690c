//! Positions on the globe with six decimals, as Django's `DecimalField(max_digits=9, decimal_places=6)` keeps them.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

const MICRODEGREES: f64 = 1_000_000.0;

macro_rules! coordinate {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        ///
        /// Kept as whole microdegrees (0.11 m), written as a string with six decimals, read from a number or a string.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i32);

        impl $name {
            /// From degrees; `None` for what is not a number or out of range.
            #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
            pub fn from_degrees(degrees: f64) -> Option<Self> {
                (-$limit..=$limit).contains(&degrees).then(|| Self((degrees * MICRODEGREES).round() as i32))
            }

            /// From microdegrees, as stored; `None` when out of range.
            pub fn from_microdegrees(value: i64) -> Option<Self> {
                let value = i32::try_from(value).ok()?;
                (f64::from(value).abs() <= $limit * MICRODEGREES).then_some(Self(value))
            }

            /// Degrees.
            pub fn degrees(self) -> f64 {
                f64::from(self.0) / MICRODEGREES
            }

            /// Millionths of a degree.
            pub fn microdegrees(self) -> i64 {
                self.0.into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:.6}", self.degrees())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let degrees = deserializer.deserialize_any(NumberOrText)?;
                Self::from_degrees(degrees).ok_or_else(|| {
                    de::Error::custom(concat!("expected degrees from -", $limit, " to ", $limit))
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!(stringify!($name), " in degrees, six decimals; a number is accepted too"),
                    "type": ["string", "number"],
                    "examples": ["41.311081"],
                })
            }
        }
    };
}

/// Reads degrees from a number or a text.
struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = f64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("degrees as a number or as text")
    }

    fn visit_f64<E: de::Error>(self, degrees: f64) -> Result<f64, E> {
        Ok(degrees)
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small, and checked for range")]
    fn visit_i64<E: de::Error>(self, degrees: i64) -> Result<f64, E> {
        Ok(degrees as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small, and checked for range")]
    fn visit_u64<E: de::Error>(self, degrees: u64) -> Result<f64, E> {
        Ok(degrees as f64)
    }

    fn visit_str<E: de::Error>(self, degrees: &str) -> Result<f64, E> {
        degrees.trim().parse().map_err(|_| E::invalid_value(de::Unexpected::Str(degrees), &self))
    }
}

coordinate!(
    /// Degrees north of the equator, -90 to 90.
    Latitude,
    90.0
);
coordinate!(
    /// Degrees east of Greenwich, -180 to 180.
    Longitude,
    180.0
);
