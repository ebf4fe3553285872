//! A throwaway PostgreSQL for tests, and an empty database on it for each that asks.
//!
//! A test process starts one from the installed programs when a test first asks; it is gone when the process is,
//! however that ends. With `TEST_DATABASE_URL` databases are made on that server instead. Nothing here knows of the
//! store: tests of other crates take this file by its path, and need `tokio` and `tokio-postgres` for it.

use std::ffi::OsStr;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A PostgreSQL server on which tests may make databases.
pub struct Cluster {
    /// With the database that is connected to while others are made.
    url: String,
    directory: Option<PathBuf>,
    databases: AtomicUsize,
    names: String,
    /// Ends the server at the end of its standard input, which this process holds open for as long as it lives.
    _keeper: Option<Child>,
}

/// What a cluster of a test's own has beside the usual.
#[derive(Default)]
pub struct Extras {
    /// Lines of `postgresql.conf`.
    pub settings: String,
    /// All of `pg_hba.conf`, unless empty.
    pub access: String,
    /// Files beside them, by name.
    pub files: Vec<(&'static str, String)>,
}

impl Cluster {
    /// One for this test alone, which it may stop; none where there are no programs, and a loud word about it.
    pub fn of_its_own(extras: &Extras) -> Option<&'static Self> {
        if let Some(programs) = find_programs() {
            return Some(Box::leak(Box::new(Self::start(&programs, extras))));
        }
        let word = "there is no PostgreSQL on this machine that could be started for a test.";
        skipped(word);
        None
    }

    /// Stops the server, whoever is connected.
    pub fn stop(&self) {
        self.control(&["-m", "fast", "stop"]);
    }

    /// Starts it again where it was.
    pub fn start_again(&self) {
        let log = self.directory().expect("it is ours").join("log");
        self.control(&["-l", log.to_str().expect("it is UTF-8"), "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        let programs = find_programs().expect("they were found before");
        let mut control = Command::new(programs.join("pg_ctl"));
        control.arg("-D").arg(self.directory().expect("it is ours").join("data")).arg("-w").args(arguments);
        control.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(detach(&mut control).status().expect("pg_ctl can be run").success(), "{arguments:?}");
    }

    /// The one of this test process; none, and a loud word about it, where there is no PostgreSQL.
    ///
    /// With `REQUIRE_POSTGRESQL=1` it is a failure to have none.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::given_or_started).as_ref()
    }

    /// A new empty database.
    pub fn database(&'static self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}_{number}", self.names);
        // template0, for nothing was ever added to it and nobody is connected to it.
        run(&self.url, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
            .unwrap_or_else(|error| panic!("no database could be made: {error}"));
        Database { url: url_of_database(&self.url, &name), name, cluster: self }
    }

    /// Where its files are, unless it was given to us.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    fn given_or_started() -> Option<Self> {
        if let Some(url) = std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty()) {
            return Some(Self::at(url));
        }
        if let Some(programs) = find_programs() {
            return Some(Self::start(&programs, &Extras::default()));
        }
        let word = "there is no PostgreSQL on this machine. Install it (apt-get install postgresql), \
                    or set TEST_DATABASE_URL=postgresql://user:password@host:port/database of a server on which \
                    databases may be made and dropped.";
        skipped(word);
        None
    }

    fn at(url: String) -> Self {
        // Random too: on a server that is given, other processes may have our id, and killed ones leave databases.
        let random = RandomState::new().hash_one(0);
        let names = format!("countersign_test_{}_{random:x}", std::process::id());
        Self { url, directory: None, databases: AtomicUsize::new(0), names, _keeper: None }
    }

    fn start(programs: &Path, extras: &Extras) -> Self {
        let started = (0..3).map(|_| Self::try_start(programs, extras)).find(|started| match started {
            // Somebody else took the port after we had found it free.
            Err(reason) => !reason.contains("could not bind"),
            Ok(_) => true,
        });
        match started {
            Some(Ok(cluster)) => cluster,
            Some(Err(reason)) => panic!("PostgreSQL in {} does not start:\n{reason}", programs.display()),
            None => panic!("every free port was taken by somebody else"),
        }
    }

    fn try_start(programs: &Path, extras: &Extras) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| error.to_string())?
            .port();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(programs).arg(port.to_string());
        keeper.args([&extras.settings, &extras.access]);
        keeper.args(extras.files.iter().flat_map(|(name, content)| [*name, content.as_str()]));
        // Standard error stays ours: whoever reads it to its end knows that the keeper has ended.
        keeper.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = detach(&mut keeper).spawn().map_err(|error| error.to_string())?;
        let mut output = BufReader::new(keeper.stdout.take().expect("it is piped"));
        let mut said = String::new();
        output.read_line(&mut said).map_err(|error| error.to_string())?;
        if let Some(directory) = said.strip_prefix("ready ") {
            let directory = Some(directory.trim_end().into());
            let url = format!("postgresql://countersign@127.0.0.1:{port}/postgres");
            Ok(Self { directory, _keeper: Some(keeper), ..Self::at(url) })
        } else {
            output.read_to_string(&mut said).map_err(|error| error.to_string())?;
            keeper.wait().map_err(|error| error.to_string())?;
            Err(said)
        }
    }
}

