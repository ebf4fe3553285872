//! Whether a PostgreSQL server takes our writes: looked at without writing, but while it is known to have no room.

use std::sync::atomic::Ordering;

use super::Postgres;
use crate::StoreError;
use crate::engine::{Row, Value};

/// What a server with these tables has to let us do: what logins, refreshes and the audit log write, without which nothing
/// of use can be answered.
const NEEDED: [(&str, &str); 4] = [
    ("countersign_session", "SELECT INSERT UPDATE DELETE"),
    ("countersign_attempt", "SELECT INSERT UPDATE DELETE"),
    ("countersign_event", "SELECT INSERT UPDATE DELETE"),
    ("countersign_event_chain", "SELECT UPDATE"),
];

/// A server's word on itself.
struct Found {
    is_standby: bool,
    is_read_only: bool,
    role: String,
    /// What the role may not, in words.
    lacking: Option<String>,
}

impl Found {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            is_standby: row.get(0)?,
            is_read_only: row.get(1)?,
            role: row.get(2)?,
            lacking: row.get(3)?,
        })
    }

    fn refusal(self) -> Option<String> {
        if self.is_standby {
            return Some("the server is a standby; have DATABASE_URL lead to the primary".to_owned());
        }
        if self.is_read_only {
            let fix = "turn it off: ALTER ROLE or ALTER DATABASE … RESET default_transaction_read_only, or postgresql.conf";
            return Some(format!("default_transaction_read_only is on; {fix}"));
        }
        let (role, lacking) = (self.role, self.lacking?);
        Some(format!(
            "the role {role} may not {lacking}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO {role}, \
             or name another role in DATABASE_URL"
        ))
    }
}

impl Postgres {
    /// Fails, with the cause and what to do, when the server would refuse what is to be written. Tables that are not there
    /// are somebody else's concern.
    pub(crate) async fn check_writable(&self) -> Result<(), StoreError> {
        let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_user::text,
                          (SELECT string_agg(privilege || ' ' || named, ', ' ORDER BY nr)
                             FROM unnest($1, $2) WITH ORDINALITY AS needed (named, privilege, nr)
                            WHERE NOT CASE privilege
                                      WHEN 'DELETE' THEN has_table_privilege(to_regclass(quote_ident(named)), privilege)
                                      ELSE has_any_column_privilege(to_regclass(quote_ident(named)), privilege) END)";
        let of_ours = NEEDED
            .iter()
            .flat_map(|(table, privileges)| privileges.split(' ').map(move |privilege| (*table, privilege)));
        let of_users = ["SELECT", "UPDATE"].map(|privilege| (self.users.name(), privilege));
        let (tables, privileges): (Vec<_>, Vec<_>) =
            of_ours.chain(of_users).map(|(table, privilege)| (Some(table), Some(privilege))).unzip();
        let found = self.first(sql, &[Value::Texts(&tables), Value::Texts(&privileges)], Found::read).await?;
        if let Some(refusal) = found.and_then(Found::refusal) {
            // Where the name of a server has come to stand for another one, a new connection finds that.
            self.pool.retain(|_, _| false);
            return Err(StoreError::TakesNoWrites(refusal));
        }
        if self.has_no_room.load(Ordering::Acquire) {
            self.try_to_grow().await?;
            self.has_no_room.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Keeps in mind that a write found no room; whether there is some is then tried, as no setting tells it.
    pub(super) fn note<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.as_ref().is_err_and(StoreError::is_of_room) {
            self.has_no_room.store(true, Ordering::Release);
        }
        outcome
    }

    /// Writes more than the pages of a table have left, and takes it back.
    async fn try_to_grow(&self) -> Result<(), StoreError> {
        let mut client = self.lend().await?;
        let sql = "INSERT INTO countersign_event (id, at, kind, actor, details)
                        SELECT 'a look for room', 0, 'none', 'server', string_agg(md5(random()::text), '')
                          FROM generate_series(1, 4000)";
        let tried = self
            .in_time(async {
                let transaction = client.client_mut()?.transaction().await?;
                transaction.batch_execute(sql).await?;
                Ok(transaction.rollback().await?)
            })
            .await;
        self.kept_unless_in_doubt(client, tried).await
    }
}
