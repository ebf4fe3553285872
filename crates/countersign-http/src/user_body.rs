//! A user as its owner sees it.

use countersign_domain::User;
use countersign_token::json::Value;

use crate::endpoint::object;

pub(crate) fn user_body(user: &User) -> Value {
    object([
        ("id", user.id.get().into()),
        ("username", user.username.as_str().into()),
        ("email", user.email.as_str().into()),
    ])
    .into()
}
