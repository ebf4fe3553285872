//! The contract, on PostgreSQL.

#[path = "../contract/adoption.rs"]
mod adoption;
#[path = "../contract/groups.rs"]
mod groups;
pub mod place;
mod roles;
#[path = "../contract/sessions.rs"]
mod sessions;
#[path = "../contract/signing_keys.rs"]
mod signing_keys;
#[path = "../contract/tokens.rs"]
mod tokens;
#[path = "../contract/user_models.rs"]
mod user_models;
#[path = "../contract/users.rs"]
mod users;
