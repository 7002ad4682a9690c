use holodrive_protocol::UserId;

use super::ApiError;
use crate::{accounts::Accounts, storage::Tx};

/// Makes sure that all of these users exist.
///
/// # Errors
/// 400 `invalid` for `field`, naming the first who does not.
pub fn require_users(tx: &mut Tx<'_>, accounts: &Accounts, field: &str, ids: &[UserId]) -> Result<(), ApiError> {
    let known = accounts.find_users(tx, ids)?;
    match ids.iter().find(|id| !known.contains_key(id)) {
        None => Ok(()),
        Some(id) => Err(ApiError::invalid_field(field, format!("There is no user {id}."))),
    }
}
