//! Accounts over a real database file: Django's rows, by the queries that the server runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{NOW, Site, session_row, users, vectors};
use holodrive::{
    accounts::{
        Account, Accounts, AddUserError, Credential, Grounds, Identity, LoginError, Proof, RefreshError, Refusal,
        Standing, UserToAdd, jwt::TokenError,
    },
    storage::Value,
};
use holodrive_protocol::UserId;

fn session(key: &str) -> Credential {
    Credential::SessionCookie(key.to_owned())
}

fn token(token: &str) -> Credential {
    Credential::AccessToken(token.to_owned())
}

async fn account(site: &Site, name: &str) -> Account {
    site.accounts.account_by_name(name).await.unwrap().unwrap()
}

async fn token_identity(site: &Site, name: &str) -> Identity {
    let pair = site.accounts.token_pair(&account(site, name).await).unwrap();
    site.accounts.authenticate(&token(&pair.access)).await.unwrap()
}

async fn session_identity(site: &Site, name: &str) -> Identity {
    let row = site.accounts.create_session(&account(site, name).await).await.unwrap();
    site.accounts.authenticate(&session(&row.session_key)).await.unwrap()
}

fn grounds(identities: &[Identity]) -> Vec<Grounds> {
    identities.iter().cloned().map(Grounds::from).collect()
}

#[tokio::test]
async fn every_session_vector_gets_djangos_verdict_through_the_database() {
    let site = Site::with_vector_users().await;
    let mut ran = 0;
    for vector in vectors("/sessions") {
        site.set_now(vector["now"].as_str().unwrap_or(NOW));
        let row = &vector["row"];
        site.run(
            "INSERT INTO django_session (session_key, session_data, expire_date) VALUES ($1, $2, $3)
             ON CONFLICT (session_key) DO UPDATE SET session_data = excluded.session_data, expire_date = excluded.expire_date",
            session_row(row),
        )
        .await;
        let verdict = site.accounts.authenticate(&session(vector["cookie"].as_str().unwrap())).await;
        let user_id = verdict.ok().map(|identity| identity.user.id);
        assert_eq!(serde_json::to_value(user_id).unwrap(), vector["expect"]["user_id"], "{vector}");
        ran += 1;
    }
    assert_eq!(ran, 34);
}

#[tokio::test]
async fn every_token_vector_of_the_default_settings_gets_djangos_verdict_through_the_database() {
    let site = Site::with_vector_users().await;
    let mut ran = 0;
    for vector in vectors("/jwt/vectors").iter().filter(|vector| vector["profile"] == "default") {
        match vector["now"].as_i64() {
            Some(seconds) => site.set_now_micros(seconds * 1_000_000),
            None => site.set_now(NOW),
        }
        let verdict = site.accounts.authenticate(&token(vector["token"].as_str().unwrap())).await;
        let user_id = serde_json::to_value(verdict.ok().map(|identity| identity.user.id)).unwrap();
        let stricter = vector["strictness"] == "either" && user_id.is_null();
        assert!(stricter || user_id == vector["expect"]["user_id"], "{vector}");
        ran += 1;
    }
    assert_eq!(ran, 29);
}

#[tokio::test]
async fn a_user_comes_with_his_names_and_groups() {
    let site = Site::with_vector_users().await;
    let driver = token_identity(&site, "driver5").await;
    assert_eq!(driver.user.id, UserId::Int(5));
    assert!(driver.user.in_group("driver") && !driver.user.in_group("rider"));
    assert_eq!(driver.user.display_name(), "driver5");
    assert_eq!(site.accounts.users_in_group("rider").await.unwrap(), [UserId::Int(1), UserId::Int(2)]);
    assert_eq!(site.accounts.users_in_group("nobody").await.unwrap(), []);
    assert_eq!(site.accounts.active_staff().await.unwrap(), []);
    assert!(site.accounts.user_by_id(UserId::Int(4)).await.unwrap().is_some(), "inactive users keep their names");
    assert!(site.accounts.user_by_id(UserId::Int(424_242)).await.unwrap().is_none());
    let known = site.accounts.users_by_id((0..2_000).map(UserId::Int).collect()).await.unwrap();
    assert_eq!(known.len(), users().len());
}

