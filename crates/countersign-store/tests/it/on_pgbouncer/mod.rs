//! The contract, through a PgBouncer in transaction mode, where connections of the server change hands with each
//! transaction and statements have no names.

#[path = "../contract/attempts.rs"]
mod attempts;
mod bouncer;
#[path = "../contract/events.rs"]
mod events;
#[path = "../contract/groups.rs"]
mod groups;
#[path = "../contract/holders.rs"]
mod holders;
mod place;
mod races;
#[path = "../contract/sessions.rs"]
mod sessions;
#[path = "../contract/signing_keys.rs"]
mod signing_keys;
#[path = "../contract/tokens.rs"]
mod tokens;
#[path = "../contract/users.rs"]
mod users;
