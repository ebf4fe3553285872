//! A source's rows, copied into a fresh database: batch after batch in the order of their keys, each with its
//! progress in one transaction. One that was interrupted reads what is there again, to know that it is the same,
//! and goes on.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::cell::Cell;
use super::inserts::{into_postgres, into_sqlite};
use super::permissions::Permissions;
use super::progress::{self, Progress};
use super::tables::{Table, key_text};
use super::{MoveError, Moved, Source};
use crate::engine::{Transaction, Value};
use crate::{Store, StoreError};

/// Rows that are written together.
struct Batch {
    table: &'static Table,
    rows: Vec<Vec<Cell>>,
    /// The same as PostgreSQL takes it, and as it is digested.
    json: String,
}

/// Where rows go, how far they have come, and which id each permission has there.
struct Target<'a> {
    store: &'a Store,
    /// Until where an import that was interrupted had come.
    until: Option<Progress>,
}

impl Source {
    /// Copies everything into `target`, which has to be fresh, or begun by an import of the same source; without
    /// one, only looks whether it could be. `at` is told how far it is.
    pub async fn copy_into(
        &self,
        target: Option<&Store>,
        now: Timestamp,
        at: impl Fn(u64),
    ) -> Result<Moved, MoveError> {
        self.refuse_broken_references().await?;
        let permissions = Permissions::read(&self.snapshot).await?;
        let mut digest = Sha256::digest(permissions.text()).to_vec();
        let mut moved = Moved { left_out: self.left_out.clone(), ..Moved::default() };
        moved.rows.insert("content_types", permissions.types.len() as u64);
        moved.rows.insert("permissions", permissions.permissions.len() as u64);
        let (mut target, ids) = match target {
            None => (None, permissions.own_ids()),
            Some(store) => {
                let (until, ids) = self.begin(store, permissions, digest.clone(), now).await?;
                moved.resumed = until.is_some();
                (Some(Target { store, until }), ids)
            }
        };
        if let Some(target) = &mut target {
            target.passes(&Progress {
                place: String::new(),
                last_key: String::new(),
                digest: digest.clone(),
            })?;
        }
        let mut last_ids = Vec::new();
        for table in self.tables() {
            let (mut after, count) = (table.start(), moved.rows.entry(table.plural).or_default());
            loop {
                let rows = self.snapshot.page(table, &after).await?;
                let Some(key) = rows.last().and_then(|row| row.first()) else { break };
                after = key.clone();
                let length = rows.len() as u64;
                *count += length;
                let batch = Batch::new(table, rows, &ids)?;
                let place = table.name.to_owned();
                let to = Progress { place, last_key: key_text(&after), digest: batch.digest(&digest) };
                let from = std::mem::replace(&mut digest, to.digest.clone());
                if let Some(target) = &mut target
                    && !target.passes(&to)?
                {
                    write(target.store, batch, from, to).await?;
                }
                at(length);
            }
            if let Some(last) = after.number() {
                last_ids.push((table.name, last.max(self.snapshot.last_id(table).await?)));
            }
        }
        match target {
            None => {}
            Some(Target { until: Some(_), .. }) => return Err(changed()),
            Some(Target { store, until: None }) => finish(store, last_ids, digest, now).await?,
        }
        Ok(moved)
    }

    async fn begin(
        &self,
        store: &Store,
        permissions: Permissions,
        digest: Vec<u8>,
        now: Timestamp,
    ) -> Result<(Option<Progress>, HashMap<i64, i64>), MoveError> {
        let name = self.name.clone();
        let begun = store.engine.write(move |transaction| {
            Box::pin(async move {
                match progress::begin(transaction, &name, &digest, now).await? {
                    Ok(until) => Ok(Ok((until, permissions.add_to(transaction).await?))),
                    Err(refused) => Ok(Err(refused)),
                }
            })
        });
        begun.await?
    }
}

impl Target<'_> {
    /// Whether what ends at `end` is there already, from an import that was interrupted; refused if it was another.
    fn passes(&mut self, end: &Progress) -> Result<bool, MoveError> {
        let Some(until) = &self.until else { return Ok(false) };
        if (&until.place, &until.last_key) == (&end.place, &end.last_key) {
            if until.digest != end.digest {
                return Err(changed());
            }
            self.until = None;
        }
        Ok(true)
    }
}

