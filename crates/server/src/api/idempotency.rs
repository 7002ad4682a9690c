//! `Idempotency-Key`: the first answer to a request, kept for 24 hours for when the same request comes again.

use holodrive_protocol::Timestamp;
use http::{HeaderName, StatusCode, request::Parts};
use sha2::{Digest, Sha256};

use super::{ApiError, Reply};
use crate::{
    accounts::signing::hex,
    storage::{Storage, StorageError, Tx},
};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in characters.
const MAX_KEY: usize = 255;
/// How long an answer is kept, in microseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;

/// Somebody's key, and the request that it stands for.
#[derive(Clone)]
pub(super) struct IdempotencyKey {
    actor: String,
    key: String,
    fingerprint: String,
}

impl IdempotencyKey {
    /// The key of a request, if it has one.
    pub(super) fn of(parts: &Parts, body: &[u8], actor: String) -> Result<Option<Self>, ApiError> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let is_good =
            |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        let (Some(key), None) = (value.to_str().ok().filter(is_good), values.next()) else {
            let detail = "Idempotency-Key must be given once, with 1 to 255 visible ASCII characters";
            return Err(ApiError::bad_request("invalid_idempotency_key", detail));
        };
        Ok(Some(Self { actor, key: key.to_owned(), fingerprint: fingerprint(parts, body) }))
    }

    /// Runs `effect` unless there is an answer already, and stores what it answers.
    pub(super) async fn commit(
        self,
        storage: &Storage,
        effect: impl FnOnce(&mut Tx<'_>) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Reply, ApiError> {
        let key = self.clone();
        let outcome = storage.write(move |tx| key.run(tx, effect)).await;
        match outcome {
            // The transaction that ran the effect was undone with it, so its answer needs one of its own.
            Err(error) if error.status.is_client_error() && error.retry_after.is_none() => {
                storage.write(move |tx| self.run(tx, move |_| Ok(Reply::from(&error)))).await
            }
            outcome => outcome,
        }
    }

    fn run(
        &self,
        tx: &mut Tx<'_>,
        effect: impl FnOnce(&mut Tx<'_>) -> Result<Reply, ApiError>,
    ) -> Result<Reply, ApiError> {
        if let Some((fingerprint, reply)) = self.find(tx)? {
            return if fingerprint == self.fingerprint { Ok(reply) } else { Err(conflict()) };
        }
        let reply = effect(tx)?;
        if !self.store(tx, &reply)? {
            return Err(conflict());
        }
        purge(tx)?;
        Ok(reply)
    }

    fn find(&self, tx: &mut Tx<'_>) -> Result<Option<(String, Reply)>, StorageError> {
        let sql = "SELECT fingerprint, status, body FROM holodrive_idempotency \
                   WHERE actor = $1 AND key = $2 AND created_at > $3";
        let row = tx.query_one(sql, &[(&self.actor).into(), (&self.key).into(), oldest(tx).into()])?;
        row.map(|row| {
            let mut columns = row.columns();
            let (fingerprint, status) = (columns.take()?, columns.take::<i64>()?);
            let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            let status = status.ok_or(StorageError::Column { index: 1 })?;
            Ok((fingerprint, Reply { status, body: columns.take()?, replayed: true }))
        })
        .transpose()
    }

    /// Tells whether the answer was stored; another node may have been faster.
    fn store(&self, tx: &mut Tx<'_>, reply: &Reply) -> Result<bool, StorageError> {
        let sql = "INSERT INTO holodrive_idempotency (actor, key, fingerprint, status, body, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (actor, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, \
                   body = excluded.body, created_at = excluded.created_at WHERE holodrive_idempotency.created_at <= $7";
        let stored = tx.execute(
            sql,
            &[
                (&self.actor).into(),
                (&self.key).into(),
                (&self.fingerprint).into(),
                i64::from(reply.status.as_u16()).into(),
                (&reply.body).into(),
                tx.now().into(),
                oldest(tx).into(),
            ],
        )?;
        Ok(stored == 1)
    }
}

/// Each answer that is stored takes up to two old ones with it, so that the table stays as small as a day's traffic.
fn purge(tx: &mut Tx<'_>) -> Result<(), StorageError> {
    let sql = "DELETE FROM holodrive_idempotency WHERE (actor, key) IN \
               (SELECT actor, key FROM holodrive_idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT 2)";
    tx.execute(sql, &[oldest(tx).into()]).map(|_| ())
}

/// Answers from this moment or before are forgotten.
fn oldest(tx: &Tx<'_>) -> Timestamp {
    Timestamp::from_micros(tx.now().as_micros() - LIFETIME)
}

fn conflict() -> ApiError {
    ApiError::conflict("idempotency_conflict", "this Idempotency-Key was used for another request: take a new one")
}

/// Method, path and body, each told from the next by its length or a character that it cannot have.
fn fingerprint(parts: &Parts, body: &[u8]) -> String {
    let head = format!("{} {}\n", parts.method, parts.uri.path());
    hex(&Sha256::new().chain_update(head).chain_update(body).finalize())
}
