//! What the migrations make on PostgreSQL: Django's tables and rows exactly, and ours as on SQLite.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::cluster::{Cluster, Database};
use crate::place::rows;

const SQLITE: [&str; 8] = [
    include_str!("../../../../migrations/sqlite/0001_django_tables.sql"),
    include_str!("../../../../migrations/sqlite/0002_sessions.sql"),
    include_str!("../../../../migrations/sqlite/0003_signing_keys.sql"),
    include_str!("../../../../migrations/sqlite/0004_import.sql"),
    include_str!("../../../../migrations/sqlite/0005_attempts.sql"),
    include_str!("../../../../migrations/sqlite/0006_events.sql"),
    include_str!("../../../../migrations/sqlite/0007_mail.sql"),
    include_str!("../../../../migrations/sqlite/0008_addresses.sql"),
];
const POSTGRES: [&str; 8] = [
    include_str!("../../../../migrations/postgres/0001_django_tables.sql"),
    include_str!("../../../../migrations/postgres/0002_sessions.sql"),
    include_str!("../../../../migrations/postgres/0003_signing_keys.sql"),
    include_str!("../../../../migrations/postgres/0004_import.sql"),
    include_str!("../../../../migrations/postgres/0005_attempts.sql"),
    include_str!("../../../../migrations/postgres/0006_events.sql"),
    include_str!("../../../../migrations/postgres/0007_mail.sql"),
    include_str!("../../../../migrations/postgres/0008_addresses.sql"),
];

/// Everything that PostgreSQL knows of Django's tables, a line for each thing.
const CATALOGUE: &str = "
    WITH relation AS (
        SELECT oid, relname, relkind, relpersistence, reloptions FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'countersign\\_%'
    )
    SELECT concat_ws(' ', 'relation', relname, 'kind', relkind, relpersistence, reloptions) FROM relation
    UNION ALL
    SELECT concat_ws(' ', 'column', relname, rank() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
                     format_type(atttypid, atttypmod), 'not null:', attnotnull, 'identity:', attidentity,
                     'generated:', attgenerated, 'collation:', attcollation::regcollation,
                     'default:', pg_get_expr(adbin, adrelid))
      FROM relation JOIN pg_attribute ON attrelid = relation.oid AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT concat_ws(' ', 'constraint', relname, conname, contype, pg_get_constraintdef(pg_constraint.oid),
                     'deferrable:', condeferrable, 'deferred:', condeferred, 'validated:', convalidated)
      FROM relation JOIN pg_constraint ON conrelid = relation.oid
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), 'unique:', indisunique, 'primary:', indisprimary,
                     'valid:', indisvalid)
      FROM relation JOIN pg_index ON indrelid = relation.oid
       AND indexrelid::regclass::text NOT LIKE 'countersign\\_%'
    UNION ALL
    SELECT concat_ws(' ', 'sequence', relname, format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax,
                     seqcache, 'cycle:', seqcycle, 'of', refobjid::regclass, refobjsubid)
      FROM relation JOIN pg_sequence ON seqrelid = relation.oid
      LEFT JOIN pg_depend ON objid = seqrelid AND classid = 'pg_class'::regclass AND deptype = 'i'
    UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(pg_trigger.oid))
      FROM relation JOIN pg_trigger ON tgrelid = relation.oid AND NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'function', proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     ORDER BY 1";

