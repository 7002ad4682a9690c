use super::{Credential, Identity, Refusal, Standing};

/// Who is who.
pub struct Accounts {}

impl Accounts {
    /// Who shows this credential.
    pub async fn authenticate(&self, _credential: &Credential) -> Result<Identity, Refusal> {
        Err(Refusal::Unavailable)
    }

    /// Looks again at identities, all in a few queries; one standing for each, in their order.
    pub async fn recheck(&self, _identities: Vec<Identity>) -> Result<Vec<Standing>, Refusal> {
        Err(Refusal::Unavailable)
    }
}
