//! Users by key, by name, by group. What a caller needs within its own transaction takes that transaction.

use std::{collections::HashMap, sync::Arc};

use holodrive_protocol::UserId;

use super::{Account, Accounts, User};
use crate::storage::{StorageError, Tx};

impl Accounts {
    /// Whether this user is a driver: a member of `DRIVER_GROUP`.
    pub fn is_driver(&self, user: &User) -> bool {
        user.in_group(&self.rules.driver_group)
    }

    /// Whether there is an active driver with this key.
    ///
    /// # Errors
    /// When the database cannot be read; so with all look-ups.
    pub fn is_active_driver(&self, tx: &mut Tx<'_>, id: UserId) -> Result<bool, StorageError> {
        self.rules.users.is_active_member(tx, id, &self.rules.driver_group)
    }

    /// The user with this key, active or not, within a transaction.
    pub fn find_user(&self, tx: &mut Tx<'_>, id: UserId) -> Result<Option<Arc<User>>, StorageError> {
        Ok(self.find_users(tx, &[id])?.remove(&id))
    }

    /// The users with these keys, active or not, within a transaction; keys of nobody are left out.
    pub fn find_users(&self, tx: &mut Tx<'_>, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>, StorageError> {
        let accounts = self.rules.users.by_ids(tx, ids)?;
        Ok(accounts.into_iter().map(|(id, account)| (id, account.user)).collect())
    }

    /// The keys of those of these users who exist and are active, in the order given, within a transaction.
    pub fn filter_active(&self, tx: &mut Tx<'_>, ids: &[UserId]) -> Result<Vec<UserId>, StorageError> {
        let accounts = self.rules.users.by_ids(tx, ids)?;
        let is_active = |id: &UserId| accounts.get(id).is_some_and(|account| account.is_active);
        Ok(ids.iter().copied().filter(is_active).collect())
    }

    /// The keys of a group's active users, within a transaction.
    pub fn find_group(&self, tx: &mut Tx<'_>, name: &str) -> Result<Vec<UserId>, StorageError> {
        self.rules.users.group_members(tx, name)
    }

    /// The keys of all active users with `is_staff`, within a transaction.
    pub fn find_staff(&self, tx: &mut Tx<'_>) -> Result<Vec<UserId>, StorageError> {
        self.rules.users.active_staff(tx)
    }

    /// The user with this key, active or not.
    pub async fn user_by_id(&self, id: UserId) -> Result<Option<Arc<User>>, StorageError> {
        let mut found = self.read(move |rules, tx| rules.users.by_ids(tx, &[id])).await?;
        Ok(found.remove(&id).map(|account| account.user))
    }

    /// The users with these keys, active or not, in no order; keys of nobody are left out.
    pub async fn users_by_id(&self, ids: Vec<UserId>) -> Result<Vec<Arc<User>>, StorageError> {
        let found = self.read(move |rules, tx| rules.users.by_ids(tx, &ids)).await?;
        Ok(found.into_values().map(|account| account.user).collect())
    }

    /// The account with this login name, active or not.
    pub async fn account_by_name(&self, name: &str) -> Result<Option<Account>, StorageError> {
        let name = name.to_owned();
        self.read(move |rules, tx| rules.users.by_login(tx, &name)).await
    }

    /// The keys of a group's active users.
    pub async fn users_in_group(&self, name: &str) -> Result<Vec<UserId>, StorageError> {
        let name = name.to_owned();
        self.read(move |rules, tx| rules.users.group_members(tx, &name)).await
    }

    /// The keys of all active users with `is_staff`.
    pub async fn active_staff(&self) -> Result<Vec<UserId>, StorageError> {
        self.read(|rules, tx| rules.users.active_staff(tx)).await
    }
}
