//! A user as its owner sees it.

use countersign_domain::{LoginField, User, UserId};
use countersign_token::json::Value;

use crate::endpoint::object;

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
