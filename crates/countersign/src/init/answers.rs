//! What is asked on a terminal, where no option has said it.

use std::io::{IsTerminal, Write};

use countersign_auth::NewAccount;
use countersign_domain::LoginField;

use crate::cli::InitArgs;
use crate::program::Failure;

/// Somebody at a terminal, or nobody.
pub struct Answers {
    is_somebody_there: bool,
}

impl Answers {
    /// Refuses where nobody can be asked and an option is missing.
    pub fn of(args: &InitArgs) -> Result<Self, Failure> {
        let is_somebody_there = std::io::stdin().is_terminal() && !args.password.password_stdin;
        let has_password = args.password.password_stdin || args.password.password_file.is_some();
        if !is_somebody_there && (args.username.is_none() || !has_password) {
            return Err(Failure::Other(
                "there is no terminal to ask on; use --username, and --password-stdin or --password-file"
                    .to_owned(),
            ));
        }
        Ok(Self { is_somebody_there })
    }

    /// The superuser to make.
    pub fn account(
        &self,
        username: Option<String>,
        email: Option<String>,
        login: LoginField,
    ) -> Result<NewAccount, Failure> {
        let (name, has_address) = match login {
            LoginField::Username => ("Username of the superuser", true),
            LoginField::Email => ("E-mail address of the superuser", false),
        };
        let username = username.map_or_else(|| self.ask(name, ""), Ok)?;
        let email = match email {
            Some(email) => email,
            None if has_address => self.ask("E-mail address", "")?,
            None => String::new(),
        };
        Ok(NewAccount { username, email, is_superuser: true })
    }

    /// The answer; what is `usual` where there is none, or nobody to ask. Asks on standard error: the result is for others.
    pub fn ask(&self, question: &str, usual: &str) -> Result<String, Failure> {
        if !self.is_somebody_there {
            return Ok(usual.to_owned());
        }
        let hint = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        let failed = |error: std::io::Error| {
            Failure::Other(format!("the answer cannot be read: {error}; try again, or use options"))
        };
        let mut stderr = std::io::stderr();
        write!(stderr, "{question}{hint}: ").and_then(|()| stderr.flush()).map_err(failed)?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).map_err(failed)? == 0 {
            return Err(Failure::Other(
                "there was no answer, and nothing is written; run this again".to_owned(),
            ));
        }
        Ok(match line.trim() {
            "" => usual.to_owned(),
            answer => answer.to_owned(),
        })
    }
}
