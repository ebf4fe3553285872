//! A server of its own for a group of scenarios: its process, port, directory and database.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::cluster::{Cluster, Database};

use super::clock::now;
use super::hooks;
use super::http_client::exchange;
use super::minting::Signer;
use super::scenario::{Group, Request};
use super::signing::key_text;
use super::variables::Variables;

/// The environment of every scenario, unless it says otherwise.
const DEFAULT_ENVIRONMENT: [(&str, &str); 7] = [
    ("SECRET_KEY", "golden-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"),
    ("DEBUG", "False"),
    ("ALLOWED_HOSTS", "*"),
    ("PASSWORD_VALIDATORS", "off"),
    ("THROTTLE", "off"),
    ("REFRESH_GRACE", "0"),
    ("DJANGO_PEER", "on"),
];
/// Any cheap hasher will do where no scenario looks at the hash.
const CHEAP_HASHER: [(&str, &str); 4] = [
    ("PASSWORD_HASHER", "argon2id"),
    ("ARGON2_MEMORY_KIB", "64"),
    ("ARGON2_ITERATIONS", "1"),
    ("ARGON2_PARALLELISM", "1"),
];
const START_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPTS: usize = 3;

/// What is put to the test.
#[derive(Clone)]
pub enum Subject {
    /// The program of this workspace, in the build under test, on `SQLite` or on databases of a PostgreSQL cluster.
    Program(Option<&'static Cluster>),
    /// Any other server: programs with the contract of `conformance/start` and `conformance/hook`.
    Other { start: String, hook: String },
}

/// A running server; it is killed when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub signer: Signer,
    subject: Subject,
    environment: BTreeMap<String, String>,
    directory: TempDir,
    child: Child,
    /// Dropped after the child, which is connected to it.
    _database: Option<Database>,
}

/// Why there is no server.
pub enum StartError {
    /// It gave up by itself, saying this.
    Exited(String),
    /// It cannot be run, or does not answer.
    Failed(String),
}

impl Server {
    /// Starts a server with an empty database and waits until it answers. Only one starts at a time (`turn`), so
    /// that none takes the port that was found free for another.
    pub fn start(group: &Group, subject: &Subject, turn: &Mutex<()>) -> Result<Server, StartError> {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 1..ATTEMPTS {
            match Server::start_once(group, subject) {
                Err(StartError::Exited(log)) if log.to_lowercase().contains("address already in use") => {}
                result => return result,
            }
        }
        Server::start_once(group, subject)
    }

    fn start_once(group: &Group, subject: &Subject) -> Result<Server, StartError> {
        let settings = resolve_keys(&group.settings).map_err(StartError::Failed)?;
        let directory = tempfile::tempdir().map_err(failed)?;
        let address = free_address().map_err(failed)?;
        let mut environment: BTreeMap<String, String> =
            DEFAULT_ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        environment.extend(group.environment.clone());
        let secret_key = environment.get("SECRET_KEY").map_or("", String::as_str);
        let signer = Signer::new(&settings, secret_key);
        environment.insert("SIMPLE_JWT_JSON".to_owned(), Value::Object(settings).to_string());
        environment.insert("PORT".to_owned(), address.port().to_string());
        environment.insert("WORKDIR".to_owned(), directory.path().display().to_string());
        let database = match subject {
            Subject::Program(cluster) => cluster.map(Cluster::database),
            Subject::Other { .. } => None,
        };
        let mut command = match subject {
            Subject::Program(_) => {
                if let Some(database) = &database {
                    environment.insert("DATABASE_URL".to_owned(), database.url());
                }
                environment = program_environment(environment);
                let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
                command.env_clear();
                command
            }
            Subject::Other { start, .. } => Command::new(start),
        };
        let log = File::create(directory.path().join("server.log")).map_err(failed)?;
        command.envs(&environment).current_dir(directory.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let child = command.spawn().map_err(failed)?;
        let mut server = Server {
            address,
            signer,
            subject: subject.clone(),
            environment,
            directory,
            child,
            _database: database,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), StartError> {
        let request: Request =
            serde_json::from_str(r#"{"method": "GET", "path": "/user/api/me/"}"#).map_err(failed)?;
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT {
            if let Some(status) = self.child.try_wait().map_err(failed)? {
                let log = self.log();
                return Err(if status.success() || log.contains("panicked at") {
                    StartError::Failed(format!("{status} at start: {log}"))
                } else {
                    StartError::Exited(log)
                });
            }
            if exchange(self.address, &request, &Variables::default()).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(StartError::Failed(format!("no answer within {START_TIMEOUT:?}: {}", self.log())))
    }

    /// Runs a database operation; see [`hooks`].
    pub fn hook(&self, operation: &str, arguments: &Map<String, Value>) -> Result<Value, String> {
        let failed = |message| format!("hook {operation}: {message}");
        match &self.subject {
            Subject::Program(_) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let setting = |name: &str| self.environment.get(name).cloned();
                let run = hooks::run(operation, arguments, setting, now());
                runtime.map_err(|error| failed(error.to_string()))?.block_on(run).map_err(failed)
            }
            Subject::Other { hook, .. } => {
                self.run_hook(hook, operation, arguments).map_err(|error| failed(error.to_string()))
            }
        }
    }

    fn run_hook(
        &self,
        hook: &str,
        operation: &str,
        arguments: &Map<String, Value>,
    ) -> std::io::Result<Value> {
        let mut command = Command::new(hook);
        command.arg(operation).envs(&self.environment).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(Value::Object(arguments.clone()).to_string().as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(std::io::Error::other(output.status.to_string()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
    }

    /// What is wrong with the process itself, whatever it answered.
    pub fn complaint(&mut self) -> Option<String> {
        let log = self.log();
        match self.child.try_wait() {
            Ok(None) if log.contains("panicked at") => Some(format!("the server panicked: {log}")),
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("the server is gone ({status}): {log}")),
            Err(error) => Some(error.to_string()),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Maps the switches of the README to the program's own settings, as `conformance/environment.sh` does.
fn program_environment(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if environment.remove("PASSWORD_VALIDATORS").as_deref() != Some("on") {
        environment.insert("AUTH_PASSWORD_VALIDATORS".to_owned(), "[]".to_owned());
    }
    if !environment.contains_key("PASSWORD_HASHER") {
        environment.extend(CHEAP_HASHER.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    // One scenario signs with the fifteen bytes of the original's README.
    environment.insert("ALLOW_WEAK_SECRET_KEY".to_owned(), "on".to_owned());
    environment.insert("BIND".to_owned(), Ipv4Addr::LOCALHOST.to_string());
    let directory = environment.get("WORKDIR").cloned().unwrap_or_default();
    let database = || format!("sqlite:{directory}/countersign.sqlite3");
    environment.entry("DATABASE_URL".to_owned()).or_insert_with(database);
    environment
}

/// Puts the text of key files where the settings name one.
fn resolve_keys(settings: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let resolve = |value: &Value| {
        let name = |form: &str| value.get(form).and_then(Value::as_str);
        match (name("$pem"), name("$pub")) {
            (Some(name), _) => key_text(name).map(Value::from),
            (_, Some(name)) => key_text(&format!("{name}.pub")).map(Value::from),
            _ => Ok(value.clone()),
        }
    };
    settings.iter().map(|(name, value)| Ok((name.clone(), resolve(value)?))).collect()
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}
