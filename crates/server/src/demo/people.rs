//! Who lives in the demo, and their credentials.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::future::try_join_all;
use holodrive_client::{Api, Error, TokenFuture, TokenSource};
use holodrive_protocol::UserId;

use crate::{accounts::UserToAdd, app::App};

/// Everybody's password. Well known, which is why the demo listens on this machine only.
pub(super) const PASSWORD: &str = "demo";

const RIDERS: [(&str, &str); 6] = [
    ("Dilnoza", "Rahimova"),
    ("Jasur", "Aliyev"),
    ("Madina", "Yusupova"),
    ("Otabek", "Nazarov"),
    ("Sevara", "Ismoilova"),
    ("Timur", "Saidov"),
];

const DRIVERS: [(&str, &str); 12] = [
    ("Sobirjon", "Bobojonov"),
    ("Akmal", "Tursunov"),
    ("Bekzod", "Karimov"),
    ("Davron", "Umarov"),
    ("Eldor", "Qodirov"),
    ("Farrux", "Hamidov"),
    ("G'ayrat", "Sobirov"),
    ("Hasan", "Ergashev"),
    ("Ilhom", "Mirzayev"),
    ("Kamol", "Xolmatov"),
    ("Lochin", "Normatov"),
    ("Mansur", "Eshonov"),
];

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Rider,
    Driver,
    Staff,
}

/// Somebody of the demo.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) username: String,
    first_name: &'static str,
    last_name: &'static str,
    pub(super) role: Role,
    /// Whether the banner offers the account to the user, who may want to act himself.
    pub(super) is_login: bool,
}

/// Everybody: `rider`, `rider2`, …, `driver`, `driver2`, …, `admin`.
pub(super) fn everybody() -> impl Iterator<Item = Person> {
    let numbered = |role, stem: &'static str, names: &'static [(&str, &str)]| {
        (1..).zip(names).map(move |(number, &(first_name, last_name))| {
            let username = if number == 1 { stem.to_owned() } else { format!("{stem}{number}") };
            Person { username, first_name, last_name, role, is_login: number == 1 }
        })
    };
    numbered(Role::Rider, "rider", &RIDERS).chain(numbered(Role::Driver, "driver", &DRIVERS)).chain(numbered(
        Role::Staff,
        "admin",
        &[("Nodira", "Support")],
    ))
}

/// Adds the accounts that are not there yet.
pub(super) async fn ensure_accounts(app: &App) -> anyhow::Result<()> {
    try_join_all(everybody().map(|person| ensure_account(app, person))).await?;
    Ok(())
}

async fn ensure_account(app: &App, person: Person) -> anyhow::Result<()> {
    if app.accounts.account_by_name(&person.username).await?.is_some() {
        return Ok(());
    }
    let groups = if person.role == Role::Driver { vec![app.config.driver_group.clone()] } else { Vec::new() };
    let user = UserToAdd {
        username: person.username.clone(),
        password: PASSWORD.to_owned(),
        first_name: person.first_name.to_owned(),
        last_name: person.last_name.to_owned(),
        is_staff: person.role == Role::Staff,
        groups,
    };
    let added = app.accounts.add_user(user).await;
    added.with_context(|| format!("the demo account {:?} could not be added", person.username)).map(drop)
}

/// A fresh token for an account of the demo.
pub(super) async fn token(app: &App, username: &str, lifetime: Duration) -> anyhow::Result<String> {
    let account = app.accounts.account_by_name(username).await?;
    let account = account.with_context(|| format!("there is no user {username:?}"))?;
    Ok(app.accounts.access_token(&account, lifetime)?)
}

/// Tokens without a login: two dozen logins from one address at once would be too many for `LOGIN_RATE`.
pub(super) struct Tokens {
    app: Arc<App>,
    username: String,
}

impl Tokens {
    pub(super) fn of(app: &Arc<App>, username: &str) -> Self {
        Self { app: Arc::clone(app), username: username.to_owned() }
    }
}

impl TokenSource for Tokens {
    fn token<'a>(&'a self, _rejected: Option<&'a str>) -> TokenFuture<'a> {
        Box::pin(async {
            let lifetime = self.app.config.jwt_access_token_lifetime;
            token(&self.app, &self.username, lifetime).await.map_err(|_| Error::NoToken)
        })
    }
}

/// The user's key, as the server tells it; asks until it does.
pub(super) async fn who_am_i(api: &Api) -> UserId {
    loop {
        match api.me().await {
            Ok(me) => return me.id,
            Err(error) => tracing::debug!(%error, "demo: the server does not say who I am"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
