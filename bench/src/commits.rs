//! Bare commits: one loop that changes the rows a rotation changes, through the driver that Countersign uses, so many to
//! each commit. The ceiling for durable writes.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

/// As many sessions as the load rotates, so that as few pages are written.
const SESSIONS: u32 = 64;

/// Rows a second that were on disk.
pub fn per_second(file: &Path, group: u32, time: Duration) -> Result<f64, Box<dyn Error>> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE session (
             id TEXT NOT NULL PRIMARY KEY, generation INTEGER NOT NULL, replaced_jti TEXT, rotated_at INTEGER,
             last_seen_at INTEGER, expires_at INTEGER, client TEXT NOT NULL
         ) STRICT;",
    )?;
    let filling = connection.transaction()?;
    for number in 0..SESSIONS {
        let sql =
            "INSERT INTO session (id, generation, client) VALUES (?1, 0, 'a browser, as it names itself')";
        filling.prepare_cached(sql)?.execute([id(number)])?;
    }
    filling.commit()?;
    let began = Instant::now();
    let (mut done, mut at) = (0_u32, 0_i64);
    while began.elapsed() < time {
        let transaction = connection.transaction()?;
        for _ in 0..group {
            let sql = "UPDATE session
                          SET generation = generation + 1, replaced_jti = ?2, rotated_at = ?3, last_seen_at = ?3,
                              expires_at = ?4
                        WHERE id = ?1";
            at += 1;
            let session = id(done.wrapping_mul(7919) % SESSIONS); // not one after another
            let replaced = "0123456789abcdef0123456789abcdef";
            transaction.prepare_cached(sql)?.execute(params![session, replaced, at, at + 86_400])?;
            done += 1;
        }
        transaction.commit()?;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

fn id(number: u32) -> String {
    format!("{number:032x}")
}
