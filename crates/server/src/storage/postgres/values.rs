//! Values on their way to the server and back, in its binary formats.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use holodrive_protocol::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::storage::{Row, StorageError, Value};

type AnyError = Box<dyn Error + Sync + Send>;

/// The server counts microseconds from 2000-01-01.
const EPOCH: i64 = 946_684_800_000_000;

/// The type that a parameter is declared as.
pub(super) fn parameter_type(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Real(_) => Type::FLOAT8,
        Value::Text(_) => Type::TEXT,
        Value::Bool(_) => Type::BOOL,
        Value::Uuid(_) => Type::UUID,
        Value::DateTime(_) => Type::TIMESTAMPTZ,
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(value) => return value.to_sql(ty, out),
            Self::Real(value) => return value.to_sql(ty, out),
            Self::Text(value) => return value.to_sql(ty, out),
            Self::Bool(value) => return value.to_sql(ty, out),
            Self::Uuid(value) => out.put_slice(value.as_bytes()),
            Self::DateTime(value) => out.put_i64(value.as_micros().saturating_sub(EPOCH)),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        Ok(match *ty {
            Type::BOOL => Self::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::Real(f32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Self::Real(f64::from_sql(ty, raw)?),
            Type::UUID => Self::Uuid(Uuid::from_slice(raw)?),
            Type::TIMESTAMPTZ => {
                let micros = i64::from_be_bytes(raw.try_into()?);
                Self::DateTime(Timestamp::from_micros(micros.saturating_add(EPOCH)))
            }
            _ => Self::Text(String::from_utf8(raw.to_vec())?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, AnyError> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        const KNOWN: &[Type] = &[
            Type::BOOL,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::UUID,
            Type::TIMESTAMPTZ,
            Type::TEXT,
            Type::VARCHAR,
            Type::BPCHAR,
            Type::NAME,
            Type::UNKNOWN,
        ];
        KNOWN.contains(ty) || ty.name() == "citext"
    }
}

pub(super) fn read_row(row: &tokio_postgres::Row) -> Result<Row, StorageError> {
    let column = |index| row.try_get(index).map_err(|_| StorageError::Column { index });
    (0..row.len()).map(column).collect::<Result<_, _>>().map(Row)
}
