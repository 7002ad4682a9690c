//! Is the database there, safe, migrated, and are the users where the settings say?

use std::path::Path;

use super::Report;
use crate::{
    config::{Config, DatabaseUrl},
    storage::{Inspection, StorageError, StorageOptions},
};

const SESSIONS: &str = "django_session";

pub(super) fn check(config: &Config, report: &mut Report) {
    let options = StorageOptions::from(config);
    match &config.database_url {
        DatabaseUrl::Sqlite(file) if !file.exists() => {
            let finding =
                format!("{} is not there yet: `holodrive migrate` or the first start makes it", file.display());
            report.warn("database", finding);
        }
        DatabaseUrl::Sqlite(file) => {
            let checked = Inspection::open(&options).and_then(|mut database| {
                check_file(&mut database, file, report)?;
                check_tables(&mut database, config, report)
            });
            if let Err(error) = checked {
                report.fail("database", format!("{}: {error}", file.display()));
            }
        }
        DatabaseUrl::Postgres(_) => {
            let checked = Inspection::open(&options).and_then(|mut database| {
                check_server(&mut database, report)?;
                check_tables(&mut database, config, report)?;
                check_logins(&mut database, report)
            });
            if let Err(error) = checked {
                report.fail("database", error.to_string());
            }
        }
    }
}

fn check_tables(database: &mut Inspection, config: &Config, report: &mut Report) -> Result<(), StorageError> {
    check_migrations(database, report)?;
    // The key is found by itself; names, staff and activity are for those that have them.
    let token_column = Some(config.jwt_user_id_field.as_str()).filter(|column| !matches!(*column, "id" | "pk"));
    let user_columns = [config.auth_login_field.as_str(), "password"].into_iter().chain(token_column);
    check_table(database, "users", &config.auth_user_table, user_columns, report)?;
    let membership_columns = [config.auth_user_groups_user_column.as_str(), "group_id"];
    check_table(database, "members", &config.auth_user_groups_table, membership_columns, report)?;
    if database.table(SESSIONS)?.is_some() {
        check_table(database, "sessions", SESSIONS, ["session_key", "session_data", "expire_date"], report)?;
    } else {
        report.warn("sessions", format!("no table {SESSIONS}: session cookies open nothing, only tokens do"));
    }
    if check_table(database, "groups", "auth_group", ["id", "name"], report)? {
        check_driver_group(database, &config.driver_group, report)?;
    }
    Ok(())
}

fn check_file(database: &mut Inspection, file: &Path, report: &mut Report) -> Result<(), StorageError> {
    let (mode, file) = (database.journal_mode()?, file.display());
    if !database.syncs_fully()? {
        report.fail("database", format!("{file} does not take synchronous=FULL: writes could be lost"));
    } else if mode == "wal" {
        report.ok("database", format!("{file}, journal_mode=WAL, synchronous=FULL"));
    } else {
        let finding =
            format!("{file} has journal_mode={mode}: `holodrive migrate` or the next start switches it to WAL");
        report.warn("database", finding);
    }
    Ok(())
}

/// What PostgreSQL promises of a commit that it has confirmed is for its administrator to say.
fn check_server(database: &mut Inspection, report: &mut Report) -> Result<(), StorageError> {
    let version = database.server_setting("server_version")?;
    let lax: Vec<_> = ["fsync", "full_page_writes"]
        .into_iter()
        .filter_map(|name| match database.server_setting(name) {
            Ok(value) if value == "off" => Some(Ok(name)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<_, _>>()?;
    if lax.is_empty() {
        report.ok("database", format!("PostgreSQL {version}, commits wait for the disk"));
    } else {
        let finding = format!("PostgreSQL {version} has {} switched off: what it confirms can be lost", lax.join(", "));
        report.fail("database", finding);
    }
    if !database.pending_migrations()?.is_empty() && !database.may_create()? {
        report.fail(
            "role",
            "it may make no tables: GRANT CREATE ON SCHEMA … to it, or let another role run `holodrive migrate`",
        );
    }
    Ok(())
}

/// Whether our own login works: it opens sessions. Django's does in any case.
fn check_logins(database: &mut Inspection, report: &mut Report) -> Result<(), StorageError> {
    if database.table(SESSIONS)?.is_some() && !database.may_write(SESSIONS)? {
        report.warn(
            "role",
            format!("it may write no sessions, so POST /api/session/ fails: GRANT INSERT, DELETE ON {SESSIONS} to it"),
        );
    }
    Ok(())
}

fn check_migrations(database: &mut Inspection, report: &mut Report) -> Result<(), StorageError> {
    match database.pending_migrations()?.as_slice() {
        [] => report.ok("migrations", "all applied"),
        pending => {
            let finding = format!("{} to apply: `holodrive migrate` or the next start does it", pending.join(", "));
            report.warn("migrations", finding);
        }
    }
    Ok(())
}

/// Whether the table is there with all these columns.
fn check_table<'a>(
    database: &mut Inspection,
    subject: &'static str,
    table: &str,
    columns: impl IntoIterator<Item = &'a str>,
    report: &mut Report,
) -> Result<bool, StorageError> {
    let present = database.table(table)?;
    let is_missing = |column: &&str| present.as_ref().is_some_and(|table| !table.has(column));
    let missing: Vec<_> = columns.into_iter().filter(is_missing).collect();
    let complete = present.is_some() && missing.is_empty();
    if complete {
        report.ok(subject, format!("table {table}"));
    } else if present.is_none() {
        report.fail(
            subject,
            format!("no table {table}: run Django's migrations, or `holodrive migrate`, or set its name"),
        );
    } else {
        report.fail(subject, format!("table {table} has no column {}", missing.join(", ")));
    }
    Ok(complete)
}

fn check_driver_group(database: &mut Inspection, group: &str, report: &mut Report) -> Result<(), StorageError> {
    if database.has_row("auth_group", "name", group)? {
        report.ok("drivers", format!("group {group}"));
    } else {
        let finding = format!("no group {group} yet, so nobody is a driver: `holodrive user add NAME --group {group}`");
        report.warn("drivers", finding);
    }
    Ok(())
}
