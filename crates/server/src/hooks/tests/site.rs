//! A running server that asks a back end.

use holodrive_client::{Api, FixedToken};
use tempfile::TempDir;

use super::*;
use crate::{server::Server, storage::Tx};

pub(super) struct Running {
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) user_id: UserId,
    _folder: TempDir,
}

/// A server with one user; it asks for nothing but what `hooks` names.
pub(super) async fn start(django: &Django, hooks: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let url = django.url();
    let settings = [("HOOKS_URL", url.as_str()), ("HOOKS_SECRET", SECRET), ("HOOKS", hooks), ("DRAIN_TIMEOUT", "0")];
    let server = Server::start(Config::for_tests(folder.path(), &settings).unwrap()).await.unwrap();
    let app = server.app();
    let sql =
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
               date_joined) VALUES ('!', FALSE, 'ann', '', '', '', FALSE, TRUE, '2026-01-01 00:00:00')";
    let insert = |tx: &mut Tx<'_>| tx.execute(sql, &[]);
    app.storage.write(insert).await.unwrap();
    let account = app.accounts.account_by_name("ann").await.unwrap().unwrap();
    let token = app.accounts.token_pair(&account).unwrap().access;
    let user_id = account.user().id;
    let api =
        Api::builder(format!("http://{}", server.address())).token_source(FixedToken::new(token)).build().unwrap();
    Running { server, api, user_id, _folder: folder }
}
