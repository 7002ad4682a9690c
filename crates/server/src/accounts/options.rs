use super::{jwt::JwtSettings, session::SessionSettings, signing::SecretKeys, store::UserTables};
use crate::config::{Config, Secret};

/// What decides who is who: keys, rules and the names of tables.
#[derive(Debug, Clone)]
pub struct AccountsOptions {
    /// Which sessions are believed.
    pub session: SessionSettings,
    /// Which tokens are believed and how new ones are made.
    pub jwt: JwtSettings,
    /// Where users are found.
    pub tables: UserTables,
    /// The group that makes a user a driver.
    pub driver_group: String,
}

impl From<&Config> for AccountsOptions {
    fn from(config: &Config) -> Self {
        Self {
            session: session(config),
            jwt: jwt(config),
            tables: tables(config),
            driver_group: config.driver_group.clone(),
        }
    }
}

fn session(config: &Config) -> SessionSettings {
    SessionSettings {
        keys: SecretKeys {
            current: config.secret_key.expose().to_owned(),
            fallbacks: config.secret_key_fallbacks.iter().map(|key| key.expose().to_owned()).collect(),
        },
        cookie_name: config.session_cookie_name.clone(),
        cookie_age: config.session_cookie_age,
        authentication_backends: config.authentication_backends.clone(),
    }
}

fn jwt(config: &Config) -> JwtSettings {
    let signing_key = config.jwt_signing_key.as_ref().unwrap_or(&config.secret_key);
    JwtSettings {
        algorithm: config.jwt_algorithm,
        signing_key: signing_key.expose().to_owned(),
        verifying_key: config.jwt_verifying_key.as_ref().map(Secret::expose).map(str::to_owned),
        jwk_url: config.jwt_jwk_url.clone(),
        audience: config.jwt_audience.clone(),
        issuer: config.jwt_issuer.clone(),
        leeway: config.jwt_leeway,
        user_id_claim: config.jwt_user_id_claim.clone(),
        user_id_field: config.jwt_user_id_field.clone(),
        token_type_claim: "token_type".into(),
        check_revoke_token: config.jwt_check_revoke_token,
        check_user_is_active: config.jwt_check_user_is_active,
        auth_token_classes: config.jwt_auth_token_classes.clone(),
        access_token_lifetime: config.jwt_access_token_lifetime,
        refresh_token_lifetime: config.jwt_refresh_token_lifetime,
    }
}

fn tables(config: &Config) -> UserTables {
    UserTables {
        users: config.auth_user_table.clone(),
        user_groups: config.auth_user_groups_table.clone(),
        user_groups_user: config.auth_user_groups_user_column.clone(),
        login_field: config.auth_login_field.clone(),
    }
}
