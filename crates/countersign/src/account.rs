//! What the account subcommands share: printing a user, and reading an id.

use countersign_domain::{User, UserId};
use serde_json::{Value, json};

/// A user as programs read it.
pub fn user_json(user: &User) -> Value {
    json!({
        "id": id_json(user.id),
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "last_login": user.last_login.map(|time| time.to_string()),
        "date_joined": user.date_joined.to_string(),
    })
}

/// A user's key: a number, or a UUID as text.
pub fn id_json(id: UserId) -> Value {
    id.number().map_or_else(|| id.to_string().into(), Value::from)
}

/// Reads a key as it is shown.
pub fn parse_id(text: &str) -> Result<UserId, String> {
    let number = text.parse().ok().map(UserId::new);
    number
        .or_else(|| UserId::parse_uuid(text))
        .ok_or_else(|| "must be an id as `countersign user list` prints it: a number, or a UUID".to_owned())
}

/// A user on one line.
pub fn user_line(user: &User) -> String {
    let marks =
        [(!user.is_active, " inactive"), (user.is_superuser, " superuser"), (user.is_staff, " staff")];
    let marks: String = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark).collect();
    let email = if user.email.is_empty() { "-" } else { &user.email };
    format!("{:>6}  {}  {email}{marks}", user.id, user.username)
}