#[tokio::test]
async fn look_ups_within_a_transaction_see_the_same_users() {
    let site = Site::new(&[("DRIVER_GROUP", "driver")]);
    site.add_vector_users().await;
    let ids = [5, 4, 1, 424_242].map(UserId::Int);
    let drivers =
        site.within(move |accounts, tx| ids.map(|id| accounts.is_active_driver(tx, id)).into_iter().collect());
    let drivers: Vec<bool> = drivers.await;
    assert_eq!(drivers, [true, false, false, false]);
    let active = site.within(move |accounts, tx| accounts.filter_active(tx, &ids)).await;
    assert_eq!(active, [5, 1].map(UserId::Int));
    let found = site.within(move |accounts, tx| accounts.find_users(tx, &ids)).await;
    assert_eq!(found.len(), 3);
    let driver = site.within(|accounts, tx| accounts.find_user(tx, UserId::Int(5))).await.unwrap();
    assert!(site.accounts.is_driver(&driver));
    assert_eq!(site.within(|accounts, tx| accounts.find_group(tx, "driver")).await, [UserId::Int(5)]);
    assert_eq!(site.within(Accounts::find_staff).await, []);

    site.run("UPDATE auth_user SET is_active = FALSE, is_staff = TRUE WHERE id = 5", []).await;
    assert!(!site.within(|accounts, tx| accounts.is_active_driver(tx, UserId::Int(5))).await);
    assert_eq!(site.within(|accounts, tx| accounts.find_group(tx, "driver")).await, []);
    assert_eq!(site.within(Accounts::find_staff).await, []);
}

#[tokio::test]
async fn logging_in_wants_the_right_password_of_an_active_user() {
    let site = Site::with_vector_users().await;
    let login = |name, password: &str| site.accounts.login(name, password.to_owned());
    assert_eq!(login("driver5", "pw-5").await.unwrap().user().id, UserId::Int(5));
    for (name, password) in
        [("driver5", "pw-5x"), ("inactive", "pw-4"), ("nobody", "pw"), ("sso_only", ""), ("DRIVER5", "pw-5")]
    {
        assert!(matches!(login(name, password).await, Err(LoginError::Rejected)), "{name}");
    }
}

#[tokio::test]
async fn refresh_tokens_get_access_tokens_until_blacklisted() {
    let site = Site::with_vector_users().await;
    let pair = site.accounts.token_pair(&account(&site, "driver5").await).unwrap();
    let access = site.accounts.refresh(&pair.refresh).await.unwrap();
    assert_eq!(site.accounts.authenticate(&token(&access)).await.unwrap().user.id, UserId::Int(5));
    assert!(matches!(site.accounts.refresh(&pair.access).await, Err(RefreshError::Token(TokenError::WrongType))));
    assert_eq!(site.accounts.authenticate(&token(&pair.refresh)).await.err(), Some(Refusal::Unauthorized));
    assert_eq!(site.accounts.verify_token(&pair.refresh).await, Ok(()));
    assert_eq!(site.accounts.verify_token("garbage").await, Err(TokenError::Invalid));

    site.run("CREATE TABLE token_blacklist_outstandingtoken (id INTEGER PRIMARY KEY, jti VARCHAR(255))", []).await;
    site.run("CREATE TABLE token_blacklist_blacklistedtoken (id INTEGER PRIMARY KEY, token_id BIGINT)", []).await;
    assert!(site.accounts.refresh(&pair.refresh).await.is_ok(), "an empty blacklist holds nothing");
    let jti = common::claims(&pair.refresh)["jti"].as_str().unwrap().to_owned();
    site.run("INSERT INTO token_blacklist_outstandingtoken VALUES (7, $1)", [jti.into()]).await;
    site.run("INSERT INTO token_blacklist_blacklistedtoken VALUES (1, 7)", []).await;
    assert!(matches!(site.accounts.refresh(&pair.refresh).await, Err(RefreshError::Blacklisted)));
}

