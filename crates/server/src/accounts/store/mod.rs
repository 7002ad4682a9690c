//! The queries on Django's tables. Columns are named one by one, because their order differs from project to project, and
//! qualified, because SQLite takes an unknown quoted name that stands alone for a text.

mod check;
mod group_lists;
mod new_user;
mod sessions;
mod token_names;
mod users;

use std::sync::Arc;

use holodrive_protocol::Timestamp;

use super::User;
use crate::storage::Value;

pub(super) use check::has_sessions;
pub(super) use new_user::NewUser;
pub(super) use sessions::{delete_session, insert_session, is_blacklisted, sessions};
pub(super) use users::Users;

/// What a custom user model names differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTables {
    /// The table of users, `auth_user` by default.
    pub users: String,
    /// The table that puts users into groups, `auth_user_groups` by default.
    pub user_groups: String,
    /// Its column with the user's key, `user_id` by default.
    pub user_groups_user: String,
    /// The column with the login name (`USERNAME_FIELD`), `username` by default.
    pub login_field: String,
}

impl Default for UserTables {
    fn default() -> Self {
        Self {
            users: "auth_user".into(),
            user_groups: "auth_user_groups".into(),
            user_groups_user: "user_id".into(),
            login_field: "username".into(),
        }
    }
}

/// A user with what only this module may see.
#[derive(Clone)]
pub struct Account {
    pub(super) user: Arc<User>,
    pub(super) is_active: bool,
    /// The whole password column.
    pub(super) password: String,
    /// What a token calls him; nothing where his column for that is empty. Tokens that named him otherwise could be taken for
    /// somebody else's.
    pub(super) token_name: Option<String>,
}

impl Account {
    /// Who it is.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }
}

/// A moment as Django stores it.
fn stored_date(at: Timestamp) -> Value {
    Value::DateTime(at)
}
