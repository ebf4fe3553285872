//! `countersign init`: an `.env` and the first superuser. Whatever is refused is refused before anything is written, nothing
//! that is there is changed, and what was interrupted goes on when it is run again.

mod answers;
mod draft;

use std::io::ErrorKind;
use std::path::Path;

use countersign_auth::{Auth, NewAccount};
use countersign_domain::{LoginField, User};
use countersign_store::{DatabaseUrl, Prospect};
use serde_json::json;
use zeroize::Zeroizing;

use self::answers::Answers;
use crate::account::{user_json, user_line};
use crate::cli::{InitArgs, PasswordArgs};
use crate::config::{Config, Files, Reader, is_there};
use crate::new_password::with_new_password;
use crate::program::{
    Configured, Failure, block_on, configure_from, open, read_sources, read_sources_with, report,
};
use crate::sources::{DOTENV, Sources};
use crate::{adopt, private_file};

/// Writes the one, and makes the other.
pub fn run(args: InitArgs, as_json: bool) -> Result<(), Failure> {
    let answers = Answers::of(&args)?;
    draft::check_options(&args)?;
    // Reading a pipe waits for whoever would write to it.
    if std::fs::metadata(DOTENV).is_ok_and(|found| !found.is_file()) {
        return Err(Failure::Other(format!(
            "{DOTENV} is there, and is no file; remove it, or run this elsewhere"
        )));
    }
    let present = read_sources()?;
    let has_file = std::fs::symlink_metadata(DOTENV).is_ok();
    let text = if has_file { None } else { Some(draft::compose(&args, &answers, &present)?) };
    let has_new_key = text.is_some() && present.said("SECRET_KEY").is_none();
    let sources = match &text {
        Some(text) => read_sources_with(Some(text))?,
        None => present,
    };
    refuse_what_does_not_count(&args, &sources)?;
    let Configured { config, sources, .. } = configure_from(sources, Files::NotNeeded)?;
    let has_new_key = has_new_key && config.secret_key.file.is_none();
    let login = config.user_model.login;
    if args.username.is_none() {
        say_what_is_there(has_file, &block_on(superusers(&config))?);
    }
    let account = answers.account(args.username, args.email, login)?;
    account.check_names(login)?;
    let setup = Setup { text, has_new_key, config, sources, account, password: args.password };
    let database = setup.config.database.to_string();
    let Done { wrote, superuser, is_new } = block_on(setup.carry_out())?;
    let json = json!({
        "file": DOTENV, "written": wrote, "database": database,
        "superuser": user_json(&superuser), "superuser_made": is_new,
    });
    let file = if wrote { "is written, for you alone to read" } else { "was there, and is as it was" };
    let user = if is_new { "is made" } else { "was there, and is as it was" };
    let sentence = format!(
        "{DOTENV} {file}.\nThe superuser {user}, in {database}:\n{}\nNext: `countersign` serves; `countersign check --deploy` \
         says what to see to before real users come.",
        user_line(&superuser)
    );
    report(as_json, &json, &sentence)
}

/// Before anybody is asked for a name: another than one of these makes another superuser.
fn say_what_is_there(has_file: bool, superusers: &[String]) {
    if has_file {
        eprintln!("{DOTENV} is there, and stays as it is.");
    }
    if !superusers.is_empty() {
        eprintln!("Superusers there: {}. Another name makes another.", superusers.join(", "));
    }
}

/// The first of them, looked for without a change to the database.
async fn superusers(config: &Config) -> Result<Vec<String>, Failure> {
    if !is_there(&config.database) {
        return Ok(Vec::new());
    }
    let prospect = Prospect::open_for(&config.database, &config.pool, &config.user_model).await?;
    if prospect.look().await?.is_empty {
        return Ok(Vec::new());
    }
    let users = prospect.users_after(None).await?.into_iter().filter(|user| user.is_superuser);
    let login = config.user_model.login;
    Ok(users.map(|user| if login == LoginField::Email { user.email } else { user.username }).collect())
}

/// An option beside which something else is in force would be taken for done.
fn refuse_what_does_not_count(args: &InitArgs, sources: &Sources) -> Result<(), Failure> {
    for (name, option, wanted) in [
        ("DATABASE_URL", "--database-url", &args.database_url),
        ("ALLOWED_HOSTS", "--allowed-hosts", &args.allowed_hosts),
    ] {
        let Some(wanted) = wanted else { continue };
        if Reader(sources).text(name)? != wanted {
            let place = sources.said(name).map_or("what is there already", |said| said.origin.as_str());
            return Err(Failure::Other(format!(
                "{name} is another in {place} than {option} says, and would count; change it there, or leave {option} out"
            )));
        }
    }
    Ok(())
}

