//! The vocabulary of Countersign: users, names, validators, policy, reasons. Pure.
//!
//! Everything here is deterministic: no I/O, no clock, no randomness, and no other crate of this workspace.
//! Refusals are [`FieldError`] values; the words that a client reads are chosen by the HTTP crate.

mod budget;
mod email;
mod event;
mod field;
mod mail;
mod network;
mod password;
mod password_policy;
mod rate;
mod session;
mod text;
mod user;
mod username;

#[cfg(test)]
#[path = "../tests/it/vectors.rs"]
mod vectors;

pub use budget::{Budget, Spent, seconds_until};
pub use email::{Email, EmailCheck};
pub use event::{Actor, Event, EventKind, RefusedRequest};
pub use field::{Attribute, FieldError, parse_text};
pub use mail::MailKind;
pub use network::Network;
pub use password::Password;
pub use password_policy::{PasswordPolicy, PasswordValidator, UserAttributes};
pub use rate::{Rate, RateError};
pub use session::{Client, EndReason, Presented, Rotation, Session, SessionId};
pub use text::{RawText, is_digit, is_word, lower, nfkc, strip};
pub use user::{LoginField, NewUser, PasswordHash, User, UserId, UserIdKind};
pub use username::{Username, UsernameCheck};
