//! `DATABASE_URL`: which database to open.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::tls::{Encryption, Mode, Roots};

/// What our connections are called in `pg_stat_activity`, unless the URL names them otherwise.
pub(crate) const APPLICATION_NAME: &str = "countersign";

/// A database to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A database on a PostgreSQL server.
    Postgres(Box<Server>),
}

/// A PostgreSQL server, a database on it, and whom to log in as; `Debug` does not show the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) encryption: Encryption,
}

/// Why a `DATABASE_URL` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// `sqlite:` without a path.
    #[error("`sqlite:` needs the path of a file, e.g. sqlite:countersign.sqlite3")]
    NoPath,
    /// An in-memory database would forget every user at exit.
    #[error("an in-memory database would forget every user at exit; give the path of a file")]
    InMemory,
    /// Parameters, which other tools take behind the path: as a part of its name they would make another file.
    #[error("an SQLite file takes nothing after a `?`; leave that out")]
    Parameters,
    /// Another scheme.
    #[error(
        "{0:?} is not a database this version can open; use sqlite:PATH or postgresql://USER@HOST/DATABASE"
    )]
    UnknownScheme(String),
    /// No scheme at all. What stands there is not said: it may be a password, or a key.
    #[error("it is no URL; use sqlite:PATH or postgresql://USER@HOST/DATABASE")]
    NoScheme,
    /// A `postgresql:` URL that cannot be read.
    #[error("not a URL of PostgreSQL: {0}; use postgresql://USER:PASSWORD@HOST:PORT/DATABASE")]
    Postgres(String),
    /// An `sslmode` that libpq does not know either.
    #[error("sslmode={0:?} is none; use disable, prefer, require, verify-ca or verify-full")]
    SslMode(String),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads `sqlite:PATH`; `sqlite:///PATH` and `sqlite://PATH` as other tools write it mean the same file:
    /// three slashes a path relative to the working directory, four an absolute one.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let is_scheme = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
        let (scheme, _) = url.split_once(':').ok_or(DatabaseUrlError::NoScheme)?;
        let scheme = Some(scheme).filter(is_scheme).ok_or(DatabaseUrlError::NoScheme)?;
        if matches!(scheme, "postgres" | "postgresql") {
            return Ok(Self::Postgres(Box::new(url.parse()?)));
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(DatabaseUrlError::UnknownScheme(scheme.to_owned()));
        };
        let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
        match path {
            "" => Err(DatabaseUrlError::NoPath),
            ":memory:" => Err(DatabaseUrlError::InMemory),
            _ if path.contains('?') => Err(DatabaseUrlError::Parameters),
            _ => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

impl DatabaseUrl {
    /// Trusts the certificates in the file `place`, or with `system` those that the machine trusts, unless the URL says
    /// `sslrootcert` itself. `setting` is the name by which errors call it.
    #[must_use]
    pub fn or_root_certificates(mut self, setting: &'static str, place: &str) -> Self {
        if let Self::Postgres(server) = &mut self {
            let roots = Roots { setting, place: place.to_owned() };
            server.encryption.roots.get_or_insert(roots);
            server.config.ssl_mode(server.encryption.ssl_mode());
        }
        self
    }
}

impl Server {
    /// Whether the server may be on another machine, and whoever answers is taken for it.
    #[must_use]
    pub fn is_remote_and_unverified(&self) -> bool {
        let is_here = |name: &str| {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        };
        let is_remote = |host: &tokio_postgres::config::Host| match host {
            tokio_postgres::config::Host::Tcp(name) => !is_here(name),
            tokio_postgres::config::Host::Unix(_) => false,
        };
        !self.encryption.verifies() && self.config.get_hosts().iter().any(is_remote)
    }
}

impl FromStr for Server {
    type Err = DatabaseUrlError;

    /// What is about certificates is taken out first: tokio-postgres does not know of it.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        if address.matches('@').count() > 1 {
            let fix = "it has more than one @; write one that is in the password or a name as %40";
            return Err(DatabaseUrlError::Postgres(fix.to_owned()));
        }
        let mut encryption = Encryption::default();
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let decoded = percent_decode_str(value).decode_utf8_lossy();
            match name {
                "sslmode" => {
                    let unknown = || DatabaseUrlError::SslMode(decoded.to_string());
                    encryption.mode = Some(Mode::parse(&decoded).ok_or_else(unknown)?);
                }
                "sslrootcert" => {
                    encryption.roots =
                        Some(Roots { setting: "sslrootcert in DATABASE_URL", place: decoded.into_owned() });
                }
                _ => others.push(parameter),
            }
        }
        let separator = if others.is_empty() { "" } else { "?" };
        let parsed = format!("{address}{separator}{}", others.join("&")).parse();
        let mut config: tokio_postgres::Config = parsed.map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            DatabaseUrlError::Postgres(cause.unwrap_or_else(|| error.to_string()))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(DatabaseUrlError::Postgres("it names no host".to_owned()));
        }
        config.ssl_mode(encryption.ssl_mode());
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION_NAME);
        }
        Ok(Self { config, encryption })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres(server) => server.fmt(formatter),
        }
    }
}

/// Without the password.
impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use tokio_postgres::config::Host;
        let user = self.config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        let host = |(at, host): (usize, &Host)| {
            let port = self.config.get_ports().get(at).or(self.config.get_ports().first());
            match (host, port) {
                (Host::Tcp(name), Some(port)) => format!("{name}:{port}"),
                (Host::Tcp(name), None) => name.clone(),
                (Host::Unix(path), _) => path.display().to_string(),
            }
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().enumerate().map(host).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        write!(formatter, "postgresql://{user}{}/{database}", hosts.join(","))
    }
}
