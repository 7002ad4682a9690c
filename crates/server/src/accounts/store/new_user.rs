use holodrive_protocol::UserId;
use uuid::Uuid;

use super::{UserTables, Users, stored_date};
use crate::storage::{StorageError, Tx, UserKey, Value, placeholders};

/// A user to be added.
pub(in super::super) struct NewUser {
    pub(in super::super) username: String,
    pub(in super::super) encoded_password: String,
    pub(in super::super) first_name: String,
    pub(in super::super) last_name: String,
    pub(in super::super) is_staff: bool,
    pub(in super::super) groups: Vec<String>,
}

impl Users {
    /// The first of these columns that the table does not have.
    pub(in super::super) fn lacks(&self, mut columns: impl Iterator<Item = &'static str>) -> Option<&'static str> {
        columns.find(|column| !self.columns.has(column))
    }

    /// Adds a user, and the groups that are not there yet.
    pub(in super::super) fn insert_user(&self, tx: &mut Tx<'_>, user: &NewUser) -> Result<UserId, StorageError> {
        let (names, values): (Vec<_>, Vec<_>) = self.row_of(user, stored_date(tx.now())).into_iter().unzip();
        let sql = format!(
            r#"INSERT INTO "{}" ("{}") VALUES ({}) RETURNING "{}""#,
            self.tables.users,
            names.join(r#"", ""#),
            placeholders(values.len()),
            self.key
        );
        let id = tx.query_one(&sql, &values)?.ok_or(StorageError::Unavailable)?.first()?;
        user.groups.iter().try_for_each(|group| self.join_group(tx, id, group))?;
        Ok(id)
    }

    /// A new user in those of Django's columns that the table has. What else it wants, it must fill in by itself.
    fn row_of(&self, user: &NewUser, joined: Value) -> Vec<(&str, Value)> {
        let login_field = self.tables.login_field.as_str();
        let key = (self.key_kind == UserKey::Uuid).then(|| (self.key.as_str(), Value::Uuid(Uuid::new_v4())));
        let optional = [
            ("is_superuser", false.into()),
            ("first_name", (&user.first_name).into()),
            ("last_name", (&user.last_name).into()),
            ("email", "".into()),
            ("is_staff", user.is_staff.into()),
            ("is_active", true.into()),
            ("date_joined", joined),
        ];
        let present = optional.into_iter().filter(|(name, _)| *name != login_field && self.columns.has(name));
        let required = [("password", (&user.encoded_password).into()), (login_field, (&user.username).into())];
        key.into_iter().chain(required).chain(present).collect()
    }

    fn join_group(&self, tx: &mut Tx<'_>, id: UserId, group: &str) -> Result<(), StorageError> {
        let UserTables { user_groups, user_groups_user, .. } = &self.tables;
        tx.execute(r#"INSERT INTO "auth_group" ("name") VALUES ($1) ON CONFLICT DO NOTHING"#, &[group.into()])?;
        let sql = format!(
            r#"INSERT INTO "{user_groups}" ("{user_groups_user}", "group_id")
            SELECT $1, g."id" FROM "auth_group" g WHERE g."name" = $2 ON CONFLICT DO NOTHING"#
        );
        tx.execute(&sql, &[id.into(), group.into()]).map(drop)
    }
}
