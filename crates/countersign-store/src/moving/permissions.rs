//! Content types and permissions: of these every database has rows of its own, under ids of its own. They are the
//! same where their natural keys are, and what refers to them follows.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::MoveError;
use super::cell::Cell;
use super::snapshot::Snapshot;
use super::tables::{CONTENT_TYPES, PERMISSIONS, Table};
use crate::StoreError;
use crate::engine::{Transaction, Value};

/// What a database knows of, sorted by natural keys.
pub(super) struct Permissions {
    /// Label of the application and name of the model.
    pub types: Vec<(String, String)>,
    pub permissions: Vec<Permission>,
}

/// A permission with its natural key.
pub(super) struct Permission {
    id: i64,
    pub app_label: String,
    pub model: String,
    pub codename: String,
    pub name: String,
}

impl Permissions {
    pub(super) async fn read(snapshot: &Snapshot) -> Result<Self, MoveError> {
        let types = checked(&CONTENT_TYPES, snapshot.rows(&CONTENT_TYPES).await?)?;
        let of_id: HashMap<i64, (String, String)> = types
            .iter()
            .filter_map(|row| match row.as_slice() {
                [id, label, model] => {
                    Some((id.number()?, (label.text().to_owned(), model.text().to_owned())))
                }
                _ => None,
            })
            .collect();
        let rows = checked(&PERMISSIONS, snapshot.rows(&PERMISSIONS).await?)?;
        let permission = |row: &Vec<Cell>| match row.as_slice() {
            [id, of, codename, name] => {
                let (app_label, model) = of_id.get(&of.number()?)?.clone();
                let (codename, name) = (codename.text().to_owned(), name.text().to_owned());
                Some(Permission { id: id.number()?, app_label, model, codename, name })
            }
            _ => None,
        };
        let mut permissions: Vec<Permission> = rows.iter().filter_map(permission).collect();
        permissions.sort_by(|one, other| one.key().cmp(&other.key()));
        let mut types: Vec<_> = of_id.into_values().collect();
        types.sort();
        Ok(Self { types, permissions })
    }

    /// Natural keys by id.
    pub(super) fn by_id(&self) -> HashMap<i64, Json> {
        self.permissions.iter().map(|permission| (permission.id, permission.natural_key())).collect()
    }

    /// All of it as one text.
    pub(super) fn text(&self) -> String {
        let permissions: Vec<_> = self
            .permissions
            .iter()
            .map(|permission| (permission.id, permission.key(), &permission.name))
            .collect();
        json!([self.types, permissions]).to_string()
    }

    /// The ids that they have by themselves, for want of another database.
    pub(super) fn own_ids(&self) -> HashMap<i64, i64> {
        self.permissions.iter().map(|permission| (permission.id, permission.id)).collect()
    }

    /// Adds what a database lacks; which id each permission has there, by its id here.
    pub(super) async fn add_to(
        &self,
        transaction: &mut Transaction<'_>,
    ) -> Result<HashMap<i64, i64>, StoreError> {
        let mut types = HashMap::new();
        for (label, model) in &self.types {
            let find = "SELECT id FROM django_content_type WHERE app_label = $1 AND model = $2";
            let add = "INSERT INTO django_content_type (app_label, model) VALUES ($1, $2) RETURNING id";
            let id = find_or_add(transaction, find, add, &[label.into(), model.into()]).await?;
            types.insert((label, model), id);
        }
        let mut ids = HashMap::new();
        for permission in &self.permissions {
            let of = types.get(&(&permission.app_label, &permission.model));
            let of = *of.ok_or(StoreError::NotCommitted)?; // it was added just now
            let find = "SELECT id FROM auth_permission WHERE content_type_id = $1 AND codename = $2";
            let add = "INSERT INTO auth_permission (content_type_id, codename, name) VALUES ($1, $2, $3) RETURNING id";
            let values = [of.into(), (&permission.codename).into(), (&permission.name).into()];
            ids.insert(permission.id, find_or_add(transaction, find, add, &values).await?);
        }
        Ok(ids)
    }
}

impl Permission {
    fn key(&self) -> (&str, &str, &str) {
        (&self.app_label, &self.model, &self.codename)
    }

    /// As a fixture writes it.
    pub(super) fn natural_key(&self) -> Json {
        json!([self.codename, self.app_label, self.model])
    }
}

/// The id of a row, which is found by the first two of its values. (An upsert would use up an id on PostgreSQL.)
async fn find_or_add(
    transaction: &mut Transaction<'_>,
    find: &'static str,
    add: &'static str,
    values: &[Value<'_>],
) -> Result<i64, StoreError> {
    let key = values.get(..2).unwrap_or_default();
    let found: Option<i64> = transaction.first(find, key, |row| row.get(0)).await?;
    match found {
        Some(id) => Ok(id),
        None => transaction.first(add, values, |row| row.get(0)).await?.ok_or(StoreError::NotCommitted),
    }
}

fn checked(table: &Table, rows: Vec<Vec<Cell>>) -> Result<Vec<Vec<Cell>>, MoveError> {
    match rows.iter().find_map(|row| table.complaint(row)) {
        Some(complaint) => Err(MoveError::Refused(complaint)),
        None => Ok(rows),
    }
}