/// Says that tests are left out; where they must not be, that is a failure.
pub fn skipped(word: &str) {
    assert!(std::env::var_os("REQUIRE_POSTGRESQL").is_none_or(|required| required != "1"), "{word}");
    // Not eprintln!, whose words are shown for failing tests only.
    writeln!(std::io::stderr(), "\nPOSTGRESQL TESTS SKIPPED: {word}\n").expect("standard error is open");
}

/// Makes a cluster, says where, and removes it at the end of its standard input.
///
/// A pipe is closed for us even when we are killed, during `initdb` as well. No signal reaches the keeper before.
/// Nothing outlives a test, so that nothing has to be safe from a power cut, and files are in memory where that has
/// a gigabyte to spare: a database is 300 of them, and one is made in 25 ms there against 250 ms on a slow disk.
const KEEPER: &str = r#"
programs=$1 port=$2 settings=$3 access=$4
shift 4
trap '' HUP INT PIPE TERM
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if [ "${room:-0}" -gt 1000000 ] 2>/dev/null; then memory=/dev/shm; fi
for parent in ${memory-} "${TMPDIR:-/tmp}" /tmp; do
    directory=$(mktemp -d "$parent/countersign-postgresql.XXXXXX" 2>/dev/null) && break
done
if [ -z "$directory" ]; then echo "no temporary directory can be made"; exit; fi
make() {
    "$programs/initdb" -D "$directory/data" -U countersign --auth=trust -E UTF8 --locale="$1" --no-sync
}
start() {
    { make C.UTF-8 || make C; } &&
    cat >>"$directory/data/postgresql.conf" <<SETTINGS &&
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 200
fsync = off
full_page_writes = off
max_wal_size = 128MB
$settings
SETTINGS
    if [ -n "$access" ]; then printf '%s\n' "$access" >"$directory/data/pg_hba.conf"; fi &&
    "$programs/pg_ctl" -D "$directory/data" -l "$directory/log" -w start
}
add_files() {
    umask 077
    while [ $# -gt 0 ]; do
        printf '%s' "$2" >"$directory/$1"
        shift 2
    done
}
add_files "$@"
if start >"$directory/output" 2>&1; then
    echo "ready $directory"
    cat >/dev/null
    "$programs/pg_ctl" -D "$directory/data" -m immediate -w stop >/dev/null 2>&1
else
    cat "$directory/output" "$directory/log" 2>/dev/null
fi
rm -rf "$directory"
"#;

/// Out of reach of the terminal's signals, and as somebody else when we are root, as whom PostgreSQL does not run.
#[cfg(unix)]
pub fn detach(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) == Some(0) {
        let user_and_group = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        if let Some((user, group)) = ["postgres", "nobody"].into_iter().find_map(user_and_group) {
            command.uid(user).gid(group);
        }
    }
    command.process_group(0)
}

/// No programs are found elsewhere.
#[cfg(not(unix))]
pub fn detach(command: &mut Command) -> &mut Command {
    command
}

/// The directory of the server's programs, which many systems keep out of `PATH`.
fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = [
        newest("/usr/lib/postgresql", ""),
        vec!["/usr/local/pgsql".into()],
        newest("/usr", "pgsql-"),
        newest("/opt/homebrew/opt", "postgresql@"),
        newest("/usr/local/opt", "postgresql@"),
    ];
    let has_programs = |directory: &PathBuf| {
        directory.is_absolute()
            && ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file())
    };
    let elsewhere = elsewhere.concat().into_iter().map(|installation| installation.join("bin"));
    std::env::split_paths(&path).chain(elsewhere).find(has_programs)
}

/// What is named with a version in this directory, highest first.
fn newest(directory: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let version = |name: &OsStr| name.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok();
    let mut found: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((version(&entry.file_name())?, entry.path()))).collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

/// A database of one test, dropped with this value, whoever is still connected.
pub struct Database {
    name: String,
    url: String,
    cluster: &'static Cluster,
}

impl Database {
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Runs the statements of a text and gives the rows of all of them as text, columns joined by `|`, NULL as `-`.
    pub fn try_rows(&self, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        run(&self.url, sql)
    }

    /// The same for statements that must not fail.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{}", told(&error, sql)))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Err(error) = run(&self.cluster.url, &sql) {
            // No panic, which would hide the test's own.
            eprintln!("{}", told(&error, &sql));
        }
    }
}

fn told(error: &tokio_postgres::Error, sql: &str) -> String {
    let reason = error.as_db_error().map_or(error as &dyn Display, |error| error);
    format!("{reason}, in {sql}")
}

/// On a connection of its own and a thread of its own, so that it may be called inside and outside a runtime.
fn run(url: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let work = async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::select! {
            messages = client.simple_query(sql) => Ok(messages?.iter().filter_map(row).collect()),
            // It ends first only with an error.
            ended = connection => ended.map(|()| Vec::new()),
        }
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(work)
        });
        thread.join().expect("the thread does not panic")
    })
}

fn row(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => {
            let columns = (0..row.len()).map(|column| row.get(column).unwrap_or("-"));
            Some(columns.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    }
}

/// The address with another database in it, whatever parameters follow.
pub fn url_of_database(server: &str, name: &str) -> String {
    let (address, parameters) = match server.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (server, String::new()),
    };
    let (scheme, place) = address.split_once("://").expect("TEST_DATABASE_URL begins with postgresql://");
    let host = place.split('/').next().unwrap_or_default();
    format!("{scheme}://{host}/{name}{parameters}")
}