#[tokio::test]
async fn the_refresh_token_of_a_user_who_is_gone_is_worth_nothing() {
    let site = Site::with_vector_users().await;
    let of = async |name| site.accounts.token_pair(&account(&site, name).await).unwrap().refresh;
    let (inactive, deleted) = (of("inactive").await, of("sso_only").await);
    site.run("DELETE FROM auth_user WHERE username = 'sso_only'", []).await;
    for refresh in [inactive, deleted] {
        assert!(matches!(site.accounts.refresh(&refresh).await, Err(RefreshError::NoAccount)));
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart() {
    let site = Site::with_vector_users().await;
    let driver = account(&site, "driver5").await;
    let short = site.accounts.access_token(&driver, Duration::from_mins(1)).unwrap();
    assert!(site.accounts.authenticate(&token(&short)).await.is_ok());
    site.set_now_micros(site.now_micros() + 60_000_000);
    assert_eq!(site.accounts.authenticate(&token(&short)).await.err(), Some(Refusal::TokenExpired));
}

#[tokio::test]
async fn rechecking_tells_what_became_of_each_identity() {
    let site = Site::with_vector_users().await;
    let mut identities = Vec::new();
    for name in ["alice", "driver5", "argon", "scrypt"] {
        identities.push(token_identity(&site, name).await);
        identities.push(session_identity(&site, name).await);
    }
    let all_good = site.accounts.recheck(grounds(&identities)).await.unwrap();
    assert!(all_good.iter().all(|standing| matches!(standing, Standing::Good(_))));

    let Proof::Session { key } = &identities[1].proof else { panic!("a session") };
    site.accounts.delete_session(key).await.unwrap();
    site.run("DELETE FROM auth_user_groups WHERE user_id = 5", []).await;
    site.run("UPDATE auth_user SET is_active = FALSE WHERE username = 'argon'", []).await;
    site.run("UPDATE auth_user SET password = 'pbkdf2_sha256$1$changed$x' WHERE username = 'scrypt'", []).await;

    let standings = site.accounts.recheck(grounds(&identities)).await.unwrap();
    let driver = site.accounts.user_by_id(UserId::Int(5)).await.unwrap().unwrap();
    assert!(driver.groups.is_empty());
    let alice = identities[0].user.clone();
    let scrypt = identities[6].user.clone();
    let expected = [
        Standing::Good(alice),
        Standing::SessionGone,
        Standing::Good(driver.clone()),
        Standing::Good(driver),
        Standing::UserGone,
        Standing::UserGone,
        Standing::Good(scrypt),
        Standing::SessionGone,
    ];
    assert_eq!(standings, expected);
    assert_eq!(site.accounts.recheck(Vec::new()).await.unwrap(), []);
}

#[tokio::test]
async fn a_session_of_another_user_does_not_keep_an_identity_alive() {
    let site = Site::with_vector_users().await;
    let mut identity = session_identity(&site, "alice").await;
    identity.user = token_identity(&site, "driver5").await.user;
    assert_eq!(site.accounts.recheck(grounds(&[identity])).await.unwrap(), [Standing::SessionGone]);
}

#[tokio::test]
async fn password_changes_end_tokens_only_where_that_is_set() {
    let site = Site::new(&[("JWT_CHECK_REVOKE_TOKEN", "true")]);
    site.add_vector_users().await;
    let identity = token_identity(&site, "driver5").await;
    assert!(matches!(
        site.accounts.recheck(grounds(std::slice::from_ref(&identity))).await.unwrap()[..],
        [Standing::Good(_)]
    ));
    site.run("UPDATE auth_user SET password = '!' WHERE id = 5", []).await;
    assert_eq!(site.accounts.recheck(grounds(&[identity])).await.unwrap(), [Standing::UserGone]);
}

#[tokio::test]
async fn only_sessions_of_configured_backends_count() {
    let model_backend = "django.contrib.auth.backends.ModelBackend";
    for (backends, accepted) in [("other.Backend", false), (&*format!("other.Backend,{model_backend}"), true)] {
        let site = Site::new(&[("AUTHENTICATION_BACKENDS", backends)]);
        site.add_vector_users().await;
        let vector = &vectors("/sessions")[0]["row"];
        site.run(
            "INSERT INTO django_session (session_key, session_data, expire_date) VALUES ($1, $2, $3)",
            session_row(vector),
        )
        .await;
        let djangos = site.accounts.authenticate(&session(vector["session_key"].as_str().unwrap())).await;
        assert_eq!(djangos.is_ok(), accepted, "{backends}");
        assert_eq!(session_identity(&site, "alice").await.user.id, UserId::Int(1), "our own under {backends}");
    }
}

#[tokio::test]
async fn an_added_user_can_log_in() {
    let site = Site::new(&[]);
    let user = UserToAdd {
        username: "sobir".into(),
        password: "parol".into(),
        first_name: "Sobirjon".into(),
        last_name: "Bobojonov".into(),
        is_staff: true,
        groups: vec!["Driver".into(), "Night".into()],
    };
    let id = site.accounts.add_user(user.clone()).await.unwrap();
    let account = site.accounts.login("sobir", "parol".into()).await.unwrap();
    assert_eq!(account.user().id, id);
    assert_eq!(account.user().display_name(), "Sobirjon Bobojonov");
    assert_eq!(*account.user().groups, ["Driver", "Night"]);
    assert_eq!(site.accounts.active_staff().await.unwrap(), [id]);
    assert!(matches!(site.accounts.add_user(user).await, Err(AddUserError::Taken)));
    let second = UserToAdd {
        username: "umid".into(),
        password: "p".into(),
        groups: vec!["Driver".into()],
        ..UserToAdd::default()
    };
    let second = site.accounts.add_user(second).await.unwrap();
    assert_eq!(site.accounts.users_in_group("Driver").await.unwrap(), [id, second]);
}

#[tokio::test]
async fn unacceptable_users_are_not_added() {
    let site = Site::new(&[]);
    let good = UserToAdd { username: "a".into(), password: "p".into(), ..UserToAdd::default() };
    for username in ["", "with space", "semi;colon", &"x".repeat(151)] {
        let user = UserToAdd { username: username.into(), ..good.clone() };
        assert!(matches!(site.accounts.add_user(user).await, Err(AddUserError::BadUsername)), "{username}");
    }
    let unnamed = UserToAdd { groups: vec![String::new()], ..good.clone() };
    assert!(matches!(site.accounts.add_user(unnamed).await, Err(AddUserError::BadName)));
    let open = UserToAdd { password: String::new(), ..good };
    assert!(matches!(site.accounts.add_user(open).await, Err(AddUserError::NoPassword)));
}

#[tokio::test]
async fn a_custom_user_model_with_uuid_keys_works_alike() {
    let site = Site::custom().await;
    let id: UserId = common::CUSTOM_USER.parse().unwrap();
    let account = site.accounts.login("rider@example.com", "pw-5".into()).await.unwrap();
    assert_eq!(account.user().id, id);
    assert_eq!(*account.user().username, *"rider@example.com");
    assert_eq!(*account.user().groups, ["Driver"]);

    let pair = site.accounts.token_pair(&account).unwrap();
    assert_eq!(common::claims(&pair.access)["user_id"], common::CUSTOM_USER);
    let by_token = site.accounts.authenticate(&token(&pair.access)).await.unwrap();
    let row = site.accounts.create_session(&account).await.unwrap();
    let by_session = site.accounts.authenticate(&session(&row.session_key)).await.unwrap();
    assert_eq!((by_token.user.id, by_session.user.id), (id, id));
    let standings = site.accounts.recheck(grounds(&[by_token, by_session])).await.unwrap();
    assert!(standings.iter().all(|standing| matches!(standing, Standing::Good(_))));
    assert_eq!(site.accounts.users_in_group("Driver").await.unwrap(), [id]);
}

#[tokio::test]
async fn a_column_that_does_not_exist_is_an_error_and_matches_nobody() {
    let site = Site::new(&[("AUTH_LOGIN_FIELD", "emial")]);
    assert!(matches!(site.accounts.login("emial", "x".into()).await, Err(LoginError::Storage(_))));
}

#[tokio::test]
async fn tokens_may_name_users_by_another_column() {
    let site = Site::new(&[("JWT_USER_ID_FIELD", "username"), ("JWT_USER_ID_CLAIM", "sub")]);
    site.add_vector_users().await;
    let pair = site.accounts.token_pair(&account(&site, "driver5").await).unwrap();
    assert_eq!(common::claims(&pair.access)["sub"], "driver5");
    assert_eq!(site.accounts.authenticate(&token(&pair.access)).await.unwrap().user.id, UserId::Int(5));
    site.run("UPDATE auth_user SET username = $1 WHERE id = 5", [Value::from("renamed")]).await;
    assert_eq!(site.accounts.authenticate(&token(&pair.access)).await.err(), Some(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_token_name_that_several_users_have_names_nobody() {
    let site = Site::new(&[("JWT_USER_ID_FIELD", "email")]);
    site.add_vector_users().await;
    site.run("UPDATE auth_user SET email = username || '@example.com'", []).await;
    let pair = site.accounts.token_pair(&account(&site, "driver5").await).unwrap();
    let (one, again) = (token(&pair.access), token(&pair.access));
    let found = tokio::join!(site.accounts.authenticate(&one), site.accounts.authenticate(&again));
    assert_eq!((found.0.unwrap().user.id, found.1.unwrap().user.id), (UserId::Int(5), UserId::Int(5)));
    site.run("UPDATE auth_user SET email = 'driver5@example.com' WHERE id <> 5", []).await;
    assert_eq!(site.accounts.authenticate(&one).await.err(), Some(Refusal::Unauthorized));
}

#[tokio::test]
async fn names_that_the_tables_do_not_have_are_told_with_their_setting() {
    for (setting, name) in [
        ("AUTH_LOGIN_FIELD", "emial"),
        ("JWT_USER_ID_FIELD", "uid"),
        ("AUTH_USER_GROUPS_TABLE", "auth_user_group"),
        ("AUTH_USER_GROUPS_USER_COLUMN", "rider_id"),
    ] {
        let site = Site::new(&[(setting, name)]);
        let error = site.accounts.check_tables().await.unwrap_err().to_string();
        assert!(error.starts_with(setting) && error.contains(name), "{error}");
    }
    Site::new(&[("JWT_USER_ID_FIELD", "pk")]).accounts.check_tables().await.unwrap();
    Site::custom().await.accounts.check_tables().await.unwrap();
}

#[tokio::test]
async fn without_a_table_of_sessions_a_cookie_is_merely_refused() {
    let site = Site::with_vector_users().await;
    let row = site.accounts.create_session(&account(&site, "driver5").await).await.unwrap();
    assert!(site.accounts.authenticate(&session(&row.session_key)).await.is_ok());
    site.run("DROP TABLE django_session", []).await;
    site.accounts.check_tables().await.unwrap();
    assert!(!site.accounts.has_sessions());
    assert_eq!(site.accounts.authenticate(&session(&row.session_key)).await.err(), Some(Refusal::Unauthorized));
}

#[tokio::test]
async fn what_no_database_can_hold_is_nobodys() {
    let site = Site::with_vector_users().await;
    assert!(matches!(site.accounts.login("driver5\0", "x".into()).await, Err(LoginError::Rejected)));
    assert_eq!(site.accounts.users_in_group("Driver\0").await.unwrap(), []);
    let cookie = session("aaaaaaaaaaaaaaaa\0aaaaaaaaaaaaaaa");
    assert_eq!(site.accounts.authenticate(&cookie).await.err(), Some(Refusal::Unauthorized));
}

#[tokio::test]
async fn an_added_user_of_a_custom_model_gets_a_key_and_what_columns_there_are() {
    let site = Site::custom().await;
    let good = UserToAdd {
        username: "o'neil@example.com".into(),
        password: "parol".into(),
        first_name: "Shaq".into(),
        is_staff: true,
        ..UserToAdd::default()
    };
    let id = site.accounts.add_user(good.clone()).await.unwrap();
    assert!(matches!(id, UserId::Uuid(_)));
    let account = site.accounts.login("o'neil@example.com", "parol".into()).await.unwrap();
    assert_eq!((account.user().id, account.user().display_name().as_str()), (id, "Shaq"));
    assert_eq!(site.accounts.active_staff().await.unwrap(), [id]);
    assert!(matches!(site.accounts.add_user(good.clone()).await, Err(AddUserError::Taken)));
    for username in ["", "two words", "nul\0", &"x".repeat(255)] {
        let user = UserToAdd { username: username.into(), ..good.clone() };
        assert!(matches!(site.accounts.add_user(user).await, Err(AddUserError::BadLogin)), "{username}");
    }
}
