//! A user as its owner sees it.

use countersign_domain::{LoginField, User, UserId};
use countersign_token::json::Value;

use crate::endpoint::object;
use crate::operation::{Kind, Member, Shape};

pub(crate) const SHAPE: Shape = Shape::Object(&[
    Member::new("id", Kind::Integer(1), ""),
    Member {
        is_always_there: false,
        ..Member::new("username", Kind::Text("ada"), "Not with `USERNAME_FIELD=email`.")
    },
    Member::new("email", Kind::Text("ada@example.com"), "Empty if there is none."),
]);

/// Without a name where users have none but their e-mail address.
pub(crate) fn user_body(user: &User, login_field: LoginField) -> Value {
    let name = (login_field == LoginField::Username).then(|| ("username", user.username.as_str().into()));
    let members = [Some(("id", id(user.id))), name, Some(("email", user.email.as_str().into()))];
    object(members.into_iter().flatten()).into()
}

fn id(id: UserId) -> Value {
    match id {
        UserId::Number(number) => number.into(),
        UserId::Uuid(_) => id.to_string().into(),
    }
}
