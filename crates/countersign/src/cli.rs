//! The command line: which subcommand, with what.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use countersign_domain::{EventKind, UserId};
use jiff::Timestamp;

use crate::check::Level;
use crate::program::Failure;
use crate::{
    account, adopt, audit, changepassword, check, createsuperuser, demo, explain, export, flushexpiredtokens,
    healthcheck, import, init, keys, migrate, packaging, sendtestemail, serve, settings, show_config, user,
};

#[derive(Parser)]
#[command(
    name = "countersign",
    version,
    about = "Accounts for your API: register, log in, refresh, protect."
)]
#[command(after_long_help = settings::help())]
struct Cli {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Read settings from this TOML file instead of countersign.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (what happens without a subcommand).
    #[command(after_long_help = settings::help())]
    Serve(ServeArgs),
    /// Write an .env with a key of its own, and make the first superuser. What is there already stays as it is.
    Init(InitArgs),
    /// Serve a throwaway instance with sample users to this machine, and print requests to try.
    Demo(DemoArgs),
    /// Bring the database up to the tables of this version.
    Migrate,
    /// Add what we need to a database that a Django project made: tables of our own, and an index on that of its users.
    Adopt(AdoptArgs),
    /// Copy every account from another database, or a file that Django's dumpdata wrote, into a fresh one of ours.
    Import(ImportArgs),
    /// Write every account, password hashes included, as a file that Django's loaddata and our import take.
    Export(ExportArgs),
    /// Make an account with every permission.
    Createsuperuser(NewUserArgs),
    /// Set the password of an account; its sessions end.
    Changepassword(ChangePasswordArgs),
    /// Delete the sessions and the recorded tokens that are past use (they also go by themselves, a few at each login).
    Flushexpiredtokens,
    /// Send one message, now, and say what the mail server says.
    Sendtestemail(SendTestEmailArgs),
    /// Check settings, keys and database, and say what is wrong.
    Check(CheckArgs),
    /// Print the settings in force, and where each was said; secrets are not shown.
    Config,
    /// Ask the server of these settings whether it is healthy; fails when it does not answer.
    Healthcheck,
    /// Print what makes a shell complete this command line, for example: source <(countersign completions bash)
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write the pages of the manual, for packages.
    #[command(hide = true)]
    Manual {
        /// Where to.
        directory: PathBuf,
    },
    /// Look at accounts and change them.
    #[command(subcommand)]
    User(UserCommand),
    /// Look at the signing keys and exchange them. Nobody is logged out by `generate`, and later `rotate`.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look at the audit log: who did what, when and from where.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tell why a request was refused.
    Explain {
        /// What the answer says in its header X-Request-Id.
        request_id: String,
    },
}

/// Commands that print nothing that could be JSON.
const WITHOUT_RESULT: [&str; 4] = ["serve", "demo", "completions", "manual"];
/// Commands that read no settings.
const WITHOUT_SETTINGS: [&str; 3] = ["demo", "completions", "manual"];

/// The command line, in which no command shows an option that it refuses: one that is hidden stands in its place.
fn shown(command: clap::Command) -> clap::Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).hide(true);
    let config = Arg::new("config").long("config").value_parser(value_parser!(PathBuf)).hide(true);
    let hide = |command: clap::Command, names: &[&str], option: &Arg| {
        names
            .iter()
            .fold(command, |command, name| command.mut_subcommand(name, |command| command.arg(option)))
    };
    hide(hide(command, &WITHOUT_RESULT, &json), &WITHOUT_SETTINGS, &config)
}

/// Where to listen.
#[derive(Args)]
pub struct ServeArgs {
    /// Address and port to listen on, e.g. 0.0.0.0:8000; wins over BIND and PORT.
    #[arg(long, value_parser = parse_address)]
    pub addr: Option<String>,
}

/// What stands in the new `.env`, and who the superuser is; what is left out is asked for on a terminal.
#[derive(Args)]
pub struct InitArgs {
    /// Log-in name of the superuser.
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// E-mail address of the superuser.
    #[arg(long)]
    pub email: Option<String>,
    #[command(flatten)]
    pub password: PasswordArgs,
    /// The database, as in the settings. A URL with a password is for the environment.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The host names that clients use, comma-separated.
    #[arg(long, value_name = "HOSTS")]
    pub allowed_hosts: Option<String>,
}

