//! What the operator is told at the start.

use countersign_http::AllowedHosts;
use countersign_store::DatabaseUrl;

use crate::config::Config;
use crate::program::say;

/// Where everything is.
pub struct Greeting {
    database: String,
    secret_key: String,
    scheme: &'static str,
    allowed_hosts: AllowedHosts,
    registers_by_mail: bool,
}

impl Greeting {
    /// Before anything is made.
    pub fn of(config: &Config) -> Self {
        let made = |new: bool| if new { " (made now)" } else { "" };
        let secret_key = match &config.secret_key.file {
            Some((file, new)) => format!("{}{}", file.display(), made(*new)),
            None => "SECRET_KEY, as configured".to_owned(),
        };
        let database = match &config.database {
            DatabaseUrl::Sqlite(path) => {
                let has_new_key = config.secret_key.file.as_ref().is_some_and(|(_, made)| *made);
                if path.exists() && has_new_key {
                    tracing::warn!(
                        "the database was there but its key was not: a new key was made, and everyone has to log in again; \
                         restore the file {secret_key} from a backup if that is not meant"
                    );
                }
                format!("{}{}", path.display(), made(!path.exists()))
            }
            DatabaseUrl::Postgres(server) => server.to_string(),
        };
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let allowed_hosts = config.http.allowed_hosts.clone();
        let registers_by_mail = config.rules.private_registration.is_some();
        Self { database, secret_key, scheme, allowed_hosts, registers_by_mail }
    }

    /// With the addresses that were got.
    pub fn print(&self, local: &str, metrics: Option<&str>) {
        // What listens on every address answers on this one, under a name that is allowed by default.
        let here = local.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
        let host = match self.allowed_hosts.example() {
            Some(name) if !self.allowed_hosts.permits(here.as_bytes()) => format!(" -H 'Host: {name}'"),
            _ => String::new(),
        };
        let fields = if self.registers_by_mail {
            r#"{"email":"you@example.com"}"#
        } else {
            r#"{"username":"testuser","email":"test@example.com","password":"yourpassword"}"#
        };
        let metrics =
            metrics.map(|address| format!("\n\x20 metrics     http://{address}/metrics")).unwrap_or_default();
        say(&format!(
            "Countersign {version} listens on {scheme}://{local}\n\
             \x20 database    {database}\n\
             \x20 secret key  {secret_key}{metrics}\n\
             Next, in another terminal:\n\
             \x20 curl {scheme}://{here}/user/api/register/{host} -H 'Content-Type: application/json' \\\n\
             \x20   -d '{fields}'\n\
             Ctrl-C finishes the requests in flight and stops.",
            version = env!("CARGO_PKG_VERSION"),
            scheme = self.scheme,
            database = self.database,
            secret_key = self.secret_key,
        ));
    }
}
