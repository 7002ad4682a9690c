use std::sync::Arc;

use holodrive_protocol::{Timestamp, UserId};

/// A user, as of the moment he was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His key.
    pub id: UserId,
    /// His login name.
    pub username: Box<str>,
    /// May be empty.
    pub first_name: Box<str>,
    /// May be empty.
    pub last_name: Box<str>,
    /// Whether he is staff.
    pub is_staff: bool,
    /// The names of his groups; shared by those who are in the same ones.
    pub groups: Arc<[String]>,
}

impl User {
    /// Somebody of whom nothing but the key is known.
    pub fn unknown(id: UserId) -> Self {
        let nothing = Box::default;
        let (username, first_name, last_name) = (nothing(), nothing(), nothing());
        Self { id, username, first_name, last_name, is_staff: false, groups: Arc::default() }
    }

    /// First and last name, or the username where both are empty.
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        match name.trim() {
            "" => self.username.to_string(),
            name => name.to_owned(),
        }
    }

    /// Whether he is in the group of that name.
    pub fn in_group(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group == name)
    }
}

/// What somebody shows to say who he is.
#[derive(Clone)]
pub enum Credential {
    /// A SimpleJWT access token.
    AccessToken(String),
    /// The value of the session cookie.
    SessionCookie(String),
}

/// What an identity rests on, for looking again later.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// An access token that was good when it was shown.
    Token {
        /// The token's `hash_password`, where `JWT_CHECK_REVOKE_TOKEN` asks for it.
        password_hash: Option<String>,
    },
    /// A row of `django_session`.
    Session {
        /// Its key.
        key: String,
    },
}

impl Proof {
    /// An access token that does not name the password.
    pub const PLAIN_TOKEN: Self = Self::Token { password_hash: None };
}

/// Who somebody is, and for how long.
#[derive(Clone)]
pub struct Identity {
    /// The user.
    pub user: Arc<User>,
    /// What it rests on.
    pub proof: Proof,
    /// When the token runs out; `None` for a session.
    pub expires_at: Option<Timestamp>,
}

/// What is looked at again, however long ago somebody showed who he is.
#[derive(Clone)]
pub struct Grounds {
    /// Who.
    pub user_id: UserId,
    /// What that rests on.
    pub proof: Proof,
}

impl From<Identity> for Grounds {
    fn from(identity: Identity) -> Self {
        Self { user_id: identity.user.id, proof: identity.proof }
    }
}

/// Why a credential does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not good, or its user is gone or inactive.
    Unauthorized,
    /// It was good until it ran out.
    TokenExpired,
    /// The database cannot be read at the moment.
    Unavailable,
}

/// What a new look at the database says about a live identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It still counts; the user as he is now.
    Good(Arc<User>),
    /// The user is gone or inactive, or his password changed where that ends tokens.
    UserGone,
    /// The session is gone: logged out, expired, or its key was changed.
    SessionGone,
}
