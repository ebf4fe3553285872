//! What the account subcommands share: reading a password, and printing a user.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};

use countersign_domain::{User, UserId};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::PasswordArgs;
use crate::program::Failure;

/// Reads a new password: twice from the terminal without echo, or one line of standard input or of a file.
pub fn read_new_password(args: &PasswordArgs) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Other(format!("the password cannot be read: {error}; try again, or use --password-file"))
    };
    if args.password_stdin {
        return first_line(std::io::stdin().lock()).map_err(failed);
    }
    if let Some(path) = &args.password_file {
        let line = File::open(path).and_then(|file| first_line(BufReader::new(file)));
        return line.map_err(|error| {
            Failure::Other(format!("--password-file: {} cannot be read: {error}", path.display()))
        });
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Other(
            "there is no terminal to ask for the password; use --password-stdin or --password-file"
                .to_owned(),
        ));
    }
    let first = Zeroizing::new(rpassword::prompt_password("Password: ").map_err(failed)?);
    let second = Zeroizing::new(rpassword::prompt_password("Password (again): ").map_err(failed)?);
    if *first != *second {
        return Err(Failure::Other("the two passwords differ; type the same one twice".to_owned()));
    }
    Ok(first)
}

fn first_line(mut text: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    text.read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

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
    number.or_else(|| UserId::parse_uuid(text)).ok_or_else(|| "neither a number nor a UUID".to_owned())
}

/// A user on one line.
pub fn user_line(user: &User) -> String {
    let marks =
        [(!user.is_active, " inactive"), (user.is_superuser, " superuser"), (user.is_staff, " staff")];
    let marks: String = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark).collect();
    let email = if user.email.is_empty() { "-" } else { &user.email };
    format!("{:>6}  {}  {email}{marks}", user.id, user.username)
}
