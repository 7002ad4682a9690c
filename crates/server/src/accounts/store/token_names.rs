//! Users by what tokens call them, which need not be the primary key.

use std::collections::HashMap;

use holodrive_protocol::UserId;

use super::{
    Account, Users,
    users::{is_storable, value_of},
};
use crate::storage::{StorageError, Tx, Value};

impl Users {
    /// The user that a token means by this name.
    pub(in super::super) fn by_token_name(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Account>, StorageError> {
        Ok(self.by_token_names(tx, &[name])?.remove(name))
    }

    /// The users that tokens mean by these names.
    pub(in super::super) fn by_token_names(
        &self,
        tx: &mut Tx<'_>,
        names: &[&str],
    ) -> Result<HashMap<String, Account>, StorageError> {
        if self.token_field == self.key {
            return self.by_key_names(tx, names);
        }
        let values = names.iter().filter_map(|name| value_of(self.token_kind, name)).filter(is_storable);
        let called = self.by_token_values(tx, &values.collect::<Vec<_>>())?;
        let mut found = HashMap::new();
        for name in names {
            let account = match called.get(&self.canonical(name)).cloned() {
                Some(account) => account,
                None if self.token_kind.is_some() => None,
                // The column may have an idea of its own about which texts are equal.
                None => self.by_column(tx, &self.token_field, (*name).into())?,
            };
            found.extend(account.map(|account| ((*name).to_owned(), account)));
        }
        Ok(found)
    }

    fn by_key_names(&self, tx: &mut Tx<'_>, names: &[&str]) -> Result<HashMap<String, Account>, StorageError> {
        let ids: HashMap<&str, UserId> = names.iter().filter_map(|name| Some((*name, name.parse().ok()?))).collect();
        let accounts = self.by_ids(tx, &ids.values().copied().collect::<Vec<_>>())?;
        Ok(ids.iter().filter_map(|(name, id)| Some(((*name).into(), accounts.get(id)?.clone()))).collect())
    }

    /// Accounts by what tokens call them; none where several are called the same, since then it names nobody.
    fn by_token_values(
        &self,
        tx: &mut Tx<'_>,
        values: &[Value],
    ) -> Result<HashMap<String, Option<Account>>, StorageError> {
        let sql = |list: &str| format!(r#"{} WHERE u."{}" IN ({list})"#, self.select, self.token_field);
        let rows = tx.query_in(sql, values)?;
        let mut called: HashMap<String, Option<Account>> = HashMap::new();
        for account in self.accounts(tx, rows)? {
            let Some(name) = account.token_name.clone() else { continue };
            let id = account.user.id;
            called
                .entry(name)
                .and_modify(|known| *known = known.take().filter(|known| known.user.id == id))
                .or_insert(Some(account));
        }
        Ok(called)
    }

    /// A key has several forms, a text has one.
    fn canonical(&self, name: &str) -> String {
        match (self.token_kind, name.parse::<UserId>()) {
            (Some(_), Ok(id)) => id.to_string(),
            _ => name.to_owned(),
        }
    }
}
