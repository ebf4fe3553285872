//! The contract of the store, on real SQLite files and a real PostgreSQL: what each function promises, and what an outage may not do.

#![cfg_attr(test, expect(clippy::duplicate_mod, reason = "the same contract, on each engine"))]

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod cluster_life;
#[cfg(test)]
mod database_url;
#[cfg(test)]
mod encryption;
#[cfg(test)]
mod followers;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod migrating;
#[cfg(test)]
mod of_members;
#[cfg(test)]
mod on_pgbouncer;
#[cfg(test)]
mod on_postgres;
#[cfg(test)]
mod on_sqlite;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod overtaken;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod place;
#[cfg(test)]
mod postgres_schema;
#[cfg(test)]
mod postgres_statements;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod refusing_writes;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod user_model;
#[cfg(test)]
mod writer;
