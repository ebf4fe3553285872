//! Accounts on their way from one database to another, or to and from a fixture of Django's.
//!
//! A source is read and never changed, in one state for as long as that takes. A fixture is first put into a
//! private temporary database of SQLite, so that it may be larger than memory and in any order, and is then a
//! source like others.

mod cell;
mod copy;
mod export;
mod inserts;
mod permissions;
mod progress;
mod references;
mod snapshot;
mod staging;
mod tables;

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use snapshot::Snapshot;
use tables::{CONTENT_TYPES, COPIED, KEYS, PERMISSIONS, SESSIONS, Table};

use crate::{DatabaseUrl, Difference, Findings, PoolOptions, Prospect, StoreError};

/// How long one read of a source may take; a whole table is looked through for broken references.
const READ_TIMEOUT: Duration = Duration::from_secs(3600);

/// Accounts that can be copied.
pub struct Source {
    name: String,
    snapshot: Snapshot,
    has_tokens: bool,
    has_sessions: bool,
    has_keys: bool,
    left_out: BTreeMap<String, u64>,
}

/// What was moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows by what they are: `users`, `groups`, …
    pub rows: BTreeMap<&'static str, u64>,
    /// Rows of other models, which only a fixture tells.
    pub left_out: BTreeMap<String, u64>,
    /// Whether an import that had been interrupted was gone on with.
    pub resumed: bool,
}

/// Why accounts cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error(
        "the file cannot be read or written: {0}; see that it is whole and that there is room, and try again"
    )]
    File(#[from] std::io::Error),
    /// A row, the source or the target is not as it has to be: a sentence that says what to do.
    #[error("{0}")]
    Refused(String),
}

impl Source {
    /// A database that Django or we made.
    pub async fn open(url: &DatabaseUrl, pool: &PoolOptions) -> Result<Self, MoveError> {
        let pool = PoolOptions { answer_timeout: READ_TIMEOUT, ..pool.clone() };
        let in_words = |error| StoreError::of_opening(url, error);
        let findings = Prospect::open(url, &pool)?.look().await.map_err(in_words)?;
        if let Some(refusal) = refusal(url, &findings) {
            return Err(MoveError::Refused(refusal));
        }
        let has = |table: &Table| !is_missing(&findings, table.name);
        let is_ours = |table: &Table| {
            findings.made_by_django.is_some() && !findings.to_add.tables.iter().any(|name| name == table.name)
        };
        Ok(Self {
            name: url.to_string(),
            snapshot: Snapshot::open(url, &pool).await?,
            has_tokens: has(&tables::OUTSTANDING_TOKENS),
            has_sessions: is_ours(&SESSIONS),
            has_keys: is_ours(&KEYS),
            left_out: BTreeMap::new(),
        })
    }

    /// A fixture as `dumpdata` writes it, or [`Source::write_fixture`]. It is read to its end, one object at a
    /// time.
    pub fn from_fixture(name: &str, fixture: impl Read) -> Result<Self, MoveError> {
        let (connection, left_out) = staging::stage(fixture)?;
        Ok(Self {
            name: name.to_owned(),
            snapshot: Snapshot::Sqlite(connection),
            has_tokens: true,
            has_sessions: false,
            has_keys: false,
            left_out,
        })
    }

    /// How many rows there are to move.
    pub async fn count(&self) -> Result<u64, StoreError> {
        let mut count =
            self.snapshot.count(&CONTENT_TYPES).await? + self.snapshot.count(&PERMISSIONS).await?;
        for table in self.tables() {
            count += self.snapshot.count(table).await?;
        }
        Ok(count)
    }

    /// What there is to copy, in an order in which what is referred to comes first.
    fn tables(&self) -> impl Iterator<Item = &'static Table> {
        let is_there = |table: &&Table| match table.name {
            "countersign_session" => self.has_sessions,
            "countersign_key" => self.has_keys,
            name => self.has_tokens || !name.starts_with("token_blacklist_"),
        };
        COPIED.into_iter().filter(is_there)
    }

    async fn refuse_broken_references(&self) -> Result<(), MoveError> {
        match references::broken(&self.snapshot, self.has_tokens).await? {
            Some(reference) => Err(MoveError::Refused(reference)),
            None => Ok(()),
        }
    }
}

/// Why accounts in users' tables of a project's own are not moved. Only here, and where a fixture is read.
fn other_users(name: &str) -> String {
    format!(
        "its users are in {name}, a user model of the project's own; this version moves users of Django's own \
         auth.user only"
    )
}

fn is_missing(findings: &Findings, name: &str) -> bool {
    let missing =
        |difference: &Difference| matches!(difference, Difference::MissingTable { table } if table == name);
    findings.differences.iter().any(missing)
}

/// Why a database is no source. Columns that nobody knows, and how a new row would get its id, matter to who writes
/// only; a project that never had Simple JWT's blacklist has no tokens to bring.
fn refusal(url: &DatabaseUrl, findings: &Findings) -> Option<String> {
    if let Some(table) = &findings.other_users {
        return Some(format!("{url} cannot be read as a source: {}", other_users(table)));
    }
    if findings.is_empty {
        return Some(format!("{url} has none of Django's tables; name the project's database"));
    }
    let has_no_tokens = ["outstandingtoken", "blacklistedtoken"]
        .iter()
        .all(|table| is_missing(findings, &format!("token_blacklist_{table}")));
    let matters = |difference: &&Difference| match difference {
        Difference::ExtraColumn { .. } | Difference::NoNextId { .. } => false,
        other => !(has_no_tokens && other.table().starts_with("token_blacklist_")),
    };
    let obstacles: Vec<String> = findings.obstacles().filter(matters).map(ToString::to_string).collect();
    (!obstacles.is_empty()).then(|| {
        format!(
            "{url} is not what Django 5.2 makes: {}; run `manage.py migrate` with Django 5.2 and Simple JWT 5.5 there, \
             and see `countersign adopt --dry-run`",
            obstacles.join("; ")
        )
    })
}
