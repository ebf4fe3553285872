//! The server and its PostgreSQL: what clients and the operator see when that is away.

use super::{Installation, PASSWORD, until};
use crate::cluster::{Cluster, Extras};

const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn while_postgresql_is_away_answers_are_503_and_then_all_is_well_again() {
    let Some(cluster) = Cluster::of_its_own(&Extras::default()) else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url()).with("SECRET_KEY", SECRET_KEY);
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let tokens = server.anon().tokens("ada", PASSWORD);
    cluster.stop();
    assert_eq!(server.anon().register("bob", PASSWORD).0, 503);
    until(|| server.anon().readiness().0 == 503);
    assert_eq!(server.anon().readiness().1["checks"]["migrations"], "unknown");
    assert_eq!(server.anon().probe("/healthz").0, 200, "the server itself is alive");
    assert_eq!(server.anon().login("ada", PASSWORD).0, 503);
    assert_eq!(server.anon().refresh(&tokens), 503);
    assert_eq!(server.anon().me(&tokens).0, 503);
    let refusal = here.refusal(&["user", "show", "ada"]);
    assert!(refusal.contains("cannot be reached"), "commands fail at once: {refusal}");
    cluster.start_again();
    assert_eq!(server.anon().me(&tokens).0, 200);
    assert_eq!(server.anon().register("bob", PASSWORD).0, 201);
    assert_eq!(server.anon().refresh(&tokens), 200);
    until(|| server.anon().readiness().0 == 200);
}

#[test]
fn a_server_that_starts_before_its_postgresql_waits_for_it() {
    let Some(cluster) = Cluster::of_its_own(&Extras::default()) else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url()).with("SECRET_KEY", SECRET_KEY);
    cluster.stop();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| here.serve().anon().register("ada", PASSWORD).0);
        until(|| here.log().contains("trying again in"));
        cluster.start_again();
        assert_eq!(serving.join().unwrap(), 201);
    });
}

#[test]
fn a_server_whose_postgresql_never_comes_says_so_and_ends() {
    let here = Installation::new().with("DATABASE_URL", "postgresql://ada:a-secret@127.0.0.1:1/accounts");
    let here = here.with("SECRET_KEY", SECRET_KEY).with("DATABASE_START_WAIT", "1s").with("LOG", "error");
    let refusal = here.refusal(&["serve"]);
    assert!(refusal.contains("postgresql://ada@127.0.0.1:1/accounts cannot be reached"), "{refusal}");
    assert!(!refusal.contains("a-secret"));
}

#[test]
fn a_server_that_may_lose_what_was_acknowledged_is_told_of_before_it_does() {
    let settings = "synchronous_commit = off".to_owned(); // and fsync, as in all of these
    let Some(cluster) = Cluster::of_its_own(&Extras { settings, ..Extras::default() }) else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url()).with("SECRET_KEY", SECRET_KEY);
    let here = here.with("ROTATE_REFRESH_TOKENS", "True").with("BLACKLIST_AFTER_ROTATION", "True");
    let said = here.say(&["check", "--deploy"]);
    for setting in ["fsync", "synchronous_commit"] {
        let found = format!("{setting} is off in PostgreSQL: what was answered with 2xx can be lost");
        assert!(said.contains(&found), "{said}");
    }
    assert!(!here.say(&["check"]).contains("is off"));
    database.rows("ALTER ROLE countersign SET synchronous_commit = on");
    let said = here.say(&["check", "--deploy"]);
    assert!(said.contains("fsync is off") && !said.contains("synchronous_commit"), "{said}");
}

#[test]
fn a_postgresql_that_takes_no_writes_is_found_and_makes_no_server_ready() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let of_owner = Installation::new().with("DATABASE_URL", database.url()).with("SECRET_KEY", SECRET_KEY);
    of_owner.say(&["migrate"]);
    let role = format!("reader_{}", std::process::id());
    database
        .rows(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    let url = database.url().replace("//countersign@", &format!("//{role}@"));
    let here = Installation::new().with("DATABASE_URL", url).with("SECRET_KEY", SECRET_KEY);
    let checked = here.run(&["check"]);
    assert!(!checked.success && checked.stdout.contains("(countersign.E005)"), "{}", checked.stdout);
    let cause = format!("the database takes no writes: the role {role} may not INSERT countersign_session, ");
    assert!(checked.stdout.contains(&cause) && checked.stdout.contains("Fix: GRANT "), "{}", checked.stdout);
    let server = here.serve();
    let why = "nothing can be written; the log says why";
    until(|| server.anon().readiness().1["checks"]["database"] == why);
    assert_eq!(server.anon().readiness().0, 503);
    until(|| here.log().contains(&cause));
    database.rows(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"));
    until(|| server.anon().readiness().0 == 200);
    drop(server);
    database.rows(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_postgresql_without_room_is_not_ready_until_it_has_some() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url()).with("SECRET_KEY", SECRET_KEY);
    let server = here.serve();
    database.rows(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER no_room BEFORE INSERT ON countersign_event EXECUTE FUNCTION no_room()",
    );
    assert_eq!(server.anon().register("ada", PASSWORD).0, 503);
    let why = "nothing can be written; the log says why";
    until(|| server.anon().readiness().1["checks"]["database"] == why);
    assert_eq!(server.anon().readiness().0, 503);
    until(|| here.log().contains("No space left on device; make room on its disk"));
    database.rows("DROP TRIGGER no_room ON countersign_event");
    until(|| server.anon().readiness().0 == 200);
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
}
