//! What is moved: the tables of Django's that we keep, and our own, with what their columns hold on either engine.
//!
//! The columns of a statement stand in the order of `columns`, the key first.

use super::cell::Cell;

#[cfg(test)]
mod tests;

/// A table whose rows are moved.
pub(super) struct Table {
    pub name: &'static str,
    /// As a fixture and an operator call a row.
    pub model: &'static str,
    /// As a report calls its rows.
    pub plural: &'static str,
    /// What no two rows have.
    pub unique: &'static str,
    pub columns: &'static [Column],
    pub count: &'static str,
    /// The next rows by key.
    pub page: &'static str,
}

/// A column, with what the narrower of both engines takes.
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub is_required: bool,
    /// The model whose key it holds.
    pub refers_to: Option<&'static str>,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    BigInt,
    Varchar(usize),
    Text,
    Bool,
    Time,
    Bytes,
}

/// A field of a model that is a table of its own.
pub(super) struct Many {
    pub model: &'static str,
    pub field: &'static str,
    pub table: &'static Table,
}

use Kind::{BigInt, Bool, Bytes, Int, Text, Time, Varchar};

/// Rows that are read together, and written in one transaction.
pub(super) const PAGE: i64 = 1_000;

/// In an order in which what is referred to comes first. Content types and permissions are written otherwise.
pub(super) const COPIED: [&Table; 9] = [
    &GROUPS,
    &GROUP_PERMISSIONS,
    &USERS,
    &MEMBERSHIPS,
    &USER_PERMISSIONS,
    &OUTSTANDING_TOKENS,
    &BLACKLISTED_TOKENS,
    &SESSIONS,
    &KEYS,
];

/// What a fixture holds as objects.
pub(super) const MODELS: [&Table; 6] =
    [&CONTENT_TYPES, &PERMISSIONS, &GROUPS, &USERS, &OUTSTANDING_TOKENS, &BLACKLISTED_TOKENS];

pub(super) const MANY: [Many; 3] = [
    Many { model: "auth.group", field: "permissions", table: &GROUP_PERMISSIONS },
    Many { model: "auth.user", field: "groups", table: &MEMBERSHIPS },
    Many { model: "auth.user", field: "user_permissions", table: &USER_PERMISSIONS },
];

