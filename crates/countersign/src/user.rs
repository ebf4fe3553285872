//! `countersign user …`: accounts, looked at and changed from the command line.

use countersign_auth::Auth;
use serde_json::{Value, json};

use crate::account::{user_json, user_line};
use crate::cli::{KnownUserCommand, UserCommand};
use crate::config::Files;
use crate::createsuperuser::create_account;
use crate::program::{Failure, block_on, configure, open, report};

/// Runs one of the commands.
pub fn run(command: UserCommand, as_json: bool) -> Result<(), Failure> {
    let (json, sentence) = block_on(async {
        match command {
            UserCommand::Create(args) => create_account(args, false).await,
            UserCommand::Known(command) => {
                carry_out(&open(configure(Files::Existing)?).await?, command).await
            }
        }
    })?;
    report(as_json, &json, &sentence)
}

async fn carry_out(auth: &Auth, command: KnownUserCommand) -> Result<(Value, String), Failure> {
    match command {
        KnownUserCommand::List { after, limit } => {
            let users = auth.list_users(after, limit).await?;
            let mut lines: Vec<_> = users.iter().map(user_line).collect();
            if let Some(last) = users.last().filter(|_| users.len() == limit as usize) {
                lines.push(format!("There may be more: --after {}", last.id));
            }
            Ok((users.iter().map(user_json).collect(), lines.join("\n")))
        }
        KnownUserCommand::Show { username } => {
            let user = auth.get_user(&username).await?;
            Ok((user_json(&user), user_line(&user)))
        }
        KnownUserCommand::Activate { username } => set_active(auth, &username, true).await,
        KnownUserCommand::Deactivate { username } => set_active(auth, &username, false).await,
        KnownUserCommand::Delete { username } => {
            auth.delete_user(&username).await?;
            Ok((json!({ "deleted": username }), format!("{username} is deleted.")))
        }
        KnownUserCommand::Logout { username } => {
            let ended = auth.log_out_everywhere(&username).await?;
            let json = json!({ "sessions": ended.sessions, "tokens": ended.tokens });
            let of_django = match ended.tokens {
                0 => String::new(),
                tokens => format!(" {tokens} refresh tokens that Django recorded are blacklisted."),
            };
            let sentence = format!("{} sessions of {username} ended.{of_django}", ended.sessions);
            Ok((json, sentence))
        }
    }
}

async fn set_active(auth: &Auth, username: &str, is_active: bool) -> Result<(Value, String), Failure> {
    auth.set_active(username, is_active).await?;
    let user = auth.get_user(username).await?;
    Ok((user_json(&user), user_line(&user)))
}
