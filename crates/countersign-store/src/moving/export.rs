//! A fixture that `manage.py loaddata` takes, and our own import: an object a line, in the order of keys.
//!
//! Content types and permissions go by their natural keys, as every database has its own ids for them; all else
//! keeps its numbers. Sessions and signing keys are not Django's, and stay.

use std::collections::HashMap;
use std::io::Write;

use serde_json::{Map, Value as Json, json};

use super::cell::Cell;
use super::permissions::Permissions;
use super::tables::{BLACKLISTED_TOKENS, GROUPS, MANY, Many, OUTSTANDING_TOKENS, Table, USERS};
use super::{MoveError, Moved, Source};
use crate::engine::Row;

/// Which rows of a join table belong to the rows of a page, by their owners' ids, and their order.
const MEMBERS: [(&str, &str); 3] = [
    (
        "auth_group_permissions",
        "SELECT group_id, permission_id FROM auth_group_permissions
          WHERE group_id >= $1 AND group_id <= $2 ORDER BY group_id, permission_id",
    ),
    (
        "auth_user_groups",
        "SELECT user_id, group_id FROM auth_user_groups
          WHERE user_id >= $1 AND user_id <= $2 ORDER BY user_id, group_id",
    ),
    (
        "auth_user_user_permissions",
        "SELECT user_id, permission_id FROM auth_user_user_permissions
          WHERE user_id >= $1 AND user_id <= $2 ORDER BY user_id, permission_id",
    ),
];

/// A list that is being written.
struct List<'a, W> {
    out: &'a mut W,
    is_begun: bool,
}

impl Source {
    /// Writes everything that Django knows of; `at` is told how far it is.
    pub async fn write_fixture(&self, out: &mut impl Write, at: impl Fn(u64)) -> Result<Moved, MoveError> {
        let mut list = List { out, is_begun: false };
        let permissions = Permissions::read(&self.snapshot).await?;
        let mut moved = Moved::default();
        moved.rows.insert("content_types", permissions.types.len() as u64);
        moved.rows.insert("permissions", permissions.permissions.len() as u64);
        for (label, model) in &permissions.types {
            list.push(&json!({
                "model": "contenttypes.contenttype",
                "fields": { "app_label": label, "model": model },
            }))?;
        }
        for permission in &permissions.permissions {
            list.push(&json!({
                "model": "auth.permission",
                "fields": {
                    "name": permission.name,
                    "content_type": [permission.app_label, permission.model],
                    "codename": permission.codename,
                },
            }))?;
        }
        let permissions = permissions.by_id();
        let of_tokens = [&OUTSTANDING_TOKENS, &BLACKLISTED_TOKENS].into_iter().filter(|_| self.has_tokens);
        for table in [&GROUPS, &USERS].into_iter().chain(of_tokens) {
            let written = self.write_table(table, &permissions, &mut list, &at).await?;
            moved.rows.insert(table.plural, written);
        }
        list.end()?;
        Ok(moved)
    }

    async fn write_table(
        &self,
        table: &'static Table,
        permissions: &HashMap<i64, Json>,
        list: &mut List<'_, impl Write>,
        at: impl Fn(u64),
    ) -> Result<u64, MoveError> {
        let (mut written, mut after) = (0, table.start());
        loop {
            let rows = self.snapshot.page(table, &after).await?;
            let (Some(first), Some(end)) =
                (rows.first().and_then(|row| row.first()), rows.last().and_then(|row| row.first()))
            else {
                return Ok(written);
            };
            let of_model = MANY.iter().filter(|many| many.model == table.model);
            let mut lists = Vec::new();
            for many in of_model {
                lists.push((many, self.members(many, first, end, permissions).await?));
            }
            after = end.clone();
            for row in &rows {
                list.push(&object(table, row, &mut lists))?;
            }
            written += rows.len() as u64;
            at(rows.len() as u64);
        }
    }

    /// What the rows from `first` to `last` have in a field that is a table of its own.
    async fn members(
        &self,
        many: &Many,
        first: &Cell,
        last: &Cell,
        permissions: &HashMap<i64, Json>,
    ) -> Result<HashMap<i64, Vec<Json>>, MoveError> {
        let Some((_, sql)) = MEMBERS.iter().find(|(table, _)| *table == many.table.name) else {
            return Ok(HashMap::new());
        };
        let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        let mut members: HashMap<i64, Vec<Json>> = HashMap::new();
        for (owner, member) in self.snapshot.all(sql, &[first.value(), last.value()], read).await? {
            let is_group = many.field == "groups";
            let key = if is_group { Some(member.into()) } else { permissions.get(&member).cloned() };
            members.entry(owner).or_default().extend(key);
        }
        if many.field != "groups" {
            for keys in members.values_mut() {
                keys.sort_by_cached_key(in_order);
            }
        }
        Ok(members)
    }
}

/// Application, model, codename: the order that Django gives permissions, whatever their ids.
fn in_order(key: &Json) -> Vec<String> {
    let texts = |index: usize| key.get(index).and_then(Json::as_str).unwrap_or_default().to_owned();
    vec![texts(1), texts(2), texts(0)]
}

fn object(table: &Table, row: &[Cell], lists: &mut [(&Many, HashMap<i64, Vec<Json>>)]) -> Json {
    let pk = row.first().and_then(Cell::number);
    let columns = table.columns.iter().zip(row).skip(1);
    let mut fields: Map<String, Json> =
        columns.map(|(column, cell)| (column.field().to_owned(), cell.json())).collect();
    for (many, members) in lists {
        let members = pk.and_then(|pk| members.remove(&pk)).unwrap_or_default();
        fields.insert(many.field.to_owned(), members.into());
    }
    json!({ "model": table.model, "pk": pk, "fields": fields })
}

impl<W: Write> List<'_, W> {
    fn push(&mut self, object: &Json) -> Result<(), MoveError> {
        self.out.write_all(if self.is_begun { b",\n" } else { b"[\n" })?;
        self.is_begun = true;
        Ok(serde_json::to_writer(&mut *self.out, object).map_err(std::io::Error::from)?)
    }

    fn end(&mut self) -> Result<(), MoveError> {
        self.out.write_all(if self.is_begun { b"\n]\n" } else { b"[]\n" })?;
        Ok(self.out.flush()?)
    }
}
