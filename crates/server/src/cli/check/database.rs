//! Is the database there, safe, migrated, and are the users where the settings say?

use std::path::Path;

use super::Report;
use crate::{
    config::{Config, DatabaseUrl},
    storage::{Inspection, StorageError},
};

pub(super) fn check(config: &Config, report: &mut Report) {
    match &config.database_url {
        DatabaseUrl::Postgres(_) => report.fail("database", "DATABASE_URL: PostgreSQL is not supported yet"),
        DatabaseUrl::Sqlite(file) if !file.exists() => {
            let finding =
                format!("{} is not there yet: `holodrive migrate` or the first start makes it", file.display());
            report.warn("database", finding);
        }
        DatabaseUrl::Sqlite(file) => {
            if let Err(error) = check_file(file, config, report) {
                report.fail("database", format!("{}: {error}", file.display()));
            }
        }
    }
}

fn check_file(file: &Path, config: &Config, report: &mut Report) -> Result<(), StorageError> {
    let database = Inspection::open(file)?;
    check_durability(&database, file, report)?;
    check_migrations(&database, report)?;
    let user_columns = [config.jwt_user_id_field.as_str(), &config.auth_login_field].into_iter().chain([
        "id",
        "password",
        "first_name",
        "last_name",
        "is_staff",
        "is_active",
    ]);
    check_table(&database, "users", &config.auth_user_table, user_columns, report)?;
    let membership_columns = [config.auth_user_groups_user_column.as_str(), "group_id"];
    check_table(&database, "members", &config.auth_user_groups_table, membership_columns, report)?;
    check_table(&database, "sessions", "django_session", ["session_key", "session_data", "expire_date"], report)?;
    if check_table(&database, "groups", "auth_group", ["id", "name"], report)? {
        check_driver_group(&database, &config.driver_group, report)?;
    }
    Ok(())
}

fn check_durability(database: &Inspection, file: &Path, report: &mut Report) -> Result<(), StorageError> {
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

fn check_migrations(database: &Inspection, report: &mut Report) -> Result<(), StorageError> {
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
    database: &Inspection,
    subject: &'static str,
    table: &str,
    columns: impl IntoIterator<Item = &'a str>,
    report: &mut Report,
) -> Result<bool, StorageError> {
    let present = database.columns(table)?;
    let missing: Vec<_> = columns.into_iter().filter(|column| !present.iter().any(|name| name == column)).collect();
    let complete = !present.is_empty() && missing.is_empty();
    if complete {
        report.ok(subject, format!("table {table}"));
    } else if present.is_empty() {
        report.fail(
            subject,
            format!("no table {table}: run Django's migrations, or `holodrive migrate`, or set its name"),
        );
    } else {
        report.fail(subject, format!("table {table} has no column {}", missing.join(", ")));
    }
    Ok(complete)
}

fn check_driver_group(database: &Inspection, group: &str, report: &mut Report) -> Result<(), StorageError> {
    if database.has_row("auth_group", "name", group)? {
        report.ok("drivers", format!("group {group}"));
    } else {
        let finding = format!("no group {group} yet, so nobody is a driver: `holodrive user add NAME --group {group}`");
        report.warn("drivers", finding);
    }
    Ok(())
}
