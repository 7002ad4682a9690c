//! Positions on the globe with six decimals, as Django's `DecimalField(max_digits=9, decimal_places=6)` keeps them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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
                let degrees = NumberOrText::deserialize(deserializer)?.degrees();
                degrees.and_then(Self::from_degrees).ok_or_else(|| {
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

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl NumberOrText {
    fn degrees(self) -> Option<f64> {
        match self {
            Self::Number(degrees) => Some(degrees),
            Self::Text(text) => text.trim().parse().ok(),
        }
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