/// Everything that was said.
struct Setup {
    /// The new `.env`, if there is none yet.
    text: Option<Zeroizing<String>>,
    /// Whether a key in it is one that has signed for nobody yet.
    has_new_key: bool,
    config: Config,
    sources: Sources,
    account: NewAccount,
    password: PasswordArgs,
}

/// How it ended.
struct Done {
    wrote: bool,
    superuser: User,
    is_new: bool,
}

impl Setup {
    async fn carry_out(self) -> Result<Done, Failure> {
        // A database that has our tables can be asked for the name before anything is written.
        let auth = if has_our_tables(&self.config, self.has_new_key).await? {
            Some(self.open().await?)
        } else {
            None
        };
        if let Some(auth) = &auth
            && let Some(superuser) = find_superuser(auth, &self.account).await?
        {
            let wrote = self.write()?;
            return Ok(Done { wrote, superuser, is_new: false });
        }
        let login = self.config.user_model.login;
        let password = with_new_password(&self.password, async |password| {
            self.account.check_password(login, &self.config.policy, password)?;
            Ok(Zeroizing::new(password.to_owned()))
        })
        .await?;
        let wrote = self.write()?;
        let made = Box::pin(self.make_superuser(auth, &password)).await; // boxed, as it is large
        let superuser = made.map_err(|failure| if wrote { half_done(&failure) } else { failure })?;
        Ok(Done { wrote, superuser, is_new: true })
    }

    async fn open(&self) -> Result<Auth, Failure> {
        open(Config::from_sources(&self.sources, Files::MadeTogether)?).await
    }

    /// Whether it had to be written.
    fn write(&self) -> Result<bool, Failure> {
        let Some(text) = &self.text else { return Ok(false) };
        let written = private_file::make(Path::new(DOTENV), text).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{DOTENV} has just been made by somebody else; run this again")
            }
            _ => format!("{DOTENV} cannot be written: {error}; run this where you may write"),
        });
        written.map(|()| true).map_err(Failure::Other)
    }

    async fn make_superuser(&self, auth: Option<Auth>, password: &str) -> Result<User, Failure> {
        let auth = match auth {
            Some(auth) => auth,
            None => self.open().await?,
        };
        Ok(auth.create_user(self.account.clone(), password).await?)
    }
}

fn half_done(failure: &Failure) -> Failure {
    let next = "put this right and run `countersign init` again: it goes on with the superuser";
    Failure::Other(format!("{failure}. {DOTENV} is written; {next}"))
}

/// The superuser of this name, if there is one already; refuses the name of somebody else.
async fn find_superuser(auth: &Auth, account: &NewAccount) -> Result<Option<User>, Failure> {
    match auth.get_user(&account.username).await {
        Ok(user) if user.is_superuser => Ok(Some(user)),
        _ => {
            auth.check_names(account).await?;
            Ok(None)
        }
    }
}

/// Looks at the database, without a change to it: whether it has all tables of ours. Refuses one that could not be served,
/// and one whose tokens a new key would end.
async fn has_our_tables(config: &Config, has_new_key: bool) -> Result<bool, Failure> {
    if matches!(&config.database, DatabaseUrl::Sqlite(path) if !path.exists()) {
        return Ok(false);
    }
    let prospect = Prospect::open_for(&config.database, &config.pool, &config.user_model).await?;
    let findings = prospect.look().await?;
    if findings.is_empty && findings.may_create {
        return Ok(false);
    }
    if findings.is_empty {
        return Err(Failure::Other(format!(
            "the role that DATABASE_URL names may not make tables in {}; GRANT CREATE on its schema, or name another",
            config.database
        )));
    }
    if let Some(refusal) = adopt::refusal(config).await? {
        return Err(Failure::Other(refusal));
    }
    if has_new_key && !prospect.users_after(None).await?.is_empty() {
        return Err(Failure::Other(format!(
            "{} has users already, and a new SECRET_KEY would log them out; put theirs into the environment of this \
             command, as SECRET_KEY, and it is written down",
            config.database
        )));
    }
    Ok(findings.to_add.tables.is_empty() && findings.to_add.indexes.is_empty())
}