fn vector(file: &str) -> String {
    let path = format!("{}/../../conformance/vectors/schema/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// As our migrations make it: all of them in one text and one transaction.
fn migrated(cluster: &'static Cluster) -> Database {
    let database = cluster.database();
    database.rows(&format!("BEGIN; {} COMMIT", POSTGRES.concat()));
    database
}

/// As Django left it when it was recorded.
fn made_by_django(cluster: &'static Cluster) -> Database {
    let database = cluster.database();
    // Lines with a backslash are for psql.
    let dump: Vec<String> =
        vector("postgresql-core.sql").lines().filter(|l| !l.starts_with('\\')).map(str::to_owned).collect();
    database.rows(&dump.join("\n"));
    database
}

#[test]
fn the_migration_makes_on_postgresql_what_django_makes() {
    let Some(cluster) = Cluster::shared() else { return };
    let (ours, djangos) = (migrated(cluster), made_by_django(cluster));
    let recorded = djangos.rows(CATALOGUE);
    assert_eq!(ours.rows(CATALOGUE), recorded);
    let of_kind = |kind: &str| recorded.iter().filter(|line| line.starts_with(kind)).count();
    assert_eq!(["column ", "index ", "sequence "].map(of_kind), [42, 30, 10], "{recorded:#?}");
    // From PostgreSQL 18 on, NOT NULL is among them.
    assert!(of_kind("constraint ") >= 28, "{recorded:#?}");
}

#[test]
fn the_smallest_difference_from_djangos_tables_shows() {
    let Some(cluster) = Cluster::shared() else { return };
    for change in [
        "ALTER TABLE auth_user ALTER username TYPE varchar(151)",
        "ALTER TABLE auth_user ALTER last_login SET NOT NULL",
        "ALTER TABLE auth_user ALTER is_staff SET DEFAULT false",
        "ALTER TABLE auth_user ALTER id SET GENERATED ALWAYS",
        "ALTER TABLE auth_user ALTER email TYPE varchar(254) COLLATE \"C\"",
        "ALTER TABLE auth_user RENAME CONSTRAINT auth_user_username_key TO username_key",
        "ALTER TABLE auth_user_groups
           ALTER CONSTRAINT auth_user_groups_user_id_6a12ed8b_fk_auth_user_id DEFERRABLE INITIALLY IMMEDIATE",
        "DROP INDEX auth_user_username_6821ab7c_like",
        "ALTER SEQUENCE auth_user_id_seq AS bigint",
    ] {
        let database = made_by_django(cluster);
        let before = database.rows(CATALOGUE);
        database.rows(change);
        assert_ne!(database.rows(CATALOGUE), before, "{change}");
    }
}

#[test]
fn the_migration_leaves_on_postgresql_the_rows_that_django_leaves() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = migrated(cluster);
    let recorded: Value = serde_json::from_str(&vector("rows-postgresql-core.json")).unwrap();
    for (table, sql) in [
        ("django_migrations", "SELECT id, app, name FROM django_migrations ORDER BY id"),
        ("django_content_type", "SELECT id, app_label, model FROM django_content_type ORDER BY id"),
        (
            "auth_permission",
            "SELECT p.id, c.app_label, c.model, p.codename, p.name FROM auth_permission AS p
               JOIN django_content_type AS c ON c.id = p.content_type_id ORDER BY p.id",
        ),
    ] {
        let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let line = |row: &Value| row.as_array().unwrap().iter().map(cell).collect::<Vec<_>>().join("|");
        let expected: Vec<String> = recorded[table].as_array().unwrap().iter().map(line).collect();
        assert_eq!(database.rows(sql), expected, "{table}");
    }
    let unapplied = "SELECT name FROM django_migrations WHERE now() - applied NOT BETWEEN '0' AND '1 hour'";
    assert_eq!(database.rows(unapplied), [""; 0]);
    assert_eq!(database.rows("SELECT count(*) FROM auth_user"), ["0"]);
}

#[test]
fn the_next_user_gets_the_id_1_and_the_next_permission_the_id_after_the_last() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = migrated(cluster);
    for (sql, id) in [
        (
            "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff,
                                    is_active, date_joined)
             VALUES ('', false, 'ada', '', '', '', false, true, now()) RETURNING id",
            "1",
        ),
        (
            "INSERT INTO auth_permission (name, content_type_id, codename) VALUES ('', 6, '') RETURNING id",
            "25",
        ),
        ("INSERT INTO django_content_type (app_label, model) VALUES ('notes', 'note') RETURNING id", "7"),
        ("INSERT INTO django_migrations (app, name, applied) VALUES ('notes', '', now()) RETURNING id", "27"),
    ] {
        assert_eq!(database.rows(sql), [id], "{sql}");
    }
}

#[test]
fn the_migration_works_in_another_schema_than_public() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let migration = POSTGRES.concat();
    database.rows(&format!("BEGIN; CREATE SCHEMA accounts; SET search_path = accounts; {migration} COMMIT"));
    let tables = "SELECT schemaname, count(*) FROM pg_tables
                   WHERE schemaname NOT IN ('pg_catalog', 'information_schema') GROUP BY schemaname";
    assert_eq!(database.rows(tables), ["accounts|18"]);
}

