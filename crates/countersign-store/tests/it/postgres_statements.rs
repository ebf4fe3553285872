//! Each statement of the crate on PostgreSQL: the plan it gets when tables are large, and that the contract runs it.

use std::process::{Command, Stdio};

use countersign_store::{PoolOptions, Store};

use crate::cluster::{Cluster, Database, Extras, skipped};
use crate::statements::{all_statements, known_scans, reads_all_or_one};

/// As many rows as an index is of use for.
const FILL: &str = "
    INSERT INTO auth_user (id, username, email, password, is_active, is_staff, is_superuser, first_name, last_name, date_joined)
         SELECT n, 'user' || n, 'User' || n || '@example.com', md5(n::text), true, false, false, '', '', now() FROM generate_series(1, 5000) AS n;
    INSERT INTO auth_group (id, name) SELECT n, 'group' || n FROM generate_series(1, 2000) AS n;
    INSERT INTO django_content_type (id, app_label, model)
         SELECT n + 100, 'app' || n, 'model' FROM generate_series(1, 2000) AS n;
    INSERT INTO auth_permission (id, name, content_type_id, codename)
         SELECT n + 1000, 'can', n + 100, 'can' FROM generate_series(1, 2000) AS n;
    INSERT INTO auth_user_groups (user_id, group_id) SELECT n, 1 + n % 2000 FROM generate_series(1, 5000) AS n;
    INSERT INTO auth_user_user_permissions (user_id, permission_id)
         SELECT n, 1001 + n % 2000 FROM generate_series(1, 5000) AS n;
    INSERT INTO auth_group_permissions (group_id, permission_id) SELECT n, n + 1000 FROM generate_series(1, 2000) AS n;
    INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
         SELECT repeat('t', 300), now(), now() + n * interval '1 minute', 1 + n % 5000, md5(n::text)
           FROM generate_series(1, 20000) AS n;
    INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
         SELECT id, now() FROM token_blacklist_outstandingtoken WHERE id % 2 = 0;
    INSERT INTO countersign_session (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at, client)
         SELECT md5(n::text), 1 + n % 5000, 0, 0, n, n, n, 'a browser' FROM generate_series(1, 20000) AS n;
    INSERT INTO countersign_key (kid, algorithm, state, created_at, changed_at)
         SELECT 'key' || n, 'ES256', 'retired', n, n FROM generate_series(1, 2000) AS n;
    INSERT INTO countersign_attempt (id, whole_at, free_at) SELECT n, n, n FROM generate_series(1, 20000) AS n;
    INSERT INTO countersign_event (id, position, hash, at, kind, actor, subject, details)
         SELECT md5(n::text), n, 'hash', n, 'login', 'user', (1 + n % 5000)::text, '{}' FROM generate_series(1, 20000) AS n;
    INSERT INTO countersign_refusal (id, at, request_id, details)
         SELECT md5(n::text), n, md5(n::text), '{}' FROM generate_series(1, 20000) AS n;
    INSERT INTO countersign_mail (id, kind, address, created_at, next_attempt_at, attempts)
         SELECT md5(n::text), 'registration', n || '@example.com', n, n, 0 FROM generate_series(1, 9000) AS n;
    ANALYZE;";

async fn filled() -> Option<Database> {
    let database = Cluster::shared()?.database();
    Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    database.rows(FILL);
    Some(database)
}

/// The types of the values where the text does not tell them, as the driver does.
fn types(sql: &str) -> &'static str {
    if sql.contains("unnest($1, $2, $3, $4, $5)") {
        "(text[], bigint[], text[], bigint[], bigint[])"
    } else if sql.contains("unnest($1, $2, $3, $5)") {
        "(bigint[], bigint[], bigint[], bigint, bigint[])"
    } else if sql.contains("unnest($1, $2, $3) AS asked (id") {
        "(bigint[], bigint[], bigint[], bigint)"
    } else if sql.contains("unnest($1, $2, $3)") {
        "(bigint[], text[], text[])"
    } else if sql.contains("unnest($1, $2)") {
        "(text[], bigint[], bigint)"
    } else if sql.contains("SELECT $3, id, 0, $4") {
        "(bigint, text, text, bigint, bigint, text, text, text, bigint, text, text, text, text, text, text, text)"
    } else {
        ""
    }
}

