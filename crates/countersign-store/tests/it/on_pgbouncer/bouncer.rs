//! A throwaway PgBouncer before a throwaway PostgreSQL.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

use crate::cluster::{Cluster, Database, Extras, detach, skipped};

/// The one of this test process.
pub struct Bouncer {
    cluster: &'static Cluster,
    port: u16,
    /// Ends it at the end of its standard input, which this process holds open for as long as it lives.
    _keeper: Child,
    _log: BufReader<ChildStderr>,
}

impl Bouncer {
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Bouncer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A new empty database, and its address through PgBouncer.
    pub fn database(&self) -> (Database, String) {
        let database = self.cluster.database();
        let (address, name) = database.url().rsplit_once('/').map(own).expect("it names a database");
        let (host, _) = address.rsplit_once(':').expect("it names a port");
        (database, format!("{host}:{}/{name}", self.port))
    }

    fn start() -> Option<Self> {
        let Some(program) = find_program() else {
            skipped("there is no PgBouncer on this machine. Install it (apt-get install pgbouncer).");
            return None;
        };
        let cluster = Cluster::of_its_own(&Extras::default())?;
        let server = cluster.database().url();
        let (_, server) = server.split_once('@').expect("it names a user");
        let (server, _) = server.split_once('/').expect("it names a database");
        let (host, server_port) = server.split_once(':').expect("it names a port");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n* = host={host} port={server_port} user=countersign\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 900\n\
             log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n"
        );
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(program).arg(settings);
        keeper.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut keeper = detach(&mut keeper).spawn().expect("there is a shell");
        let mut log = BufReader::new(keeper.stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("process up") {
            assert!(log.read_line(&mut said).expect("UTF-8") > 0, "PgBouncer does not start:\n{said}");
        }
        Some(Self { cluster, port, _keeper: keeper, _log: log })
    }
}

/// Standard error stays open as long as either runs.
const KEEPER: &str = r#"
trap '' HUP INT PIPE TERM
directory=$(mktemp -d) || exit
printf '%s' "$2" >"$directory/pgbouncer.ini"
(trap - INT TERM; exec "$1" "$directory/pgbouncer.ini") &
# A dead one closes standard error with us.
exec 2>/dev/null
cat >/dev/null
kill $!
rm -rf "$directory"
"#;

fn find_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/bin".into()]);
    directories.map(|directory| directory.join("pgbouncer")).find(|program| program.is_file())
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}
