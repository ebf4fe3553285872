//! Where the users are: in Django's `auth_user`, for which every statement is written, or in the table of a user model of
//! the project's own, for which statements are translated, each once.
//!
//! The names of such a table come from the database's own catalogue, and are quoted wherever they stand in a statement.

mod tokens;
mod translation;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::{LoginField, UserIdKind};

use crate::StoreError;
use crate::engine::Value;

/// Which user model a project has, as its settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserModel {
    /// The table of `AUTH_USER_MODEL`.
    pub table: String,
    /// Its `USERNAME_FIELD`.
    pub login: LoginField,
}

/// Django's own.
impl Default for UserModel {
    fn default() -> Self {
        Self { table: Self::OF_DJANGO.to_owned(), login: LoginField::Username }
    }
}

impl UserModel {
    /// The table of Django's own.
    pub const OF_DJANGO: &'static str = "auth_user";

    pub(crate) fn is_of_django(&self) -> bool {
        self.table == Self::OF_DJANGO
    }
}

/// The table of a user model, as the catalogue of the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub table: String,
    pub groups: Join,
    pub permissions: Join,
    pub key: UserIdKind,
    pub login: LoginField,
    /// Which of Django's columns are not there, and read as empty.
    pub missing: Vec<&'static str>,
    pub is_on_sqlite: bool,
}

/// A table between users and something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    pub table: String,
    /// Its column that refers to the user.
    pub user: String,
}

impl Described {
    /// What makes a new key, where the database does not: a UUID of version 4.
    fn new_key(&self) -> Option<&'static str> {
        match (self.key, self.is_on_sqlite) {
            (UserIdKind::Number, _) => None,
            (UserIdKind::Uuid, false) => Some("gen_random_uuid()"),
            (UserIdKind::Uuid, true) => Some(
                "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2) \
                 || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || hex(randomblob(6)))",
            ),
        }
    }
}

/// The table of users of an open database.
#[derive(Default)]
pub(crate) struct UserTable {
    own: Option<Own>,
}

struct Own {
    described: Described,
    translated: RwLock<HashMap<&'static str, Statement>>,
}

impl UserTable {
    pub(crate) fn of(described: Described) -> Self {
        Self { own: Some(Own { described, translated: RwLock::default() }) }
    }

    pub(crate) fn name(&self) -> &str {
        self.own.as_ref().map_or(UserModel::OF_DJANGO, |own| &own.described.table)
    }

    pub(crate) fn key(&self) -> UserIdKind {
        self.own.as_ref().map_or(UserIdKind::Number, |own| own.described.key)
    }

    /// The tables of users, of their groups and of their permissions.
    pub(crate) fn tables(&self) -> [&str; 3] {
        match &self.own {
            None => [UserModel::OF_DJANGO, "auth_user_groups", "auth_user_user_permissions"],
            Some(Own { described: Described { table, groups, permissions, .. }, .. }) => {
                [table, &groups.table, &permissions.table]
            }
        }
    }

    /// The statement as it is for this table.
    pub(crate) fn statement(&self, sql: &'static str) -> Result<Statement, StoreError> {
        let Some(own) = &self.own else { return Ok(Statement::as_written(sql)) };
        if let Some(known) = own.translated.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return Ok(known.clone());
        }
        let statement = translation::translate(sql, &own.described)
            .map_err(|why| StoreError::Statement(format!("{why}: {sql}").into()))?;
        own.translated.write().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }
}

/// A text for the engine. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    text: Text,
    /// Which of the caller's values it takes, if not all.
    values: Option<Arc<[usize]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    AsWritten(&'static str),
    Translated(Arc<str>),
}

impl Statement {
    pub(crate) fn as_written(sql: &'static str) -> Self {
        Self { text: Text::AsWritten(sql), values: None }
    }

    fn translated(text: &str, values: Option<Vec<usize>>) -> Self {
        Self { text: Text::Translated(text.into()), values: values.map(Into::into) }
    }

    /// Those of the caller's values that it takes, in its order.
    pub(crate) fn values<'a, 'v>(&self, values: &'a [Value<'v>]) -> Cow<'a, [Value<'v>]> {
        match &self.values {
            None => Cow::Borrowed(values),
            Some(places) => places.iter().filter_map(|place| values.get(*place)).copied().collect(),
        }
    }
}

impl Deref for Statement {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.text {
            Text::AsWritten(sql) => sql,
            Text::Translated(sql) => sql,
        }
    }
}
