//! `DATABASE_URL`: which database to open.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A database to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
}

/// Why a `DATABASE_URL` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// `sqlite:` without a path.
    #[error("`sqlite:` needs the path of a file, e.g. sqlite:countersign.sqlite3")]
    NoPath,
    /// An in-memory database would forget every user at exit.
    #[error("an in-memory database would forget every user at exit; give the path of a file")]
    InMemory,
    /// Another scheme.
    #[error("{0:?} is not a database this version can open; use sqlite:PATH")]
    UnknownScheme(String),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads `sqlite:PATH`; `sqlite:///PATH` and `sqlite://PATH` as other tools write it mean the same file:
    /// three slashes a path relative to the working directory, four an absolute one.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let scheme = url.split(':').next().unwrap_or(url);
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(DatabaseUrlError::UnknownScheme(scheme.to_owned()));
        };
        let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
        match path {
            "" => Err(DatabaseUrlError::NoPath),
            ":memory:" => Err(DatabaseUrlError::InMemory),
            _ => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        write!(formatter, "sqlite:{}", path.display())
    }
}
