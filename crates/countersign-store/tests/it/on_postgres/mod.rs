//! The contract, on PostgreSQL.

#[path = "../contract/groups.rs"]
mod groups;
pub mod place;
#[path = "../contract/sessions.rs"]
mod sessions;
#[path = "../contract/signing_keys.rs"]
mod signing_keys;
#[path = "../contract/tokens.rs"]
mod tokens;
#[path = "../contract/users.rs"]
mod users;
