//! The contract of the store, on real SQLite files: what each function promises, and what an outage may not do.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod cluster_life;
#[cfg(test)]
mod database_url;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod place;
#[cfg(test)]
mod postgres_schema;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod users;
#[cfg(test)]
mod writer;
