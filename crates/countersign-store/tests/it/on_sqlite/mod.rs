//! The contract, on SQLite.

#[path = "../contract/adoption.rs"]
mod adoption;
#[path = "../contract/attempts.rs"]
mod attempts;
#[path = "../contract/events.rs"]
mod events;
#[path = "../contract/groups.rs"]
mod groups;
#[path = "../contract/health.rs"]
mod health;
#[path = "../contract/holders.rs"]
mod holders;
#[path = "../contract/mails.rs"]
mod mails;
#[path = "../contract/moving.rs"]
mod moving;
pub mod place;
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