#[test]
fn both_engines_have_migrations_of_the_same_names() {
    let names = |engine: &str| -> BTreeSet<_> {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(engine);
        std::fs::read_dir(migrations).unwrap().map(|file| file.unwrap().file_name()).collect()
    };
    assert_eq!(names("postgres"), names("sqlite"));
    assert_eq!(names("postgres").len(), POSTGRES.len());
}

#[test]
fn our_own_tables_have_the_same_columns_and_indexes_on_both_engines() {
    let Some(cluster) = Cluster::shared() else { return };
    let (postgres, sqlite) = (migrated(cluster), Connection::open_in_memory().unwrap());
    sqlite.execute_batch(&SQLITE.concat()).unwrap();

    let columns = postgres.rows(
        "SELECT table_name, ordinal_position, column_name,
                CASE data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'text' THEN 'TEXT' WHEN 'bytea' THEN 'BLOB'
                     ELSE data_type END,
                CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END
           FROM information_schema.columns WHERE table_name LIKE 'countersign\\_%' ORDER BY 1, 2",
    );
    let expected = "SELECT t.name, c.cid + 1, c.name, c.type, c.\"notnull\"
                      FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
                     WHERE t.type = 'table' AND t.name LIKE 'countersign_%' ORDER BY 1, 2";
    assert_eq!(columns, rows(&sqlite, expected));
    assert_eq!(columns.len(), 54);

    let indexes = postgres.rows(
        "SELECT tablename, indexname FROM pg_indexes
          WHERE indexname LIKE 'countersign\\_%' AND indexname NOT LIKE '%\\_pkey' ORDER BY 1, 2",
    );
    let expected = "SELECT tbl_name, name FROM sqlite_schema
                     WHERE type = 'index' AND name LIKE 'countersign_%' AND sql IS NOT NULL ORDER BY 1, 2";
    assert_eq!(indexes, rows(&sqlite, expected));
}

#[test]
fn our_own_tables_refuse_the_same_rows_on_both_engines() {
    let Some(cluster) = Cluster::shared() else { return };
    let (postgres, sqlite) = (migrated(cluster), Connection::open_in_memory().unwrap());
    sqlite.execute_batch(&SQLITE.concat()).unwrap();
    let session = |id, ended_at, because| {
        format!(
            "INSERT INTO countersign_session
                 (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at, ended_at, ended_because,
                  client)
             VALUES ('{id}', 1, 0, 0, 0, 0, 0, {ended_at}, {because}, '')"
        )
    };
    let key = |kid, state, sealed| {
        format!(
            "INSERT INTO countersign_key (kid, algorithm, state, sealed, created_at, changed_at)
             VALUES ('{kid}', 'RS256', '{state}', {sealed}, 0, 0)"
        )
    };
    for (sql, is_taken) in [
        (session("living", "NULL", "NULL"), true),
        (session("living", "NULL", "NULL"), false),
        (session("ended", "1", "'logout'"), true),
        (session("without a reason", "1", "NULL"), false),
        (session("without a time", "NULL", "'logout'"), false),
        (key("a", "signing", "NULL"), true),
        (key("b", "signing", "NULL"), false),
        (key("c", "next", "NULL"), true),
        (key("d", "next", "NULL"), false),
        (key("e", "verifying", "NULL"), true),
        (key("f", "verifying", "NULL"), true),
        (key("g", "retired", "NULL"), true),
        (key("h", "retired", "''"), false),
        (key("i", "lost", "NULL"), false),
    ] {
        assert_eq!(sqlite.execute(&sql, []).is_ok(), is_taken, "SQLite: {sql}");
        assert_eq!(postgres.try_rows(&sql).is_ok(), is_taken, "PostgreSQL: {sql}");
    }
}

#[test]
fn our_own_ids_are_sorted_by_their_bytes_as_on_sqlite() {
    let Some(cluster) = Cluster::shared() else { return };
    let collations = "SELECT table_name, column_name, collation_name FROM information_schema.columns
                       WHERE table_name LIKE 'countersign\\_%' AND collation_name IS NOT NULL ORDER BY 1";
    let expected = [
        "countersign_event|id|C",
        "countersign_key|kid|C",
        "countersign_mail|id|C",
        "countersign_refusal|id|C",
        "countersign_session|id|C",
    ];
    assert_eq!(migrated(cluster).rows(collations), expected);
}
