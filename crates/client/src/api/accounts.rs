//! Tokens, and who one is.

use holodrive_protocol::http::{AccessToken, Login, Me, RefreshToken, TokenPair, VerifyToken};

use super::{Api, call::Call};
use crate::Error;

impl Api {
    /// Name and password for a pair of tokens. A client built with `login` does this by itself.
    pub async fn obtain_token(&self, login: &Login) -> Result<TokenPair, Error> {
        self.fetch(Call::post("/api/token/").anonymous().json(login)).await
    }

    /// A new access token for a refresh token.
    pub async fn refresh_token(&self, token: &RefreshToken) -> Result<AccessToken, Error> {
        self.fetch(Call::post("/api/token/refresh/").anonymous().json(token)).await
    }

    /// Whether the server takes a token; [`Error::Refused`] with status 401 when not.
    pub async fn verify_token(&self, token: &VerifyToken) -> Result<(), Error> {
        self.perform(Call::post("/api/token/verify/").anonymous().json(token)).await
    }

    /// Who one is.
    pub async fn me(&self) -> Result<Me, Error> {
        self.fetch(Call::get("/api/me/")).await
    }

    /// Whether the server answers at all.
    pub async fn is_alive(&self) -> Result<(), Error> {
        self.perform(Call::get("/healthz").anonymous()).await
    }

    /// Whether the server can do its work: its database answers, and its fan-out.
    pub async fn is_ready(&self) -> Result<(), Error> {
        self.perform(Call::get("/readyz").anonymous()).await
    }
}
