//! SimpleJWT's settings, under its names and with its defaults.

use std::{fmt, str::FromStr, time::Duration};

use jsonwebtoken::Algorithm;

/// SimpleJWT's `SIMPLE_JWT`; each field is the setting of the same name.
#[derive(Clone)]
pub struct JwtSettings {
    /// The only algorithm that is accepted, and the one that signs.
    pub algorithm: Algorithm,
    /// The shared secret of HS algorithms (`SECRET_KEY` unless set), else a private key in PEM (PKCS #8).
    pub signing_key: String,
    /// The public key in PEM, for all but the HS algorithms.
    pub verifying_key: Option<String>,
    /// Where a JWK set with the public keys is found, instead of `verifying_key`.
    pub jwk_url: Option<String>,
    /// A token must be for one of these; empty: any.
    pub audience: Vec<String>,
    /// A token must come from here.
    pub issuer: Option<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// The claim that names the user.
    pub user_id_claim: String,
    /// The column of the user table that the claim is looked up in.
    pub user_id_field: String,
    /// The claim that tells access from refresh tokens.
    pub token_type_claim: String,
    /// Whether changing the password ends tokens.
    pub check_revoke_token: bool,
    /// Whether deactivating the user ends tokens.
    pub check_user_is_active: bool,
    /// Which tokens may open a connection or a request.
    pub auth_token_classes: Vec<TokenClass>,
    /// How long an access token lasts.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lasts.
    pub refresh_token_lifetime: Duration,
}

impl JwtSettings {
    /// SimpleJWT's defaults: HS256 under `SECRET_KEY`, 5 minutes, 1 day.
    pub fn new(secret_key: String) -> Self {
        Self {
            algorithm: Algorithm::HS256,
            signing_key: secret_key,
            verifying_key: None,
            jwk_url: None,
            audience: Vec::new(),
            issuer: None,
            leeway: Duration::ZERO,
            user_id_claim: "user_id".into(),
            user_id_field: "id".into(),
            token_type_claim: "token_type".into(),
            check_revoke_token: false,
            check_user_is_active: true,
            auth_token_classes: vec![TokenClass::Access],
            access_token_lifetime: Duration::from_mins(5),
            refresh_token_lifetime: Duration::from_hours(24),
        }
    }
}

impl fmt::Debug for JwtSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSettings").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// One of SimpleJWT's classes for tokens that authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    /// `AccessToken`.
    Access,
    /// `SlidingToken`.
    Sliding,
}

/// The name is of no token class that can authenticate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no token class: write `AccessToken` or `SlidingToken`")]
pub struct UnknownTokenClass(String);

impl TokenClass {
    /// The name of the class, as error messages carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "AccessToken",
            Self::Sliding => "SlidingToken",
        }
    }

    /// The value of the `token_type` claim.
    pub fn token_type(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Sliding => "sliding",
        }
    }
}

impl FromStr for TokenClass {
    type Err = UnknownTokenClass;

    /// Reads `AccessToken` or the dotted path that Django's settings use.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().trim_start_matches("rest_framework_simplejwt.tokens.") {
            "AccessToken" => Ok(Self::Access),
            "SlidingToken" => Ok(Self::Sliding),
            _ => Err(UnknownTokenClass(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_by_name_and_by_path() {
        for class in [TokenClass::Access, TokenClass::Sliding] {
            let path = format!("rest_framework_simplejwt.tokens.{}", class.name());
            assert_eq!(class.name().parse(), Ok(class));
            assert_eq!(path.parse(), Ok(class));
        }
        assert!("UntypedToken".parse::<TokenClass>().is_err());
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        assert!(!format!("{:?}", JwtSettings::new("hush".into())).contains("hush"));
    }
}
