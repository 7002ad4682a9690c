use holodrive_protocol::{Latitude, Longitude, Timestamp, UserId};
use uuid::Uuid;

use super::{StorageError, datetime};

/// A parameter or a column, in the few types that both engines share.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT; moments are microseconds since the epoch.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BOOLEAN; 0 or 1 in SQLite.
    Bool(bool),
    /// A UUID key; 32 hexadecimal digits in SQLite, as Django stores it there.
    Uuid(Uuid),
    /// A moment in a table of Django's: `timestamptz`, or its text form in SQLite. Our own tables hold [`Value::Int`].
    DateTime(Timestamp),
}

macro_rules! into_value {
    ($($from:ty => |$value:ident| $into:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

into_value! {
    i64 => |value| Self::Int(value),
    usize => |value| Self::Int(i64::try_from(value).unwrap_or(i64::MAX)),
    f64 => |value| Self::Real(value),
    bool => |value| Self::Bool(value),
    String => |value| Self::Text(value),
    &str => |value| Self::Text(value.to_owned()),
    &String => |value| Self::Text(value.clone()),
    Timestamp => |value| Self::Int(value.as_micros()),
    Latitude => |value| Self::Int(value.microdegrees()),
    Longitude => |value| Self::Int(value.microdegrees()),
    UserId => |value| match value {
        UserId::Int(id) => Self::Int(id),
        UserId::Uuid(id) => Self::Uuid(id),
    },
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// `None` when the value has another type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }
}

impl FromValue for f64 {
    #[expect(clippy::cast_precision_loss, reason = "SQLite gives whole reals back as integers")]
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Real(value) => Some(value),
            Value::Int(value) => Some(value as Self),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(value),
            Value::Int(value) => Some(value != 0),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(micros) => Some(Self::from_micros(micros)),
            Value::DateTime(at) => Some(at),
            Value::Text(text) => datetime::from_sqlite(&text),
            _ => None,
        }
    }
}

impl FromValue for Latitude {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(Self::from_microdegrees)
    }
}

impl FromValue for Longitude {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(Self::from_microdegrees)
    }
}

impl FromValue for UserId {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(id) => Some(Self::Int(id)),
            Value::Uuid(id) => Some(Self::Uuid(id)),
            Value::Text(text) => Uuid::try_parse(&text).ok().map(Self::Uuid),
            _ => None,
        }
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// One row of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// Reads the columns from left to right.
    pub fn columns(self) -> Columns {
        Columns { values: self.0.into_iter(), index: 0 }
    }

    /// The first column.
    ///
    /// # Errors
    /// When it has another type.
    pub fn first<T: FromValue>(self) -> Result<T, StorageError> {
        self.columns().take()
    }
}

/// The columns of a row that are still to be read.
pub struct Columns {
    values: std::vec::IntoIter<Value>,
    index: usize,
}

impl Columns {
    /// The next column.
    ///
    /// # Errors
    /// When there is none, or it has another type.
    pub fn take<T: FromValue>(&mut self) -> Result<T, StorageError> {
        let index = self.index;
        self.index += 1;
        self.values.next().and_then(T::from_value).ok_or(StorageError::Column { index })
    }
}
