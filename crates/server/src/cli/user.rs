//! `holodrive user add`: adds a user.

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{block_on, open_accounts, print};
use crate::{accounts::UserToAdd, config::Config};

#[derive(Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Add a user, and print his id and name as JSON
    Add(AddArgs),
}

#[derive(Args)]
struct AddArgs {
    /// The name to log in with
    name: String,
    /// The password; other users of the machine can see it. Without it: asks, or reads a line where there is no terminal
    #[arg(long)]
    password: Option<String>,
    /// May be left out
    #[arg(long, default_value = "", hide_default_value = true)]
    first_name: String,
    /// May be left out
    #[arg(long, default_value = "", hide_default_value = true)]
    last_name: String,
    /// A group to join, made if there is none yet; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Let the user use the console and answer as support
    #[arg(long)]
    staff: bool,
}

pub(super) fn run(config: Config, args: UserArgs) -> anyhow::Result<()> {
    let UserCommand::Add(args) = args.command;
    let password = args.password.map_or_else(ask_password, Ok)?;
    let user = UserToAdd {
        username: args.name.clone(),
        password,
        first_name: args.first_name,
        last_name: args.last_name,
        is_staff: args.staff,
        groups: args.groups,
    };
    block_on(async {
        let accounts = open_accounts(config)?;
        accounts.check_tables().await?;
        let id = accounts.add_user(user).await?;
        print(&format!("{}\n", json!({"id": id, "username": args.name})))
    })
}

/// Asks twice without echo. Without a terminal, as in a script, one line of standard input is the password.
fn ask_password() -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Password (again): ")? != password {
        anyhow::bail!("the two passwords differ");
    }
    Ok(password)
}