/// Where the demo listens.
#[derive(Args)]
pub struct DemoArgs {
    /// A port of this machine; one that is free unless said.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// What to check.
#[derive(Args)]
pub struct CheckArgs {
    /// Also warn of what must not be so where real users are.
    #[arg(long)]
    pub deploy: bool,
    /// Fail when a finding is at least as grave as this.
    #[arg(long, value_enum, ignore_case = true, default_value = "ERROR", value_name = "LEVEL")]
    pub fail_level: Level,
    /// Leave out the finding with this id, for example countersign.W012; may be repeated.
    #[arg(long, value_name = "ID", value_parser = check::parse_id)]
    pub silence: Vec<String>,
}

/// Whether to add, to look only, or to take out again.
#[derive(Args)]
pub struct AdoptArgs {
    /// Only look, and report what is there and what would be added.
    #[arg(long, conflicts_with = "undo")]
    pub dry_run: bool,
    /// Take out again what was added, with all sessions and signing keys. Stop the servers first.
    #[arg(long)]
    pub undo: bool,
    /// With --undo: go on although something else has the database open.
    #[arg(long, requires = "undo")]
    pub force: bool,
}

/// Where accounts come from.
#[derive(Args)]
pub struct ImportArgs {
    /// sqlite:PATH or postgresql://…, which is only read; a file of dumpdata; or - for standard input.
    pub source: String,
    /// Read and check everything, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where accounts are written.
#[derive(Args)]
pub struct ExportArgs {
    /// A file to be made, readable by its owner alone; standard output without one, or with -.
    pub file: Option<PathBuf>,
    /// Show password hashes on a terminal.
    #[arg(long)]
    pub force: bool,
}

/// A new account.
#[derive(Args)]
pub struct NewUserArgs {
    /// Log-in name.
    pub username: String,
    /// E-mail address.
    #[arg(long, default_value = "")]
    pub email: String,
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Whom to send it to.
#[derive(Args)]
pub struct SendTestEmailArgs {
    /// The address.
    pub address: String,
}

/// Whose password to set.
#[derive(Args)]
pub struct ChangePasswordArgs {
    /// Log-in name.
    pub username: String,
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// How the password is given: typed twice without echo, on standard input, or in a file.
#[derive(Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input instead of asking for it.
    #[arg(long)]
    pub password_stdin: bool,
    /// Read the password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
}

/// What to do with accounts.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an ordinary account.
    Create(NewUserArgs),
    #[command(flatten)]
    Known(KnownUserCommand),
}

/// What to do with accounts that are there.
#[derive(Subcommand)]
pub enum KnownUserCommand {
    /// List accounts by id.
    List {
        /// Only accounts with a greater id.
        #[arg(long, value_parser = account::parse_id)]
        after: Option<UserId>,
        /// How many at the most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one account.
    Show {
        /// Log-in name.
        username: String,
    },
    /// Let an account be used again.
    Activate {
        /// Log-in name.
        username: String,
    },
    /// Keep an account from being used; its sessions end.
    Deactivate {
        /// Log-in name.
        username: String,
    },
    /// Delete an account.
    Delete {
        /// Log-in name.
        username: String,
    },
    /// End every session of an account.
    Logout {
        /// Log-in name.
        username: String,
    },
}

/// What to do with signing keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// List the keys: which one signs, which ones verify, and from when these may be retired.
    List,
    /// Make the next key, and publish it.
    Generate {
        /// What it signs with, for example ES256 or RS256.
        #[arg(long, default_value = "EdDSA")]
        algorithm: String,
        /// Even though a key there cannot be opened: to replace it when the secret that sealed it is lost.
        #[arg(long)]
        force: bool,
    },
    /// Let the next key sign; the one that signed goes on verifying.
    Rotate {
        /// Do not wait until verifiers have fetched the next key.
        #[arg(long)]
        now: bool,
    },
    /// Accept no more tokens of a key, and delete it.
    Retire {
        /// The key's id.
        kid: String,
        /// Do not wait until its tokens have expired.
        #[arg(long)]
        now: bool,
    },
}

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Walk along the chain of events, and say where it breaks; fails then.
    Verify {
        /// An end of the chain that was noted before, which has to be there still.
        #[arg(long, value_name = "POSITION:HASH", value_parser = parse_noted)]
        noted: Option<(i64, String)>,
    },
    /// Print events as JSON, one on each line, the oldest first.
    Export(ExportEventsArgs),
    /// Erase names, addresses and clients in the events about a user; the chain stays whole.
    Erase {
        /// The user's id; the user need not exist any more.
        #[arg(long, value_parser = account::parse_id)]
        user: UserId,
    },
}

/// Which events to print.
#[derive(Args)]
pub struct ExportEventsArgs {
    /// Only those about the user with this id.
    #[arg(long, value_parser = account::parse_id)]
    pub user: Option<UserId>,
    /// Only those at this time or later, for example 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Timestamp>,
    /// Only those before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<Timestamp>,
    /// Only those of this kind; may be repeated.
    #[arg(long, value_parser = EventKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>())]
    pub kind: Vec<String>,
    /// Only those of the request with this name.
    #[arg(long, value_name = "REQUEST_ID")]
    pub request: Option<String>,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// The end of a log without events.
const EMPTY_LOG: &str = "0:";

/// A hash that was cut short in pasting would be told as a break of the chain.
fn parse_noted(text: &str) -> Result<(i64, String), String> {
    let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = text.split_once(':').filter(|(_, hash)| is_hash(hash) || text == EMPTY_LOG);
    let noted = parts.and_then(|(position, hash)| Some((position.parse().ok()?, hash.to_ascii_lowercase())));
    let wanted = "must be a position, a colon and 64 hexadecimal digits, as `audit verify` prints them";
    noted.ok_or_else(|| wanted.to_owned())
}

/// What can only fail later, when a database and a key are made already, is refused here.
fn parse_address(text: &str) -> Result<String, String> {
    let is_named =
        |(host, port): (&str, &str)| !host.is_empty() && !host.contains(':') && port.parse::<u16>().is_ok();
    let is_sound = text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(is_named);
    is_sound.then(|| text.to_owned()).ok_or_else(|| "must be such as 127.0.0.1:8000".to_owned())
}

/// Runs what the command line asks for; a failure is told on standard error.
pub fn run() -> ExitCode {
    let matches = shown(Cli::command()).get_matches();
    let name = matches.subcommand_name().unwrap_or("serve").to_owned();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let as_json = cli.json;
    match dispatch(cli, &name) {
        Ok(()) => ExitCode::SUCCESS,
        // What was found is printed already.
        Err(Failure::Found) => ExitCode::FAILURE,
        Err(failure) if as_json => {
            eprintln!("{}", serde_json::json!({ "error": failure.to_string() }));
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("countersign: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The TOML file that the command line names. It is looked at again here, so that not each subcommand has to hand it on.
pub fn config_file() -> Option<PathBuf> {
    Cli::try_parse().ok()?.config
}

fn dispatch(cli: Cli, name: &str) -> Result<(), Failure> {
    let command = cli.command.unwrap_or(Command::Serve(ServeArgs { addr: None }));
    if cli.serve.addr.is_some() && !matches!(command, Command::Serve(_)) {
        return Err(Failure::Other("--addr is for serving; leave it out here".to_owned()));
    }
    for (option, is_idle) in [
        ("--json", cli.json && WITHOUT_RESULT.contains(&name)),
        ("--config", cli.config.is_some() && WITHOUT_SETTINGS.contains(&name)),
    ] {
        if is_idle {
            return Err(Failure::Other(format!("{option} means nothing to this command; leave it out here")));
        }
    }
    match command {
        Command::Serve(args) => serve::run(&ServeArgs { addr: args.addr.or(cli.serve.addr) }),
        Command::Init(args) => init::run(args, cli.json),
        Command::Demo(args) => demo::run(&args),
        Command::Migrate => migrate::run(cli.json),
        Command::Adopt(args) => adopt::run(&args, cli.json),
        Command::Import(args) => import::run(&args, cli.json),
        Command::Export(args) => export::run(&args, cli.json),
        Command::Createsuperuser(args) => createsuperuser::run(args, cli.json),
        Command::Changepassword(args) => changepassword::run(&args, cli.json),
        Command::Flushexpiredtokens => flushexpiredtokens::run(cli.json),
        Command::Sendtestemail(args) => sendtestemail::run(&args, cli.json),
        Command::Check(args) => check::run(&args, cli.json),
        Command::Config => show_config::run(cli.json),
        Command::Healthcheck => healthcheck::run(cli.json),
        Command::Completions { shell } => packaging::completions(shell, shown(Cli::command())),
        Command::Manual { directory } => packaging::manual(shown(Cli::command()), &directory),
        Command::User(command) => user::run(command, cli.json),
        Command::Keys(command) => keys::run(command, cli.json),
        Command::Audit(command) => audit::run(command, cli.json),
        Command::Explain { request_id } => explain::run(&request_id, cli.json),
    }
}
