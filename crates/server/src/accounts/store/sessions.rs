use std::collections::HashMap;

use super::stored_date;
use crate::{
    accounts::session::SessionRow,
    storage::{Row, StorageError, Tx},
};

/// Sessions by key, those that exist.
pub(in super::super) fn sessions(tx: &mut Tx<'_>, keys: &[&str]) -> Result<HashMap<String, SessionRow>, StorageError> {
    let sql = |list: &str| {
        format!(
            r#"SELECT s."session_key", s."session_data", s."expire_date" FROM "django_session" s
            WHERE s."session_key" IN ({list})"#
        )
    };
    let rows = tx.query_in(sql, keys)?.into_iter().map(read_session).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().map(|row| (row.session_key.clone(), row)).collect())
}

pub(in super::super) fn insert_session(tx: &mut Tx<'_>, row: &SessionRow) -> Result<(), StorageError> {
    let sql = r#"INSERT INTO "django_session" ("session_key", "session_data", "expire_date") VALUES ($1, $2, $3)"#;
    let params = [(&row.session_key).into(), (&row.session_data).into(), stored_date(row.expire_date)];
    tx.execute(sql, &params).map(drop)
}

pub(in super::super) fn delete_session(tx: &mut Tx<'_>, key: &str) -> Result<(), StorageError> {
    tx.execute(r#"DELETE FROM "django_session" WHERE "session_key" = $1"#, &[key.into()]).map(drop)
}

/// Whether SimpleJWT's blacklist, where the project has one, holds this token.
pub(in super::super) fn is_blacklisted(tx: &mut Tx<'_>, jti: &str) -> Result<bool, StorageError> {
    if tx.table("token_blacklist_blacklistedtoken")?.is_none() {
        return Ok(false);
    }
    let sql = r#"SELECT 1 FROM "token_blacklist_blacklistedtoken" b
        JOIN "token_blacklist_outstandingtoken" o ON o."id" = b."token_id" WHERE o."jti" = $1"#;
    Ok(tx.query_one(sql, &[jti.into()])?.is_some())
}

fn read_session(row: Row) -> Result<SessionRow, StorageError> {
    let mut columns = row.columns();
    Ok(SessionRow { session_key: columns.take()?, session_data: columns.take()?, expire_date: columns.take()? })
}
