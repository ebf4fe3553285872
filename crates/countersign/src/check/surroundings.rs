//! `check --deploy`: files that others can read, and where the database is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign_store::DatabaseUrl;

use super::Finding;
use crate::config::Config;
use crate::settings::SETTINGS;
use crate::sources::{Raw, Sources};

/// Every finding about what is around the process.
pub fn findings(config: &Config, sources: &Sources) -> Vec<Finding> {
    let mut found: Vec<Finding> = sources.files.iter().filter_map(|file| readable(file, sources)).collect();
    match &config.database {
        DatabaseUrl::Sqlite(path) => {
            found.extend(exposed_database(path));
            found.extend(countersign_store::network_file_system(path).map(|name| on_network(path, name)));
        }
        DatabaseUrl::Postgres(server) if server.is_remote_and_unverified() => found.push(Finding::warning(
            "W053",
            "the connection to PostgreSQL does not verify the server",
            "whoever is on the way can pose as the database and read everything",
            "add sslmode=verify-full and sslrootcert= to DATABASE_URL",
        )),
        DatabaseUrl::Postgres(_) => {}
    }
    found
}

/// A file of settings that others can read, where a secret is in it.
fn readable(file: &Path, sources: &Sources) -> Option<Finding> {
    let name = file.file_name()?.to_str()?;
    let stands_there = |setting: &str| match find(sources, setting) {
        Some((Raw::Text(text), origin)) => {
            origin.contains(name) && !origin.contains("_FILE in") && is_secret(setting, text)
        }
        _ => false,
    };
    SETTINGS.iter().any(|setting| setting.is_secret && stands_there(setting.name)).then_some(())?;
    crate::secret_key::exposure(file)
}

fn find<'a>(sources: &'a Sources, name: &str) -> Option<(&'a Raw, &'a str)> {
    let said = sources.said(crate::settings::find(name)?.name)?;
    Some((&said.raw, &said.origin))
}

/// An SQLite file's path is none, unlike a URL with a password.
fn is_secret(setting: &str, text: &str) -> bool {
    !text.is_empty() && !(setting == "DATABASE_URL" && text.trim_start().starts_with("sqlite:"))
}

fn exposed_database(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    let finding = || {
        Finding::warning(
            "W051",
            format!("{path} can be read by others (mode {mode:o})"),
            "the password hashes of all users are in it",
            format!("chmod 600 {path} {path}-wal {path}-shm"),
        )
    };
    (mode & 0o077 != 0).then(finding)
}

fn on_network(path: &Path, name: &str) -> Finding {
    Finding::warning(
        "W052",
        format!("{} is on a network file system ({name})", path.display()),
        "SQLite's locks do not hold there, and two writers damage the file",
        "put it on a local disk, or use PostgreSQL",
    )
}
