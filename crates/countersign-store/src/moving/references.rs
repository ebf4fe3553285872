//! Rows that refer to one which is not there. A database may hold some where nothing checks, and so may a fixture.

use super::snapshot::Snapshot;
use crate::StoreError;

/// A field that refers to rows, and the first that refers to none: whose it is, and to what.
struct Reference {
    model: &'static str,
    field: &'static str,
    to: &'static str,
    missing: &'static str,
}

const OF_ACCOUNTS: [Reference; 7] = [
    Reference {
        model: "auth.permission",
        field: "content_type",
        to: "contenttypes.contenttype",
        missing: "SELECT r.id, r.content_type_id FROM auth_permission AS r
                    LEFT JOIN django_content_type AS t ON t.id = r.content_type_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "auth.group",
        field: "permissions",
        to: "auth.permission",
        missing: "SELECT r.group_id, r.permission_id FROM auth_group_permissions AS r
                    LEFT JOIN auth_permission AS t ON t.id = r.permission_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "a permission of groups",
        field: "group",
        to: "auth.group",
        missing: "SELECT r.id, r.group_id FROM auth_group_permissions AS r
                    LEFT JOIN auth_group AS t ON t.id = r.group_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "auth.user",
        field: "groups",
        to: "auth.group",
        missing: "SELECT r.user_id, r.group_id FROM auth_user_groups AS r
                    LEFT JOIN auth_group AS t ON t.id = r.group_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "a membership",
        field: "user",
        to: "auth.user",
        missing: "SELECT r.id, r.user_id FROM auth_user_groups AS r
                    LEFT JOIN auth_user AS t ON t.id = r.user_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "auth.user",
        field: "user_permissions",
        to: "auth.permission",
        missing: "SELECT r.user_id, r.permission_id FROM auth_user_user_permissions AS r
                    LEFT JOIN auth_permission AS t ON t.id = r.permission_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "a permission of users",
        field: "user",
        to: "auth.user",
        missing: "SELECT r.id, r.user_id FROM auth_user_user_permissions AS r
                    LEFT JOIN auth_user AS t ON t.id = r.user_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
];

const OF_TOKENS: [Reference; 2] = [
    Reference {
        model: "token_blacklist.outstandingtoken",
        field: "user",
        to: "auth.user",
        missing: "SELECT r.id, r.user_id FROM token_blacklist_outstandingtoken AS r
                    LEFT JOIN auth_user AS t ON t.id = r.user_id
                   WHERE t.id IS NULL AND r.user_id IS NOT NULL ORDER BY r.id LIMIT 1",
    },
    Reference {
        model: "token_blacklist.blacklistedtoken",
        field: "token",
        to: "token_blacklist.outstandingtoken",
        missing: "SELECT r.id, r.token_id FROM token_blacklist_blacklistedtoken AS r
                    LEFT JOIN token_blacklist_outstandingtoken AS t ON t.id = r.token_id
                   WHERE t.id IS NULL ORDER BY r.id LIMIT 1",
    },
];

/// The first reference to a row that is not there, in words; `None` if there is none.
pub(super) async fn broken(snapshot: &Snapshot, has_tokens: bool) -> Result<Option<String>, StoreError> {
    let of_tokens = OF_TOKENS.iter().filter(|_| has_tokens);
    for reference in OF_ACCOUNTS.iter().chain(of_tokens) {
        let read = |row: &crate::engine::Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        if let Some((key, missing)) = snapshot.all(reference.missing, &[], read).await?.first() {
            let Reference { model, field, to, .. } = reference;
            return Ok(Some(format!(
                "{model} {key}: {field} refers to {to} {missing}, which is not there; correct it in the source, or, if \
                 that is a fixture, dump {to} too"
            )));
        }
    }
    Ok(None)
}
