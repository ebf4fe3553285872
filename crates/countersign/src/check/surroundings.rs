//! `check --deploy`: files that others can read, and where the database is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign_store::DatabaseUrl;

use super::Finding;
use crate::config::Config;
use crate::secret_key::exposure;
use crate::settings::{SETTINGS, Setting};
use crate::sources::{Raw, Sources};

/// Every finding about what is around the process.
pub fn findings(config: &Config, sources: &Sources) -> Vec<Finding> {
    let mut found: Vec<Finding> = secret_files(sources).into_iter().filter_map(exposure).collect();
    match &config.database {
        DatabaseUrl::Sqlite(path) => {
            found.extend(exposed_database(path));
            found.extend(on_network(path, countersign_store::network_file_system));
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

/// The files in which a secret stands. Those below `/run` are put there for the service alone, whatever their mode.
fn secret_files(sources: &Sources) -> Vec<&Path> {
    let is_secret = |setting: &&Setting| setting.is_secret;
    let file = |setting: &Setting| {
        let said = sources.said(setting.name)?;
        let file =
            said.file.as_deref().filter(|file| !file.starts_with("/run") && !file.starts_with("/var/run"));
        file.filter(|_| matters(setting, &said.raw))
    };
    let mut files: Vec<_> = SETTINGS.iter().filter(is_secret).filter_map(file).collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// Neither the default nor an SQLite file's path is worth hiding, unlike a URL with a password.
fn matters(setting: &Setting, raw: &Raw) -> bool {
    let (Raw::Text(text) | Raw::One(text)) = raw else { return true };
    **text != setting.default.value()
        && !(setting.name == "DATABASE_URL" && text.trim_start().starts_with("sqlite:"))
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

fn on_network(path: &Path, file_system: impl FnOnce(&Path) -> Option<&'static str>) -> Option<Finding> {
    let name = file_system(path)?;
    Some(Finding::warning(
        "W052",
        format!("{} is on a network file system ({name})", path.display()),
        "SQLite's locks do not hold there, and two writers damage the file",
        "put it on a local disk, or use PostgreSQL",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_a_network_is_found_by_the_name_of_what_it_is_on() {
        let path = Path::new("/srv/countersign.sqlite3");
        let found = on_network(path, |asked| (asked == path).then_some("NFS")).expect("a finding");
        assert_eq!(found.id(), "countersign.W052");
        assert!(
            found.to_string().starts_with("/srv/countersign.sqlite3 is on a network file system (NFS): ")
        );
        assert_eq!(on_network(path, |_| None), None);
    }
}
