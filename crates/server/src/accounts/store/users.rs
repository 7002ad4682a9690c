use std::{collections::HashMap, sync::Arc};

use holodrive_protocol::UserId;

use super::{Account, UserTables, group_lists::GroupLists};
use crate::{
    accounts::User,
    storage::{FromValue, Row, StorageError, Table, Tx, UserKey, UserTable, Value},
};

/// The names that stand for the primary key in SimpleJWT's settings, whatever the column is called.
const PRIMARY_KEYS: [&str; 2] = ["id", "pk"];

/// The statements on one set of user tables.
pub(in super::super) struct Users {
    pub(super) tables: UserTables,
    /// The column with the primary key, and what is in it.
    pub(super) key: String,
    pub(super) key_kind: UserKey,
    /// The column that tokens name users by, and what is in it; texts have no kind.
    pub(super) token_field: String,
    pub(super) token_kind: Option<UserKey>,
    /// Whether a user is staff, and active, as conditions.
    is_staff: String,
    is_active: String,
    pub(super) select: String,
    pub(super) columns: Table,
    group_lists: GroupLists,
}

impl Users {
    /// A model of a project's own may lack what Django's has: its users have no such names then, are no staff, and active.
    pub(in super::super) fn new(tables: UserTables, token_field: &str, table: &UserTable) -> Self {
        let UserTable { columns, key, key_kind } = table;
        let is_key = PRIMARY_KEYS.contains(&token_field) && !columns.has(token_field);
        let token_field = if is_key { key } else { token_field };
        let or = |column: &str, default: &str| {
            if columns.has(column) { format!(r#"u."{column}""#) } else { default.to_owned() }
        };
        let [first_name, last_name] = ["first_name", "last_name"].map(|column| or(column, "''"));
        let (is_staff, is_active) = (or("is_staff", &or("is_superuser", "FALSE")), or("is_active", "TRUE"));
        let select = format!(
            r#"SELECT u."{key}", u."{login}", {first_name}, {last_name}, {is_staff}, {is_active}, u."password",
            u."{token_field}" FROM "{users}" u"#,
            login = tables.login_field,
            users = tables.users,
        );
        Self {
            key: key.clone(),
            key_kind: *key_kind,
            token_field: token_field.to_owned(),
            token_kind: columns.key_kind(token_field),
            tables,
            is_staff,
            is_active,
            select,
            columns: columns.clone(),
            group_lists: GroupLists::default(),
        }
    }

    /// The column with the login name.
    pub(in super::super) fn login_field(&self) -> &str {
        &self.tables.login_field
    }

    /// The user whose login name this is.
    pub(in super::super) fn by_login(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Account>, StorageError> {
        let login_field = &self.tables.login_field;
        match value_of(self.columns.key_kind(login_field), name) {
            Some(value) => self.by_column(tx, login_field, value),
            None => Ok(None),
        }
    }

    /// Users by key, those that exist.
    pub(in super::super) fn by_ids(
        &self,
        tx: &mut Tx<'_>,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Account>, StorageError> {
        let sql = |list: &str| format!(r#"{} WHERE u."{}" IN ({list})"#, self.select, self.key);
        let possible: Vec<_> = ids.iter().copied().filter(|id| is_of(self.key_kind, id)).collect();
        let rows = tx.query_in(sql, &possible)?;
        Ok(self.accounts(tx, rows)?.into_iter().map(|account| (account.user.id, account)).collect())
    }

    /// The only user with this value in that column; none where several have it, since then it names nobody.
    pub(super) fn by_column(
        &self,
        tx: &mut Tx<'_>,
        column: &str,
        value: Value,
    ) -> Result<Option<Account>, StorageError> {
        if !is_storable(&value) {
            return Ok(None);
        }
        // PostgreSQL would compare such a column as plain text otherwise, letter case and all.
        let wanted = if self.columns.declared(column) == Some("citext") { "CAST($1 AS citext)" } else { "$1" };
        let sql = format!(r#"{} WHERE u."{column}" = {wanted} LIMIT 2"#, self.select);
        let rows = tx.query(&sql, &[value])?;
        if rows.len() > 1 {
            return Ok(None);
        }
        Ok(self.accounts(tx, rows)?.pop())
    }

    pub(super) fn accounts(&self, tx: &mut Tx<'_>, rows: Vec<Row>) -> Result<Vec<Account>, StorageError> {
        let mut accounts = rows.into_iter().map(|row| self.read(row)).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<_> = accounts.iter().map(|account| account.user.id).collect();
        let mut groups = self.groups(tx, &ids)?;
        for account in &mut accounts {
            let user = Arc::make_mut(&mut account.user);
            user.groups = self.group_lists.shared(groups.remove(&user.id).unwrap_or_default());
        }
        Ok(accounts)
    }

    /// Reads the columns of `select`; the groups come later.
    fn read(&self, row: Row) -> Result<Account, StorageError> {
        let mut columns = row.columns();
        let user = User {
            id: columns.take()?,
            username: columns.take::<Value>().map(text_of)?.unwrap_or_default().into(),
            first_name: columns.take::<Option<String>>()?.unwrap_or_default().into(),
            last_name: columns.take::<Option<String>>()?.unwrap_or_default().into(),
            is_staff: columns.take::<Option<bool>>()?.unwrap_or_default(),
            groups: self.group_lists.none(),
        };
        let is_active = columns.take::<Option<bool>>()?.unwrap_or_default();
        let password = columns.take()?;
        let token_name = match (columns.take()?, self.token_kind) {
            (value, None) => text_of(value),
            (value, Some(_)) => UserId::from_value(value).map(|id| id.to_string()),
        };
        Ok(Account { user: Arc::new(user), is_active, password, token_name })
    }

    fn groups(&self, tx: &mut Tx<'_>, ids: &[UserId]) -> Result<HashMap<UserId, Vec<String>>, StorageError> {
        let UserTables { user_groups, user_groups_user, .. } = &self.tables;
        let sql = |list: &str| {
            format!(
                r#"SELECT m."{user_groups_user}", g."name" FROM "{user_groups}" m JOIN "auth_group" g ON g."id" = m."group_id"
                WHERE m."{user_groups_user}" IN ({list}) ORDER BY g."name""#
            )
        };
        let mut groups: HashMap<UserId, Vec<String>> = HashMap::new();
        for row in tx.query_in(sql, ids)? {
            let mut columns = row.columns();
            groups.entry(columns.take()?).or_default().push(columns.take()?);
        }
        Ok(groups)
    }

    /// Whether this is an active user of the group.
    pub(in super::super) fn is_active_member(
        &self,
        tx: &mut Tx<'_>,
        id: UserId,
        group: &str,
    ) -> Result<bool, StorageError> {
        let UserTables { users, user_groups, user_groups_user, .. } = &self.tables;
        let (key, is_active) = (&self.key, &self.is_active);
        if !is_of(self.key_kind, &id) || !is_storable(&group.into()) {
            return Ok(false);
        }
        let sql = format!(
            r#"SELECT 1 FROM "{users}" u JOIN "{user_groups}" m ON m."{user_groups_user}" = u."{key}"
            JOIN "auth_group" g ON g."id" = m."group_id" WHERE u."{key}" = $1 AND g."name" = $2 AND {is_active}"#
        );
        Ok(tx.query_one(&sql, &[id.into(), group.into()])?.is_some())
    }

    /// The active users of a group.
    pub(in super::super) fn group_members(&self, tx: &mut Tx<'_>, name: &str) -> Result<Vec<UserId>, StorageError> {
        let UserTables { users, user_groups, user_groups_user, .. } = &self.tables;
        let (key, is_active) = (&self.key, &self.is_active);
        if !is_storable(&name.into()) {
            return Ok(Vec::new());
        }
        let sql = format!(
            r#"SELECT u."{key}" FROM "{users}" u JOIN "{user_groups}" m ON m."{user_groups_user}" = u."{key}"
            JOIN "auth_group" g ON g."id" = m."group_id" WHERE g."name" = $1 AND {is_active} ORDER BY u."{key}""#
        );
        tx.query(&sql, &[name.into()])?.into_iter().map(Row::first).collect()
    }

    /// The active users with `is_staff`.
    pub(in super::super) fn active_staff(&self, tx: &mut Tx<'_>) -> Result<Vec<UserId>, StorageError> {
        let (key, users) = (&self.key, &self.tables.users);
        let sql = format!(
            r#"SELECT u."{key}" FROM "{users}" u WHERE {} AND {} ORDER BY u."{key}""#,
            self.is_staff, self.is_active
        );
        tx.query(&sql, &[])?.into_iter().map(Row::first).collect()
    }
}

/// What stands in a column of this kind for somebody who is called so; `None` where nobody can be. Texts have no kind.
pub(super) fn value_of(kind: Option<UserKey>, name: &str) -> Option<Value> {
    match (kind, name.parse()) {
        (None, _) => Some(name.into()),
        (Some(kind), Ok(id)) if is_of(kind, &id) => Some(id.into()),
        _ => None,
    }
}

/// A name as it is shown: most are texts, a telephone number may be a number.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        value => UserId::from_value(value).map(|id| id.to_string()),
    }
}

/// Whether a key is of this kind: PostgreSQL does not compare others.
fn is_of(kind: UserKey, id: &UserId) -> bool {
    match id {
        UserId::Int(_) => kind == UserKey::Int,
        UserId::Uuid(_) => kind == UserKey::Uuid,
    }
}

/// Whether a database can hold the value at all: PostgreSQL's texts have no NUL.
pub(super) fn is_storable(value: &Value) -> bool {
    !matches!(value, Value::Text(text) if text.contains('\0'))
}
