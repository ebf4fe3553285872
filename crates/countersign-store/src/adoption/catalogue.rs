//! What an engine says of its tables, columns and unique constraints; reads only.

use crate::StoreError;
use crate::database_url::APPLICATION_NAME;
use crate::engine::Engine;

/// A column that is there.
pub(super) struct Column {
    pub table: String,
    pub name: String,
    /// As the engine writes it, in lower case.
    pub kind: String,
    pub is_required: bool,
    pub has_default: bool,
}

/// Whether a PostgreSQL database is open in another connection of ours. (Of an SQLite file its locks say so.)
pub(super) async fn is_served(engine: &Engine) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()";
    Ok(engine.first(sql, &[APPLICATION_NAME.into()], |_| Ok(())).await?.is_some())
}

/// Name and version.
pub(super) async fn engine_version(engine: &Engine) -> Result<String, StoreError> {
    let (name, sql) = match engine {
        Engine::Sqlite(_) => ("SQLite", "SELECT sqlite_version()"),
        Engine::Postgres(_) => ("PostgreSQL", "SELECT current_setting('server_version')"),
    };
    let version: Option<String> = engine.first(sql, &[], |row| row.get(0)).await?;
    Ok(format!("{name} {}", version.unwrap_or_default()))
}

/// Names of tables that a statement of ours would find.
pub(super) async fn tables(engine: &Engine) -> Result<Vec<String>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        }
        Engine::Postgres(_) => {
            "SELECT c.relname::text
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)
              ORDER BY c.relname"
        }
    };
    engine.all(sql, &[], |row| row.get(0)).await
}

/// Names of indexes, those aside that an engine makes by itself.
pub(super) async fn indexes(engine: &Engine) -> Result<Vec<String>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        }
        Engine::Postgres(_) => {
            "SELECT c.relname::text
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('i', 'I') AND n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)
              ORDER BY c.relname"
        }
    };
    engine.all(sql, &[], |row| row.get(0)).await
}

/// Every column of every table.
pub(super) async fn columns(engine: &Engine) -> Result<Vec<Column>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT t.name, c.name, c.type, c.[notnull], c.dflt_value IS NOT NULL OR c.pk > 0
               FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
              WHERE t.type = 'table'
              ORDER BY t.name, c.cid"
        }
        Engine::Postgres(_) => {
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    a.atthasdef OR a.attidentity <> ''
               FROM pg_class AS c
               JOIN pg_namespace AS n ON n.oid = c.relnamespace
               JOIN pg_attribute AS a ON a.attrelid = c.oid
              WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)
                AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY c.relname, a.attnum"
        }
    };
    engine
        .all(sql, &[], |row| {
            Ok(Column {
                table: row.get(0)?,
                name: row.get(1)?,
                kind: row.get::<String>(2)?.to_ascii_lowercase(),
                is_required: row.get(3)?,
                has_default: row.get(4)?,
            })
        })
        .await
}

/// Tables with the columns, sorted and joined by commas, that are unique together for every row.
pub(super) async fn unique(engine: &Engine) -> Result<Vec<(String, String)>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT t.name, (SELECT group_concat(c.name, ',')
                               FROM (SELECT coalesce(name, '()') AS name FROM pragma_index_info(i.name) ORDER BY 1) AS c)
               FROM sqlite_schema AS t, pragma_index_list(t.name) AS i
              WHERE t.type = 'table' AND i.[unique] AND NOT i.partial
             UNION ALL
             SELECT t.name, group_concat(c.name, ',')
               FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
              WHERE t.type = 'table' AND c.pk > 0
              GROUP BY t.name"
        }
        Engine::Postgres(_) => {
            "SELECT c.relname::text,
                    (SELECT string_agg(coalesce(a.attname::text, '()'), ',' ORDER BY a.attname)
                       FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                       LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
                      WHERE k.place <= i.indnkeyatts)
               FROM pg_index AS i
               JOIN pg_class AS c ON c.oid = i.indrelid
               JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL
                AND n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)"
        }
    };
    engine.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// The table that holds the users of the recorded tokens: Django's own, or that of a user model of the project's.
pub(super) async fn table_of_users(engine: &Engine) -> Result<Option<String>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT [table] FROM pragma_foreign_key_list('token_blacklist_outstandingtoken') WHERE [from] = 'user_id'"
        }
        Engine::Postgres(_) => {
            "SELECT f.relname::text
               FROM pg_constraint AS k
               JOIN pg_class AS c ON c.oid = k.conrelid
               JOIN pg_class AS f ON f.oid = k.confrelid
              WHERE k.contype = 'f' AND c.relname = 'token_blacklist_outstandingtoken' AND pg_table_is_visible(c.oid)"
        }
    };
    engine.first(sql, &[], |row| row.get(0)).await
}

/// A column that refers to another table.
pub(super) struct Reference {
    pub table: String,
    pub column: String,
    pub to: String,
}

/// Every foreign key, column by column.
pub(super) async fn references(engine: &Engine) -> Result<Vec<Reference>, StoreError> {
    let sql = match engine {
        Engine::Sqlite(_) => {
            "SELECT t.name, f.[from], f.[table] FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
              WHERE t.type = 'table'"
        }
        Engine::Postgres(_) => {
            "SELECT c.relname::text, a.attname::text, f.relname::text
               FROM pg_constraint AS k
               JOIN pg_class AS c ON c.oid = k.conrelid
               JOIN pg_class AS f ON f.oid = k.confrelid
               JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
              WHERE k.contype = 'f' AND pg_table_is_visible(c.oid) AND pg_table_is_visible(f.oid)"
        }
    };
    engine
        .all(sql, &[], |row| Ok(Reference { table: row.get(0)?, column: row.get(1)?, to: row.get(2)? }))
        .await
}

/// Whether tables can be made by whom we log in as, and an index on the table of users, which only its owner may. (An SQLite
/// file says so when it is written.)
pub(super) async fn may_create(engine: &Engine) -> Result<bool, StoreError> {
    match engine {
        Engine::Sqlite(_) => Ok(true),
        Engine::Postgres(_) => {
            let sql = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
                              AND NOT EXISTS (SELECT 1 FROM pg_tables WHERE tablename = $1
                                                AND schemaname = ANY (current_schemas(false))
                                                AND NOT pg_has_role(tableowner, 'USAGE'))";
            let users = engine.users().name();
            Ok(engine.first(sql, &[users.into()], |row| row.get(0)).await?.unwrap_or(false))
        }
    }
}