/// The plan that is made without a look at the values, as prepared statements get it.
fn plan(database: &Database, sql: &str) -> Vec<String> {
    let count = (1..=20).filter(|number| sql.contains(&format!("${number}"))).count();
    let values = vec!["NULL"; count].join(", ");
    let execute = if count == 0 { "one".to_owned() } else { format!("one({values})") };
    let explain = |sql: &str| {
        database.try_rows(&format!(
            "SET plan_cache_mode = force_generic_plan; PREPARE one {} AS {sql}; EXPLAIN (COSTS OFF) EXECUTE {execute}",
            types(sql)
        ))
    };
    // The type of a value that is just selected is said by the driver; here it has to be said in the text.
    let typed = sql.replace("SELECT id, $2", "SELECT id, $2::timestamptz");
    let typed = typed.replace("SELECT $2, id", "SELECT $2::timestamptz, id");
    explain(&typed).unwrap_or_else(|error| panic!("{error:?}, in {sql}"))
}

/// Whether it reads all of a table, or all of an index, of those that grow with the number of users.
fn scans(plan: &[String]) -> bool {
    plan.iter().enumerate().any(|(at, step)| {
        let is_of_index = step.contains("Index Scan") || step.contains("Index Only Scan");
        let has_condition = plan.get(at + 1).is_some_and(|next| next.contains("Index Cond:"));
        // An index of no more than one row.
        let is_of_one_key = step.contains("using countersign_key_one_");
        step.contains("Seq Scan on") || (is_of_index && !has_condition && !is_of_one_key)
    })
}

#[tokio::test]
async fn no_statement_scans_a_table_on_postgresql_but_those_that_are_for_all_of_it() {
    let Some(database) = filled().await else { return };
    // Where there is one row, no index is worth it.
    let is_for_one_row =
        |sql: &str| sql.contains(" countersign_import ") || sql.contains(" countersign_event_chain ");
    let statements =
        all_statements().into_iter().filter(|sql| !reads_all_or_one(sql) && !is_for_one_row(sql));
    let scanning: Vec<_> = statements.filter(|sql| scans(&plan(&database, sql))).collect();
    assert_eq!(scanning, known_scans(true));
}

/// Its plan is kept until the tables have grown, and is made for any number.
#[tokio::test]
async fn what_goes_together_is_looked_up_by_key_in_a_new_database_too() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    let together: Vec<_> = all_statements().into_iter().filter(|sql| sql.contains("unnest(")).collect();
    assert_eq!(together.len(), 5);
    for sql in together {
        let plan = plan(&database, &sql);
        assert!(!scans(&plan), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_search_without_an_index_counts_as_a_scan_on_postgresql_too() {
    let Some(database) = filled().await else { return };
    assert!(scans(&plan(&database, "SELECT id FROM auth_user WHERE email = $1")));
    assert!(scans(&plan(&database, "SELECT id FROM auth_user WHERE email = $1 ORDER BY id LIMIT 1")));
    assert!(!scans(&plan(&database, "SELECT id FROM auth_user WHERE id = $1")));
}

#[test]
fn every_statement_is_run_by_the_contract() {
    let Some(shared) = Cluster::shared() else { return };
    let known = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
    if shared.database().rows(known).is_empty() {
        return skipped("pg_stat_statements is not installed (apt-get install postgresql-contrib).");
    }
    let settings =
        "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.max = 20000".to_owned();
    let Some(cluster) = Cluster::of_its_own(&Extras { settings, ..Extras::default() }) else { return };
    let database = cluster.database();
    database.rows("CREATE EXTENSION pg_stat_statements");
    // The contract again, on this server and in a process of its own, so that nothing else has run there.
    let contract = Command::new(std::env::current_exe().unwrap())
        .args(["on_postgres::", "--test-threads=4"])
        .env("TEST_DATABASE_URL", database.url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(contract.status.success(), "{}", String::from_utf8_lossy(&contract.stdout));
    let one_line = "regexp_replace(query, '\\s+', ' ', 'g')";
    let run: Vec<String> = database
        .rows(&format!("SELECT {one_line} FROM pg_stat_statements"))
        .iter()
        .map(|sql| without_constants(sql))
        .collect();
    let is_run = |sql: &String| run.contains(&without_constants(sql));
    let never_run: Vec<_> = all_statements().into_iter().filter(|sql| !is_run(sql)).collect();
    assert_eq!(never_run, [""; 0], "of {} that were run", run.len());
}

/// With `?` for every constant and every parameter, as the server does not keep constants.
fn without_constants(sql: &str) -> String {
    let mut text = String::new();
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let continues_name = text.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_');
        if character == '\'' {
            text.push('?');
            characters.by_ref().find(|end| *end == '\'');
        } else if character == '$' || (character.is_ascii_digit() && !continues_name) {
            text.push('?');
            while characters.next_if(char::is_ascii_digit).is_some() {}
        } else {
            text.push(character);
        }
    }
    text.replace("= NULL", "= ?").replace(" ON true", " ON ?")
}