pub(super) static CONTENT_TYPES: Table = Table {
    name: "django_content_type",
    model: "contenttypes.contenttype",
    plural: "content_types",
    unique: "the same app_label and model",
    columns: &[required("id", Int), required("app_label", Varchar(100)), required("model", Varchar(100))],
    count: "SELECT count(*) FROM django_content_type",
    page: "SELECT id, app_label, model
             FROM django_content_type WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static PERMISSIONS: Table = Table {
    name: "auth_permission",
    model: "auth.permission",
    plural: "permissions",
    unique: "the same content type and codename",
    columns: &[
        required("id", Int),
        reference("content_type_id", Int, "contenttypes.contenttype"),
        required("codename", Varchar(100)),
        required("name", Varchar(255)),
    ],
    count: "SELECT count(*) FROM auth_permission",
    page: "SELECT id, content_type_id, codename, name
             FROM auth_permission WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static GROUPS: Table = Table {
    name: "auth_group",
    model: "auth.group",
    plural: "groups",
    unique: "the same name",
    columns: &[required("id", Int), required("name", Varchar(150))],
    count: "SELECT count(*) FROM auth_group",
    page: "SELECT id, name
             FROM auth_group WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static GROUP_PERMISSIONS: Table = Table {
    name: "auth_group_permissions",
    model: "auth.group_permissions",
    plural: "group_permissions",
    unique: "the same two",
    columns: &[
        required("id", BigInt),
        reference("group_id", Int, "auth.group"),
        reference("permission_id", Int, "auth.permission"),
    ],
    count: "SELECT count(*) FROM auth_group_permissions",
    page: "SELECT id, group_id, permission_id
             FROM auth_group_permissions WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static USERS: Table = Table {
    name: "auth_user",
    model: "auth.user",
    plural: "users",
    unique: "the same username",
    columns: &[
        required("id", Int),
        required("password", Varchar(128)),
        nullable("last_login", Time),
        required("is_superuser", Bool),
        required("username", Varchar(150)),
        required("first_name", Varchar(150)),
        required("last_name", Varchar(150)),
        required("email", Varchar(254)),
        required("is_staff", Bool),
        required("is_active", Bool),
        required("date_joined", Time),
    ],
    count: "SELECT count(*) FROM auth_user",
    page: "SELECT id, password, last_login, is_superuser, username, first_name, last_name, email,
                  is_staff, is_active, date_joined
             FROM auth_user WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static MEMBERSHIPS: Table = Table {
    name: "auth_user_groups",
    model: "auth.user_groups",
    plural: "memberships",
    unique: "the same two",
    columns: &[
        required("id", BigInt),
        reference("user_id", Int, "auth.user"),
        reference("group_id", Int, "auth.group"),
    ],
    count: "SELECT count(*) FROM auth_user_groups",
    page: "SELECT id, user_id, group_id
             FROM auth_user_groups WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static USER_PERMISSIONS: Table = Table {
    name: "auth_user_user_permissions",
    model: "auth.user_user_permissions",
    plural: "user_permissions",
    unique: "the same two",
    columns: &[
        required("id", BigInt),
        reference("user_id", Int, "auth.user"),
        reference("permission_id", Int, "auth.permission"),
    ],
    count: "SELECT count(*) FROM auth_user_user_permissions",
    page: "SELECT id, user_id, permission_id
             FROM auth_user_user_permissions WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static OUTSTANDING_TOKENS: Table = Table {
    name: "token_blacklist_outstandingtoken",
    model: "token_blacklist.outstandingtoken",
    plural: "outstanding_tokens",
    unique: "the same jti",
    columns: &[
        required("id", BigInt),
        optional_reference("user_id", Int, "auth.user"),
        required("jti", Varchar(255)),
        required("token", Text),
        nullable("created_at", Time),
        required("expires_at", Time),
    ],
    count: "SELECT count(*) FROM token_blacklist_outstandingtoken",
    page: "SELECT id, user_id, jti, token, created_at, expires_at
             FROM token_blacklist_outstandingtoken WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static BLACKLISTED_TOKENS: Table = Table {
    name: "token_blacklist_blacklistedtoken",
    model: "token_blacklist.blacklistedtoken",
    plural: "blacklisted_tokens",
    unique: "the same token",
    columns: &[
        required("id", BigInt),
        reference("token_id", BigInt, "token_blacklist.outstandingtoken"),
        required("blacklisted_at", Time),
    ],
    count: "SELECT count(*) FROM token_blacklist_blacklistedtoken",
    page: "SELECT id, token_id, blacklisted_at
             FROM token_blacklist_blacklistedtoken WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static SESSIONS: Table = Table {
    name: "countersign_session",
    model: "countersign session",
    plural: "sessions",
    unique: "the same id",
    columns: &[
        required("id", Text),
        required("user_id", BigInt),
        required("generation", BigInt),
        nullable("replaced_jti", Text),
        required("rotated_at", BigInt),
        required("created_at", BigInt),
        required("last_seen_at", BigInt),
        required("expires_at", BigInt),
        nullable("ended_at", BigInt),
        nullable("ended_because", Text),
        nullable("address", Text),
        required("client", Text),
    ],
    count: "SELECT count(*) FROM countersign_session",
    page: "SELECT id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at,
                  expires_at, ended_at, ended_because, address, client
             FROM countersign_session WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) static KEYS: Table = Table {
    name: "countersign_key",
    model: "countersign key",
    plural: "signing_keys",
    unique: "the same kid",
    columns: &[
        required("kid", Text),
        required("algorithm", Text),
        required("state", Text),
        nullable("sealed", Bytes),
        required("created_at", BigInt),
        required("changed_at", BigInt),
    ],
    count: "SELECT count(*) FROM countersign_key",
    page: "SELECT kid, algorithm, state, sealed, created_at, changed_at
             FROM countersign_key WHERE kid > $1 ORDER BY kid LIMIT $2",
};

const fn required(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_required: true, refers_to: None }
}

const fn nullable(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_required: false, refers_to: None }
}

const fn reference(name: &'static str, kind: Kind, model: &'static str) -> Column {
    Column { name, kind, is_required: true, refers_to: Some(model) }
}

const fn optional_reference(name: &'static str, kind: Kind, model: &'static str) -> Column {
    Column { name, kind, is_required: false, refers_to: Some(model) }
}

impl Table {
    /// Before the first key.
    pub(super) fn start(&self) -> Cell {
        match self.columns.first().map(|key| key.kind) {
            Some(Text) => Cell::Text(Some(String::new())),
            _ => Cell::Int(Some(i64::MIN)),
        }
    }

    /// Why a row cannot be written, naming it, and what to do; `None` if it can.
    pub(super) fn complaint(&self, row: &[Cell]) -> Option<String> {
        let complaint = self.columns.iter().zip(row).find_map(|(column, cell)| column.why_not(cell))?;
        let key = row.first().map(key_text).unwrap_or_default();
        Some(format!("{} {key}: {complaint}; correct it in the source", self.model))
    }
}

/// A key as text.
pub(super) fn key_text(key: &Cell) -> String {
    match key {
        Cell::Text(Some(text)) => text.clone(),
        key => key.number().map_or_else(String::new, |number| number.to_string()),
    }
}

impl Column {
    /// As a fixture calls it.
    pub(super) fn field(&self) -> &'static str {
        match self.refers_to {
            Some(_) => self.name.strip_suffix("_id").unwrap_or(self.name),
            None => self.name,
        }
    }

    /// Why a value cannot be written, with the field's name; `None` if it can.
    pub(super) fn why_not(&self, cell: &Cell) -> Option<String> {
        self.complaint(cell).map(|complaint| format!("{} {complaint}", self.field()))
    }

    fn complaint(&self, cell: &Cell) -> Option<String> {
        if cell.is_null() {
            return self.is_required.then(|| "is NULL, where a value is required".to_owned());
        }
        match (self.kind, cell) {
            (Int, Cell::Int(Some(number))) if i32::try_from(*number).is_err() => {
                Some(format!("is {number}, and an integer of Django's goes to {}", i32::MAX))
            }
            (Varchar(length), Cell::Text(Some(text))) if text.chars().count() > length => {
                Some(format!("has {} characters, and its column takes {length}", text.chars().count()))
            }
            (Varchar(_) | Text, Cell::Text(Some(text))) if text.contains('\0') => {
                Some("has a NUL character, which PostgreSQL does not keep".to_owned())
            }
            _ => None,
        }
    }
}
