//! A user as its owner sees it.

use countersign_domain::User;
use countersign_token::json::Value;

use crate::endpoint::object;
use crate::operation::{Kind, Member, Shape};

pub(crate) const SHAPE: Shape = Shape::Object(&[
    Member::new("id", Kind::Integer(1), ""),
    Member::new("username", Kind::Text("ada"), ""),
    Member::new("email", Kind::Text("ada@example.com"), "Empty if there is none."),
]);

pub(crate) fn user_body(user: &User) -> Value {
    object([
        ("id", user.id.get().into()),
        ("username", user.username.as_str().into()),
        ("email", user.email.as_str().into()),
    ])
    .into()
}
