//! How the rows of a batch are written: one by one into SQLite, all at once as a JSON text into PostgreSQL.
//!
//! Each statement is for one engine, unlike those elsewhere, and takes the columns of `tables` in their order.

use super::tables::Table;

/// For SQLite, a parameter a column.
pub(super) fn into_sqlite(table: &Table) -> &'static str {
    match table.name {
        "django_content_type" => {
            "INSERT INTO django_content_type (id, app_label, model)
             VALUES ($1, $2, $3)"
        }
        "auth_permission" => {
            "INSERT INTO auth_permission (id, content_type_id, codename, name)
             VALUES ($1, $2, $3, $4)"
        }
        "auth_group" => {
            "INSERT INTO auth_group (id, name)
             VALUES ($1, $2)"
        }
        "auth_group_permissions" => {
            "INSERT INTO auth_group_permissions (id, group_id, permission_id)
             VALUES ($1, $2, $3)"
        }
        "auth_user" => {
            "INSERT INTO auth_user (id, password, last_login, is_superuser, username, first_name,
                     last_name, email, is_staff, is_active, date_joined)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        }
        "auth_user_groups" => {
            "INSERT INTO auth_user_groups (id, user_id, group_id)
             VALUES ($1, $2, $3)"
        }
        "auth_user_user_permissions" => {
            "INSERT INTO auth_user_user_permissions (id, user_id, permission_id)
             VALUES ($1, $2, $3)"
        }
        "token_blacklist_outstandingtoken" => {
            "INSERT INTO token_blacklist_outstandingtoken (id, user_id, jti, token, created_at,
                     expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)"
        }
        "token_blacklist_blacklistedtoken" => {
            "INSERT INTO token_blacklist_blacklistedtoken (id, token_id, blacklisted_at)
             VALUES ($1, $2, $3)"
        }
        "countersign_session" => {
            "INSERT INTO countersign_session (id, user_id, generation, replaced_jti, rotated_at,
                     created_at, last_seen_at, expires_at, ended_at, ended_because, address, client)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        }
        "countersign_key" => {
            "INSERT INTO countersign_key (kid, algorithm, state, sealed, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6)"
        }
        _ => unreachable!("{} is not copied", table.name),
    }
}

/// For PostgreSQL, whose one parameter is a JSON list of objects.
pub(super) fn into_postgres(table: &Table) -> &'static str {
    match table.name {
        "auth_group" => {
            "INSERT INTO auth_group (id, name)
             SELECT id, name
               FROM json_populate_recordset(NULL::auth_group, $1::json)"
        }
        "auth_group_permissions" => {
            "INSERT INTO auth_group_permissions (id, group_id, permission_id)
             SELECT id, group_id, permission_id
               FROM json_populate_recordset(NULL::auth_group_permissions, $1::json)"
        }
        "auth_user" => {
            "INSERT INTO auth_user (id, password, last_login, is_superuser, username, first_name,
                     last_name, email, is_staff, is_active, date_joined)
             SELECT id, password, last_login, is_superuser, username, first_name, last_name, email,
                    is_staff, is_active, date_joined
               FROM json_populate_recordset(NULL::auth_user, $1::json)"
        }
        "auth_user_groups" => {
            "INSERT INTO auth_user_groups (id, user_id, group_id)
             SELECT id, user_id, group_id
               FROM json_populate_recordset(NULL::auth_user_groups, $1::json)"
        }
        "auth_user_user_permissions" => {
            "INSERT INTO auth_user_user_permissions (id, user_id, permission_id)
             SELECT id, user_id, permission_id
               FROM json_populate_recordset(NULL::auth_user_user_permissions, $1::json)"
        }
        "token_blacklist_outstandingtoken" => {
            "INSERT INTO token_blacklist_outstandingtoken (id, user_id, jti, token, created_at,
                     expires_at)
             SELECT id, user_id, jti, token, created_at, expires_at
               FROM json_populate_recordset(NULL::token_blacklist_outstandingtoken, $1::json)"
        }
        "token_blacklist_blacklistedtoken" => {
            "INSERT INTO token_blacklist_blacklistedtoken (id, token_id, blacklisted_at)
             SELECT id, token_id, blacklisted_at
               FROM json_populate_recordset(NULL::token_blacklist_blacklistedtoken, $1::json)"
        }
        "countersign_session" => {
            "INSERT INTO countersign_session (id, user_id, generation, replaced_jti, rotated_at,
                     created_at, last_seen_at, expires_at, ended_at, ended_because, address, client)
             SELECT id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at,
                    expires_at, ended_at, ended_because, address, client
               FROM json_populate_recordset(NULL::countersign_session, $1::json)"
        }
        "countersign_key" => {
            "INSERT INTO countersign_key (kid, algorithm, state, sealed, created_at, changed_at)
             SELECT kid, algorithm, state, sealed, created_at, changed_at
               FROM json_populate_recordset(NULL::countersign_key, $1::json)"
        }
        _ => unreachable!("{} is not copied", table.name),
    }
}
