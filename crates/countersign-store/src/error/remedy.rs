//! What an operator can do about what an engine or the file system has refused: by its own code, in one place.

use std::error::Error;
use std::io::ErrorKind;

use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

use super::Refusal;

/// Where nothing better is known.
const OF_ANYTHING: &str = "try again, and look at the database's own log";
const OF_CREDENTIALS: &str =
    "put the right user and password into DATABASE_URL, and see what pg_hba.conf asks for";
const OF_DISK: &str = "make room on its disk";
const OF_ACCESS: &str = "run this as the user that owns it, or let this user read and write it, the -wal and -shm beside it, and its directory";

/// The shape of whatever is told: what is so, and what to do.
pub(crate) fn told(what: &dyn Error, remedy: &str) -> String {
    format!("{what}; {remedy}")
}

/// What to do about this.
pub(crate) fn of(error: &(dyn Error + 'static)) -> &'static str {
    let of_refusal = || error.downcast_ref::<Refusal>().and_then(|refusal| refusal.remedy);
    let of_sqlite = || error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code().and_then(of_sqlite);
    let of_io = || error.downcast_ref::<std::io::Error>().and_then(|error| of_io(error.kind()));
    of_refusal().or_else(of_sqlite).or_else(of_io).unwrap_or(OF_ANYTHING)
}

/// Whether SQLite could read the file, and found something else in it than a database.
pub(crate) fn is_of_damage(error: &(dyn Error + 'static)) -> bool {
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The same of an error on the way to the server, which has no code.
pub(super) fn of_connection(text: &str) -> &'static str {
    if text.contains("password missing") { OF_CREDENTIALS } else { OF_ANYTHING }
}

pub(super) fn of_postgres(code: &SqlState) -> Option<&'static str> {
    Some(match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => OF_CREDENTIALS,
        SqlState::INVALID_CATALOG_NAME => "make it (CREATE DATABASE), or name another in DATABASE_URL",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "GRANT it to the role that DATABASE_URL names (for tables, CREATE on the schema), or name another role"
        }
        SqlState::LOCK_NOT_AVAILABLE => {
            "end the transaction of another program that holds it (pg_stat_activity, pg_blocking_pids)"
        }
        SqlState::DISK_FULL => OF_DISK,
        SqlState::OUT_OF_MEMORY => "give the server more memory, or set a smaller DATABASE_POOL_SIZE",
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => {
            "run `countersign check`, which says what the database lacks"
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => "restore it from a backup",
        _ => return None,
    })
}

fn of_sqlite(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::NotADatabase => "name another file in DATABASE_URL, or restore it from a backup",
        ErrorCode::DatabaseCorrupt => {
            "restore it from a backup, or get what can be read out of it by `sqlite3 FILE .recover`"
        }
        ErrorCode::DiskFull => OF_DISK,
        ErrorCode::SystemIoFailure => "see that its disk has room and is sound",
        ErrorCode::CannotOpen => {
            "see that it is there, and run this as the user that owns it: others may not open it or the -wal and -shm beside it"
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => OF_ACCESS,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "stop what else has it open, such as a tool with a transaction that is not ended"
        }
        _ => return None,
    })
}

fn of_io(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "make its directory, or name another file in DATABASE_URL",
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => "name a file in DATABASE_URL",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OF_ACCESS,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OF_DISK,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_meet_has_a_remedy_of_its_own() {
        for code in ["28P01", "28000", "3D000", "42501", "53100", "53200", "42P01", "42703", "XX001", "XX002"]
        {
            assert!(of_postgres(&SqlState::from_code(code)).is_some(), "{code}");
        }
        for code in [11, 13, 10, 14, 8, 26, 5, 6] {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            assert_ne!(of(&error), OF_ANYTHING, "{code}");
        }
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::StorageFull] {
            assert_ne!(of(&std::io::Error::from(kind)), OF_ANYTHING, "{kind}");
        }
        assert_eq!(of(&std::fmt::Error), OF_ANYTHING);
        assert_eq!(of_connection("invalid configuration: password missing"), OF_CREDENTIALS);
    }
}
