//! Running servers that ask a back end.

use holodrive_client::{Api, FixedToken};
use tempfile::TempDir;

use super::*;
use crate::{server::Server, storage::Tx};

const ANN: &str =
    "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
     date_joined) VALUES ('!', FALSE, 'ann', '', '', '', FALSE, TRUE, '2026-01-01 00:00:00')";

pub(super) struct Running {
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) user_id: UserId,
    settings: Vec<(String, String)>,
    token: String,
    folder: TempDir,
}

/// A server with one user; it asks for nothing but what `hooks` names.
pub(super) async fn start(django: &Django, hooks: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("HOOKS_URL", &*django.url()), ("HOOKS_SECRET", SECRET), ("HOOKS", hooks), ("DRAIN_TIMEOUT", "0")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = serve(&settings, &folder).await;
    let app = server.app();
    let insert = |tx: &mut Tx<'_>| tx.execute(ANN, &[]);
    app.storage.write(insert).await.unwrap();
    let account = app.accounts.account_by_name("ann").await.unwrap().unwrap();
    let token = app.accounts.token_pair(&account).unwrap().access;
    let user_id = account.user().id;
    Running { api: api(&server, &token), server, user_id, settings, token, folder }
}

impl Running {
    /// Another server on the same database.
    pub(super) async fn start_beside(&self) -> (Server, Api) {
        let server = serve(&self.settings, &self.folder).await;
        let api = api(&server, &self.token);
        (server, api)
    }
}

async fn serve(settings: &[(String, String)], folder: &TempDir) -> Server {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Server::start(Config::for_tests(folder.path(), &settings).unwrap()).await.unwrap()
}

fn api(server: &Server, token: &str) -> Api {
    Api::builder(format!("http://{}", server.address())).token_source(FixedToken::new(token)).build().unwrap()
}
