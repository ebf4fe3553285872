//! The settings of the database: which, where, and what a file there has to be. It is looked at before a key is made for it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use countersign_store::{DatabaseUrl, DatabaseUrlError, PoolOptions, UserModel};

use super::Files;
use super::reader::{Reader, refused};
use crate::sources::SettingError;

/// What each file of SQLite begins with.
const BEGINNING: &[u8] = b"SQLite format 3\0";
/// What to do about a directory.
pub const LET_WRITE: &str = "let this user write there, or run this where it may";

/// The database to open, in a directory that is there.
pub fn database(reader: &Reader<'_>, files: Files) -> Result<DatabaseUrl, SettingError> {
    let parsed = reader.text("DATABASE_URL")?.trim().parse();
    let database: DatabaseUrl =
        parsed.map_err(|error: DatabaseUrlError| refused("DATABASE_URL", &error.to_string()))?;
    let database = match reader.optional_text("PGSSLROOTCERT")?.map(str::trim) {
        None | Some("") => database,
        Some(place) => database.or_root_certificates("PGSSLROOTCERT", place),
    };
    let DatabaseUrl::Sqlite(path) = &database else { return Ok(database) };
    if let Some(why) = other_than_a_database(path) {
        return Err(refused("DATABASE_URL", &format!("{} {why}", path.display())));
    }
    if files == Files::Existing && !is_there(&database) {
        let fix = "run this where the server runs, or set DATABASE_URL";
        return Err(SettingError(format!("there is no database {}; {fix}", path.display())));
    }
    if let Some(missing) =
        path.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.is_dir())
    {
        let why = format!("the directory {} does not exist; make it, or name another", missing.display());
        return Err(refused("DATABASE_URL", &why));
    }
    match unwritable(&database).filter(|_| files != Files::NotNeeded) {
        Some(why) => Err(refused("DATABASE_URL", &format!("{why}; {LET_WRITE}"))),
        None => Ok(database),
    }
}

/// Why a database that is not there yet cannot be made, if so. The file that is tried has no name, and leaves nothing.
pub fn unwritable(database: &DatabaseUrl) -> Option<String> {
    let DatabaseUrl::Sqlite(path) = database else { return None };
    if is_there(database) {
        return None;
    }
    let parent = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    let error = tempfile::tempfile_in(directory).err()?;
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    Some(format!("nothing can be made in the directory {}: {}", directory.display(), error.kind()))
}

/// What is there instead, and what to do. A file that cannot be read is left to whoever opens it.
fn other_than_a_database(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    match read {
        Err(error) if error.kind() == ErrorKind::IsADirectory => Some("is a directory; name a file"),
        // An empty file is a database without tables.
        Ok(_) if !start.is_empty() && start != BEGINNING => {
            Some("is not a database of SQLite; name another file, or restore it from a backup")
        }
        _ => None,
    }
}

/// Whether there is a database; a server is taken to have one, and a file that may not be looked at to be there.
pub fn is_there(database: &DatabaseUrl) -> bool {
    match database {
        DatabaseUrl::Sqlite(path) => path.try_exists().unwrap_or(true),
        DatabaseUrl::Postgres(_) => true,
    }
}

/// A project's own table is in a database that the project has made.
pub fn refuse_missing(database: &DatabaseUrl, model: &UserModel) -> Result<(), SettingError> {
    if is_there(database) || *model == UserModel::default() {
        return Ok(());
    }
    let table = &model.table;
    let why = format!("there is no database {database}, and {table} is a table of the project's");
    Err(refused(
        "AUTH_USER_TABLE",
        &format!(
            "{why}; set DATABASE_URL to the project's database, or leave AUTH_USER_TABLE and \
             USERNAME_FIELD out"
        ),
    ))
}

/// How connections are kept.
pub fn pool(reader: &Reader<'_>) -> Result<PoolOptions, SettingError> {
    let size = reader.whole("DATABASE_POOL_SIZE")?;
    let prepares = reader.switch("DATABASE_PREPARED_STATEMENTS")?;
    Ok(PoolOptions { size, prepares, ..PoolOptions::default() })
}
