//! Are Django's tables what the settings say? A wrong name would otherwise be told only by the first user, as a failure.

use super::{UserTables, Users};
use crate::storage::{StorageError, Tx};

const SESSIONS: &str = "django_session";
const GROUPS: &str = "auth_group";

impl Users {
    /// # Errors
    /// [`StorageError::Setup`] names the setting that is wrong.
    pub(in super::super) fn check(&self, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        let UserTables { users, user_groups, user_groups_user, login_field } = &self.tables;
        let named = [("AUTH_LOGIN_FIELD", login_field), ("JWT_USER_ID_FIELD", &self.token_field)];
        for (setting, column) in named {
            if !self.columns.has(column) {
                return Err(refuse(setting, &format!("the table {users} has no column {column}")));
            }
        }
        let missing =
            |table: &str| format!("the database has no table {table}; run Django's migrations or correct the name");
        let Some(members) = tx.table(user_groups)? else {
            return Err(refuse("AUTH_USER_GROUPS_TABLE", &missing(user_groups)));
        };
        if !members.has(user_groups_user) {
            let why = format!("the table {user_groups} has no column {user_groups_user}");
            return Err(refuse("AUTH_USER_GROUPS_USER_COLUMN", &why));
        }
        match tx.table(GROUPS)? {
            Some(_) => Ok(()),
            None => Err(refuse("DATABASE_URL", &missing(GROUPS))),
        }
    }
}

/// Whether the project keeps sessions in the database: one without Django's application for them has no such table.
pub(in super::super) fn has_sessions(tx: &mut Tx<'_>) -> Result<bool, StorageError> {
    Ok(tx.table(SESSIONS)?.is_some())
}

fn refuse(setting: &str, why: &str) -> StorageError {
    StorageError::Setup(format!("{setting}: {why}"))
}
