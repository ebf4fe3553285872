//! The text of a new `.env`, made of what the settings declare of themselves.

use countersign_store::{DatabaseUrl, DatabaseUrlError};
use zeroize::Zeroizing;

use super::answers::Answers;
use crate::check::wrong_hosts;
use crate::cli::InitArgs;
use crate::config::Reader;
use crate::dotenv;
use crate::program::Failure;
use crate::secret_key::{beside, random_hex};
use crate::settings::{SETTINGS, Setting, commented, dotenv_entry};
use crate::sources::{ENVIRONMENT, Raw, Sources};

/// What a newcomer decides first, and what next, which has its default until then.
const DECIDED: [&str; 4] = ["SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "DATABASE_URL"];
const NEXT: [&str; 6] = [
    "BIND",
    "PORT",
    "ACCESS_TOKEN_LIFETIME",
    "REFRESH_TOKEN_LIFETIME",
    "ROTATE_REFRESH_TOKENS",
    "BLACKLIST_AFTER_ROTATION",
];
/// What answers under these names is this machine.
const LOCAL_HOSTS: &str = ".localhost,127.0.0.1,[::1]";
const HEAD: &str = "# Settings of Countersign, as `countersign init` wrote them. `countersign serve --help` and docs/settings.md have \
                    all;\n# what the environment says goes before. Keep this file to yourself: who has SECRET_KEY can be any \
                    user.\n";

/// Refuses options that cannot be meant, before anything is asked.
pub fn check_options(args: &InitArgs) -> Result<(), Failure> {
    refuse_password(args.database_url.as_deref())?;
    match args.allowed_hosts.as_deref().and_then(wrong_hosts) {
        Some(wrong) => Err(Failure::Other(wrong.to_string())),
        None => Ok(()),
    }
}

/// Asks for what no option and no other place has said.
pub fn compose(args: &InitArgs, answers: &Answers, present: &Sources) -> Result<Zeroizing<String>, Failure> {
    let database = choose(present, "DATABASE_URL", args.database_url.as_deref(), |usual| {
        answers.ask("Database", usual)
    })?;
    let mut key = new_key(&database)?;
    let hosts = choose(present, "ALLOWED_HOSTS", args.allowed_hosts.as_deref(), |_| ask_for_hosts(answers))?;
    let mut text = Zeroizing::new(HEAD.to_owned());
    for setting in SETTINGS {
        let chosen = match setting.name {
            "SECRET_KEY" => key.take(),
            "DEBUG" => Some(Zeroizing::new("False".to_owned())),
            "ALLOWED_HOSTS" => Some(Zeroizing::new(hosts.clone())),
            "DATABASE_URL" => Some(Zeroizing::new(database.clone())),
            _ => None,
        };
        if DECIDED.contains(&setting.name) {
            text.push_str(&decided(setting, present, chosen)?);
        } else if NEXT.contains(&setting.name) {
            text.push_str(&dotenv_entry(setting));
        }
    }
    Ok(text)
}

/// Asks until they can be matched: who is asked may try again.
fn ask_for_hosts(answers: &Answers) -> Result<String, Failure> {
    loop {
        let hosts = answers.ask("Host names that clients use", LOCAL_HOSTS)?;
        match wrong_hosts(&hosts) {
            Some(wrong) => eprintln!("{wrong}"),
            None => return Ok(hosts),
        }
    }
}

/// What is said already, or by the option, or by whom is asked.
fn choose(
    present: &Sources,
    name: &'static str,
    option: Option<&str>,
    ask: impl FnOnce(&str) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let in_force = Reader(present).text(name)?;
    match option {
        _ if present.said(name).is_some() => Ok(in_force.to_owned()),
        Some(option) => Ok(option.to_owned()),
        None => ask(in_force),
    }
}

/// What every user of the machine can read in its list of processes is no place for a password.
fn refuse_password(url: Option<&str>) -> Result<(), Failure> {
    let url = url.unwrap_or_default();
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map_or("", |(user, _)| user);
    if user.contains(':') || url.contains("password=") {
        return Err(Failure::Other(
            "--database-url: others can read a password there; leave it out, and put DATABASE_URL into the environment \
             of this command"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A random one, unless a key is kept beside the database already, which signs for those who are in it.
fn new_key(database: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let url = database.trim().parse();
    let url: DatabaseUrl =
        url.map_err(|error: DatabaseUrlError| Failure::Other(format!("DATABASE_URL: {error}")))?;
    match url {
        DatabaseUrl::Sqlite(path) if beside(&path).exists() => Ok(None),
        _ => random_hex().map(Some).map_err(|error| {
            Failure::Other(format!("the operating system gives no randomness: {error}; try again"))
        }),
    }
}

/// The entry of a setting: what the environment says of it is written down, what another file says is left to that.
fn decided(
    setting: &'static Setting,
    present: &Sources,
    chosen: Option<Zeroizing<String>>,
) -> Result<Zeroizing<String>, Failure> {
    let value = match present.said(setting.name) {
        Some(said) if said.origin != ENVIRONMENT => {
            let words = format!("{} {} is said in {}.", setting.doc, setting.name, said.origin);
            return Ok(Zeroizing::new(commented(&words)));
        }
        Some(said) => match &said.raw {
            Raw::Text(text) | Raw::One(text) => Some(text.clone()),
            Raw::List(_) => None,
        },
        None => chosen,
    };
    let Some(value) = value else { return Ok(Zeroizing::new(dotenv_entry(setting))) };
    let line = dotenv::line(setting.name, &value).ok_or_else(|| {
        Failure::Other(format!(
            "{} cannot be written into an .env, where ${{…}} and line ends mean something else; put it into \
             countersign.toml",
            setting.name
        ))
    })?;
    Ok(Zeroizing::new(commented(setting.doc) + &line))
}
