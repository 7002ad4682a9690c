use std::collections::{HashMap, HashSet};

use super::{
    Account, Accounts, Grounds, Proof, Refusal, Standing,
    service::Rules,
    session::{self, SessionRow},
    store,
};
use crate::storage::{StorageError, Tx};

impl Accounts {
    /// Looks again at identities, all in a few queries; one standing for each, in their order. When a token runs out is
    /// for its holder to watch.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the database cannot be read: then nothing is known.
    pub async fn recheck(&self, identities: Vec<Grounds>) -> Result<Vec<Standing>, Refusal> {
        Ok(self.read(move |rules, tx| rules.standings(tx, &identities)).await?)
    }
}

impl Rules {
    fn standings(&self, tx: &mut Tx<'_>, identities: &[Grounds]) -> Result<Vec<Standing>, StorageError> {
        let ids: HashSet<_> = identities.iter().map(|identity| identity.user_id).collect();
        let keys: HashSet<_> = identities.iter().filter_map(session_key).collect();
        let accounts = self.users.by_ids(tx, &Vec::from_iter(ids))?;
        let sessions = store::sessions(tx, &Vec::from_iter(keys))?;
        let look = |identity: &Grounds| match accounts.get(&identity.user_id) {
            Some(account) => self.standing(tx, identity, account, &sessions),
            None => Standing::UserGone,
        };
        Ok(identities.iter().map(look).collect())
    }

    fn standing(
        &self,
        tx: &Tx<'_>,
        identity: &Grounds,
        account: &Account,
        sessions: &HashMap<String, SessionRow>,
    ) -> Standing {
        let good = || Standing::Good(account.user.clone());
        match &identity.proof {
            Proof::Token { password_hash } => {
                match self.jwt.check_user(password_hash.as_deref(), account.is_active, &account.password) {
                    Ok(()) => good(),
                    Err(_) => Standing::UserGone,
                }
            }
            Proof::Session { .. } if !account.is_active => Standing::UserGone,
            Proof::Session { key } => {
                let claim = sessions.get(key).and_then(|row| session::read(row, tx.now(), &self.session));
                let holds = claim.is_some_and(|claim| {
                    claim.user_id == account.user.id && claim.holds_for(&account.password, true, &self.session.keys)
                });
                if holds { good() } else { Standing::SessionGone }
            }
        }
    }
}

fn session_key(identity: &Grounds) -> Option<&str> {
    match &identity.proof {
        Proof::Session { key } => Some(key),
        Proof::Token { .. } => None,
    }
}
