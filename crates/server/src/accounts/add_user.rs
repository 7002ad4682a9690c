use std::sync::Arc;

use holodrive_protocol::UserId;

use super::{Accounts, password::hash_password, store::NewUser};
use crate::storage::StorageError;

/// Django's limit for names of users and of groups, in characters.
const MAX_NAME: usize = 150;
/// Django's limit for an e-mail address.
const MAX_LOGIN: usize = 254;

/// A user to be added, as `holodrive user add` takes it.
#[derive(Clone, Default)]
pub struct UserToAdd {
    /// The login name.
    pub username: String,
    /// In plain text; only its hash is stored.
    pub password: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// Whether he may use the console and answer as support.
    pub is_staff: bool,
    /// Groups that he joins; those that are not there are added.
    pub groups: Vec<String>,
}

/// Why a user was not added.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddUserError {
    /// Django would not take the name.
    #[error("a user name has 1 to 150 letters, digits and any of @ . + - _")]
    BadUsername,
    /// It is no address, nor anything else that one could type to log in.
    #[error("a login name has 1 to 254 characters, and no spaces")]
    BadLogin,
    /// The user table has no place for what was asked.
    #[error("the user table has no column {0}: leave that option out")]
    NoColumn(&'static str),
    /// One of the other names is too long, or the name of a group is empty.
    #[error("names of users and groups have at most 150 characters, and a group's name at least one")]
    BadName,
    /// An empty password would let anybody in.
    #[error("the password must not be empty")]
    NoPassword,
    /// There is such a user already.
    #[error("the name is taken: there is a user of that name already")]
    Taken,
    /// The user table wants more than Django's own does.
    #[error("the user table refused the user: {0}")]
    Refused(String),
    /// The database could not be written.
    #[error(transparent)]
    Storage(StorageError),
}

impl Accounts {
    /// Adds an active user and returns his key.
    ///
    /// # Errors
    /// When a name is not acceptable or taken.
    pub async fn add_user(&self, user: UserToAdd) -> Result<UserId, AddUserError> {
        check_login(&user.username, self.rules.users.login_field())?;
        check(&user)?;
        if let Some(column) = self.rules.users.lacks(columns_for(&user)) {
            return Err(AddUserError::NoColumn(column));
        }
        let password = user.password;
        let encoded_password = tokio::task::spawn_blocking(move || hash_password(&password))
            .await
            .map_err(|_| AddUserError::Storage(StorageError::Unavailable))?;
        let user = NewUser {
            username: user.username,
            encoded_password,
            first_name: user.first_name,
            last_name: user.last_name,
            is_staff: user.is_staff,
            groups: user.groups,
        };
        let rules = Arc::clone(&self.rules);
        self.storage
            .write(move |tx| match rules.users.by_login(tx, &user.username)? {
                Some(_) => Err(AddUserError::Taken),
                None => Ok(rules.users.insert_user(tx, &user)?),
            })
            .await
    }
}

/// The columns without which something that was asked would be lost.
fn columns_for(user: &UserToAdd) -> impl Iterator<Item = &'static str> {
    let asked = [
        ("first_name", !user.first_name.is_empty()),
        ("last_name", !user.last_name.is_empty()),
        ("is_staff", user.is_staff),
    ];
    asked.into_iter().filter_map(|(column, asked)| asked.then_some(column))
}

/// Django restricts user names; what else one may log in with is for the project to say.
fn check_login(name: &str, field: &str) -> Result<(), AddUserError> {
    let length = name.chars().count();
    if field == "username" {
        let allowed = |character: char| character.is_alphanumeric() || "@.+-_".contains(character);
        let fits = (1..=MAX_NAME).contains(&length) && name.chars().all(allowed);
        return fits.then_some(()).ok_or(AddUserError::BadUsername);
    }
    let allowed = |character: char| !character.is_whitespace() && !character.is_control();
    let fits = (1..=MAX_LOGIN).contains(&length) && name.chars().all(allowed);
    fits.then_some(()).ok_or(AddUserError::BadLogin)
}

fn check(user: &UserToAdd) -> Result<(), AddUserError> {
    let fits = |name: &str| name.chars().count() <= MAX_NAME;
    let groups_fit = user.groups.iter().all(|group| fits(group) && !group.is_empty());
    if !fits(&user.first_name) || !fits(&user.last_name) || !groups_fit {
        return Err(AddUserError::BadName);
    }
    if user.password.is_empty() {
        return Err(AddUserError::NoPassword);
    }
    Ok(())
}

impl From<StorageError> for AddUserError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Constraint(text) => Self::Refused(text),
            error => Self::Storage(error),
        }
    }
}
