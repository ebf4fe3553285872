//! `countersign demo`: an instance to try things on, in a directory that goes with it, for this machine alone. It reads no
//! settings, so that it meets nobody's accounts.

mod requests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use countersign_auth::{Auth, NewAccount};
use tempfile::TempDir;

use crate::cli::DemoArgs;
use crate::program::{Failure, configure_to_serve, say};
use crate::serve::{Hangup, until_stopped};
use crate::sources::{SettingError, Sources};

/// The password of each sample user. It guards nothing.
const PASSWORD: &str = "only-for-the-demo";
/// Who is there, and as what.
const USERS: [(&str, Role); 4] =
    [("ada", Role::User), ("bob", Role::User), ("grace", Role::Staff), ("eve", Role::Inactive)];
/// Logs that a reader of the requests would not look for.
const LOG: &str = "warn";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Staff,
    Inactive,
}

/// Serves until Ctrl-C, SIGTERM, or the end of the terminal; then nothing is left.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).map_err(|error| {
        Failure::Other(format!(
            "cannot listen on 127.0.0.1:{}: {error}; choose another --port, or leave it out for a free one",
            args.port
        ))
    })?;
    let directory = tempfile::Builder::new().prefix("countersign-demo-").tempdir().map_err(|error| {
        Failure::Other(format!("there is no place for the demo: {error}; set TMPDIR to a directory"))
    })?;
    let served = serve(directory.path(), listener);
    remove(directory)?;
    served
}

fn serve(directory: &Path, listener: TcpListener) -> Result<(), Failure> {
    let serving = configure_to_serve(&sources(directory)?)?;
    let greet = |local: &str, _: Option<&str>| say(&requests::greeting(local, directory));
    until_stopped(serving, Some(listener), String::new(), Hangup::Stops, make_users, greet)
}

/// Nothing of what is said of settings here counts, but how much is logged.
fn sources(directory: &Path) -> Result<Sources, SettingError> {
    let log = std::env::var("LOG").unwrap_or_else(|_| LOG.to_owned());
    let database = format!("sqlite:{}", directory.join("countersign.sqlite3").display());
    let said = [("DATABASE_URL", database), ("LOG", log)];
    let said: BTreeMap<String, String> =
        said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Sources::read(directory, None, &said, None)
}

async fn make_users(auth: &Auth) -> Result<(), Failure> {
    for (name, role) in USERS {
        let email = format!("{name}@example.com");
        let account = NewAccount { username: name.to_owned(), email, is_superuser: role == Role::Staff };
        auth.create_user(account, PASSWORD).await?;
        if role == Role::Inactive {
            auth.set_active(name, false).await?;
        }
    }
    Ok(())
}

fn remove(directory: TempDir) -> Result<(), Failure> {
    let path = directory.path().display().to_string();
    directory
        .close()
        .map_err(|error| Failure::Other(format!("{path} cannot be removed: {error}; remove it yourself")))
}
