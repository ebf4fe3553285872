//! The throwaway PostgreSQL keeps its promises: databases of their own, and nothing left behind.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::cluster::{Cluster, url_of_database};

/// Set in the process that is killed.
const PROCESS_TO_KILL: &str = "COUNTERSIGN_TEST_PROCESS_WITH_A_CLUSTER";

#[test]
fn each_database_is_empty_and_its_own() {
    let Some(cluster) = Cluster::shared() else { return };
    let relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let (one, other) = (cluster.database(), cluster.database());
    one.rows("CREATE TABLE note (id integer)");
    assert_eq!(one.rows(relations), ["1"]);
    assert_eq!(other.rows(relations), ["0"]);
}

#[tokio::test]
async fn a_database_is_dropped_inside_a_runtime_too_whoever_is_still_connected() {
    let Some(cluster) = Cluster::shared() else { return };
    let (database, other) = (cluster.database(), cluster.database());
    let name = database.rows("SELECT current_database()").remove(0);
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    let mut connections = JoinSet::from_iter([connection]);
    drop(database);
    connections.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(client.is_closed());
    assert_eq!(other.rows(&format!("SELECT datname FROM pg_database WHERE datname = '{name}'")), [""; 0]);
}

#[test]
fn a_cluster_is_gone_with_its_process_even_when_that_is_killed() {
    let Some(directory) = Cluster::shared().and_then(Cluster::directory) else { return };
    if std::env::var_os(PROCESS_TO_KILL).is_some() {
        println!("cluster|{}|{}", directory.display(), port(directory));
        loop {
            std::thread::park();
        }
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster_life::a_cluster_is_gone_with_its_process_even_when_that_is_killed"])
        .arg("--nocapture")
        .env(PROCESS_TO_KILL, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told =
        lines.map(|line| line.split('|').map(str::to_owned).collect::<Vec<_>>()).find(|told| told.len() == 3);
    let [_, directory, port] = told.unwrap().try_into().unwrap();
    let port: u16 = port.parse().unwrap();
    assert!(Path::new(&directory).exists());
    TcpStream::connect(("127.0.0.1", port)).unwrap();

    process.kill().unwrap(); // SIGKILL, on Unix
    process.wait().unwrap();
    // Its keeper holds it too, and closes it last.
    process.stderr.take().unwrap().read_to_string(&mut String::new()).unwrap();
    assert!(!Path::new(&directory).exists(), "{directory} is left");
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}

fn port(directory: &Path) -> String {
    let running = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    running.lines().nth(3).unwrap().to_owned()
}

#[test]
fn a_database_on_a_given_server_keeps_its_user_its_host_and_its_parameters() {
    let with_all =
        "postgresql://ada:secret@db.example.com:5433/postgres?sslmode=disable&application_name=a/b";
    for (server, expected) in [
        (with_all, "postgresql://ada:secret@db.example.com:5433/one?sslmode=disable&application_name=a/b"),
        ("postgres://localhost", "postgres://localhost/one"),
        ("postgres://localhost?connect_timeout=3", "postgres://localhost/one?connect_timeout=3"),
    ] {
        assert_eq!(url_of_database(server, "one"), expected);
    }
}
