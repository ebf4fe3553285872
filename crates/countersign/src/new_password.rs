//! A new password from the operator: typed twice on a terminal, where it may be tried again, or one line of standard input
//! or of a file.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, IsTerminal};

use countersign_auth::UserError;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::cli::PasswordArgs;
use crate::program::Failure;

/// How often it is asked for, as Django's `changepassword` does.
const ATTEMPTS: usize = 3;
const DIFFERENT: &str = "the two passwords differ; type the same one twice";

/// Hands a new password on. On a terminal the next one is asked for when it was mistyped, or `take` refuses it.
pub async fn with_new_password<T>(
    args: &PasswordArgs,
    mut take: impl AsyncFnMut(&str) -> Result<T, UserError>,
) -> Result<T, Failure> {
    if let Some(password) = given(args)? {
        return Ok(take(&password).await?);
    }
    // Ctrl-C at the prompt is sent on as a signal before the terminal is put right. It must not end us by itself.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| unreadable(&error))?;
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let refused = match typed_twice()? {
            None => Failure::Other(DIFFERENT.to_owned()),
            Some(password) => tokio::select! {
                taken = take(&password) => match taken {
                    Err(error @ UserError::Refused { field: "password", .. }) => error.into(),
                    taken => return Ok(taken?),
                },
                _ = interrupt.recv() => return Err(interrupted()),
            },
        };
        if left == 0 {
            return Err(refused);
        }
        eprintln!("{refused}");
    }
}

/// What is not typed, if it is to be read from elsewhere.
fn given(args: &PasswordArgs) -> Result<Option<Zeroizing<String>>, Failure> {
    if args.password_stdin {
        return first_line(std::io::stdin().lock()).map(Some).map_err(|error| unreadable(&error));
    }
    if let Some(path) = &args.password_file {
        let line = File::open(path).and_then(|file| first_line(BufReader::new(file)));
        return line.map(Some).map_err(|error| {
            let fix = "put it there, or name another";
            Failure::Other(format!("--password-file: {} cannot be read: {error}; {fix}", path.display()))
        });
    }
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    Err(Failure::Other(
        "there is no terminal to ask for the password; use --password-stdin or --password-file".to_owned(),
    ))
}

/// None where the two are not the same.
fn typed_twice() -> Result<Option<Zeroizing<String>>, Failure> {
    let typed = |prompt| match rpassword::prompt_password(prompt) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(interrupted()),
        typed => typed.map(Zeroizing::new).map_err(|error| unreadable(&error)),
    };
    let (first, second) = (typed("Password: ")?, typed("Password (again): ")?);
    Ok((*first == *second).then_some(first))
}

fn interrupted() -> Failure {
    Failure::Other("interrupted, and nothing is changed; run it again".to_owned())
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::Other(format!("the password cannot be read: {error}; try again, or use --password-file"))
}

fn first_line(mut text: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    text.read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}