fn changed() -> MoveError {
    MoveError::Refused(
        "the database has part of an import from another source, or the source has changed since; delete the \
         database and import into a fresh one"
            .to_owned(),
    )
}

impl Batch {
    /// Refuses rows that would not fit, and gives references to permissions the ids that these have in the target.
    fn new(
        table: &'static Table,
        mut rows: Vec<Vec<Cell>>,
        permissions: &HashMap<i64, i64>,
    ) -> Result<Self, MoveError> {
        if let Some(complaint) = rows.iter().find_map(|row| table.complaint(row)) {
            return Err(MoveError::Refused(complaint));
        }
        let of_permission = table.columns.iter().position(|column| column.name == "permission_id");
        let cells = rows.iter_mut().filter_map(|row| row.get_mut(of_permission?));
        for cell in cells {
            *cell = Cell::Int(cell.number().and_then(|id| permissions.get(&id)).copied());
        }
        let object = |row: &Vec<Cell>| {
            let fields =
                table.columns.iter().zip(row).map(|(column, cell)| (column.name.to_owned(), cell.json()));
            Json::Object(fields.collect::<Map<_, _>>())
        };
        let json = Json::Array(rows.iter().map(object).collect()).to_string();
        Ok(Self { table, rows, json })
    }

    fn digest(&self, before: &[u8]) -> Vec<u8> {
        Sha256::new()
            .chain_update(before)
            .chain_update(self.table.name)
            .chain_update(&self.json)
            .finalize()
            .to_vec()
    }

    async fn insert(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        if let Transaction::Postgres(_) = transaction {
            let values = [(&self.json).into()];
            return transaction.execute(into_postgres(self.table), &values).await.map(drop);
        }
        for row in &self.rows {
            let values: Vec<Value<'_>> = row.iter().map(Cell::value).collect();
            transaction.execute(into_sqlite(self.table), &values).await?;
        }
        Ok(())
    }
}

async fn write(store: &Store, batch: Batch, from: Vec<u8>, to: Progress) -> Result<(), MoveError> {
    let (model, last) = (batch.table.model, to.last_key.clone());
    let written = store.engine.write(move |transaction| {
        Box::pin(async move {
            batch.insert(transaction).await?;
            progress::advance(transaction, &from, &to).await
        })
    });
    match written.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(overtaken()),
        Err(error @ (StoreError::NotUnique | StoreError::DoesNotFit(_) | StoreError::Referenced(_))) => {
            let what = format!("{model} until {last} cannot be written: {error}");
            Err(MoveError::Refused(format!("{what}; did anybody else write into the database?")))
        }
        Err(error) => Err(error.into()),
    }
}

/// A new row gets an id that none has had, neither here nor at the source, whose tokens may still name one that is
/// gone.
async fn finish(
    store: &Store,
    last_ids: Vec<(&'static str, i64)>,
    from: Vec<u8>,
    now: Timestamp,
) -> Result<(), MoveError> {
    let finished = store.engine.write(move |transaction| {
        Box::pin(async move {
            for (table, last) in last_ids.into_iter().filter(|(_, last)| *last > 0) {
                go_on_after(transaction, table, last).await?;
            }
            progress::finish(transaction, &from, now).await
        })
    });
    if finished.await? { Ok(()) } else { Err(overtaken()) }
}

async fn go_on_after(transaction: &mut Transaction<'_>, table: &str, last: i64) -> Result<(), StoreError> {
    let values = [table.into(), last.into()];
    match transaction {
        Transaction::Sqlite(_) => {
            let sql = "UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1";
            if transaction.execute(sql, &values).await? == 0 {
                let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
                transaction.execute(sql, &values).await?;
            }
            Ok(())
        }
        Transaction::Postgres(_) => {
            let sql = "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)";
            transaction.first(sql, &values, |_| Ok(())).await.map(drop)
        }
    }
}

fn overtaken() -> MoveError {
    MoveError::Refused("another import is at work on this database, or has finished".to_owned())
}
