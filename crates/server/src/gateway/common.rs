//! The messages that every endpoint knows, and their answers.

use holodrive_protocol::socket::{CommonServerMessage, ErrorCode, ErrorMessage};

use super::{Connection, Frame};
use crate::accounts::{Credential, Identity, Refusal};

thread_local! {
    /// The answer to `ping`, made once for each thread: the count of its owners would go from core to core otherwise.
    static PONG: Frame = Frame::json(&CommonServerMessage::Pong);
}

impl Connection {
    /// Answers `ping`.
    pub(super) fn answer_ping(&self) {
        self.send(PONG.with(Frame::clone));
    }

    /// Deals with `authenticate`: replaces the credential. A bad one changes nothing.
    pub(super) async fn authenticate(&self, token: String) -> Result<(), ErrorMessage> {
        let identity = self.new_identity(token).await?;
        let expires_at = identity.expires_at;
        self.renew(identity);
        self.send(Frame::json(&CommonServerMessage::Authenticated { expires_at }));
        Ok(())
    }

    async fn new_identity(&self, token: String) -> Result<Identity, ErrorMessage> {
        let refused = |message: &str| ErrorMessage::new(ErrorCode::Unauthorized, message);
        match self.terms().accounts.authenticate(&Credential::AccessToken(token)).await {
            Ok(identity) if identity.user.id == self.user_id() => Ok(identity),
            Ok(_) => Err(refused("the token belongs to another user; the old credential still counts")),
            Err(Refusal::Unavailable) => {
                Err(ErrorMessage::new(ErrorCode::Unavailable, "the token cannot be checked now: try again"))
            }
            Err(Refusal::TokenExpired) => Err(refused("the token has expired; the old credential still counts")),
            Err(Refusal::Unauthorized) => Err(refused("the token is not valid; the old credential still counts")),
        }
    }
}
