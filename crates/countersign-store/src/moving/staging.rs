//! A fixture of Django's, read as a stream into a private temporary database of SQLite, which is gone with its
//! connection.
//!
//! Keys may be numbers or natural keys, as `--natural-foreign` and `--natural-primary` write them. As there, what a
//! natural key names comes before what refers to it; references by number may be in any order, and are looked at
//! afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{BufReader, Read};

use rusqlite::Connection;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::cell::Cell;
use super::inserts::into_sqlite;
use super::tables::{CONTENT_TYPES, Column, MANY, MODELS, PERMISSIONS, Table};
use super::{MoveError, other_users};
use crate::StoreError;
use crate::engine::Value;
use crate::sqlite;

const TABLES: &str = include_str!("../../../../migrations/sqlite/0001_django_tables.sql");

/// An object of a fixture.
#[derive(serde::Deserialize)]
struct Object {
    model: String,
    #[serde(default)]
    pk: Json,
    fields: Map<String, Json>,
}

/// The temporary database, and what the objects so far have told.
struct Staging {
    connection: Connection,
    /// Names of the permissions that every database of ours has, which a fixture need not bring.
    known: HashMap<(String, String, String), String>,
    left_out: BTreeMap<String, u64>,
    /// Models of which an object had no number for its key.
    without_number: BTreeSet<&'static str>,
    /// Models that were referred to by number.
    referred_by_number: BTreeSet<&'static str>,
    refusal: Option<MoveError>,
}

/// The rows of a fixture, and how many objects of other models there were.
pub(super) fn stage(fixture: impl Read) -> Result<(Connection, BTreeMap<String, u64>), MoveError> {
    let mut staging = Staging::new()?;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, fixture));
    let read = Objects(&mut staging).deserialize(&mut reader).and_then(|()| reader.end());
    if let Some(refusal) = staging.refusal {
        return Err(refusal);
    }
    match read {
        Ok(()) => staging.finish(),
        Err(error) if error.is_io() => Err(MoveError::File(error.into())),
        Err(error) => {
            Err(MoveError::Refused(format!("not a fixture as Django's dumpdata writes one: {error}")))
        }
    }
}

/// A list whose elements are stored one by one.
struct Objects<'a>(&'a mut Staging);

impl<'de> DeserializeSeed<'de> for Objects<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects with model, pk and fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(object) = sequence.next_element::<Object>()? {
            if let Err(refusal) = self.0.store(object) {
                self.0.refusal = Some(refusal);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

impl Staging {
    fn new() -> Result<Self, MoveError> {
        let connection = Connection::open("").map_err(StoreError::from)?;
        let prepare = |sql: &str| connection.execute_batch(sql).map_err(StoreError::from);
        prepare(
            "PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN",
        )?;
        prepare(TABLES)?;
        let sql = "SELECT p.codename, t.app_label, t.model, p.name
                     FROM auth_permission AS p JOIN django_content_type AS t ON t.id = p.content_type_id";
        let known = sqlite::all(&connection, sql, &[], |row| {
            Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get::<String>(3)?))
        })?;
        prepare("DELETE FROM auth_permission; DELETE FROM django_content_type; DELETE FROM sqlite_sequence")?;
        Ok(Self {
            connection,
            known: known.into_iter().collect(),
            left_out: BTreeMap::new(),
            without_number: BTreeSet::new(),
            referred_by_number: BTreeSet::new(),
            refusal: None,
        })
    }

    fn finish(self) -> Result<(Connection, BTreeMap<String, u64>), MoveError> {
        if let Some(model) = self.without_number.intersection(&self.referred_by_number).next() {
            return Err(MoveError::Refused(format!(
                "the file refers to {model} by number, and leaves the numbers of {model} out; dump it with \
                 --natural-foreign too, or without --natural-primary"
            )));
        }
        self.connection.execute_batch("COMMIT").map_err(StoreError::from)?;
        Ok((self.connection, self.left_out))
    }

    fn store(&mut self, object: Object) -> Result<(), MoveError> {
        let model = object.model.to_ascii_lowercase();
        let Some(table) = MODELS.into_iter().find(|table| table.model == model) else {
            if object.fields.contains_key("password") && object.fields.contains_key("last_login") {
                return Err(MoveError::Refused(other_users(&model)));
            }
            *self.left_out.entry(model).or_default() += 1;
            return Ok(());
        };
        let named = match &object.pk {
            Json::Null => table.model.to_owned(),
            pk => format!("{} {pk}", table.model),
        };
        self.insert(table, object).map_err(|error| match error {
            MoveError::Refused(why) => MoveError::Refused(format!("{named}: {why}")),
            other => other,
        })
    }

    fn insert(&mut self, table: &'static Table, object: Object) -> Result<(), MoveError> {
        let Object { pk, mut fields, .. } = object;
        if pk.is_null() {
            self.without_number.insert(table.model);
        }
        let number = pk.as_i64();
        if number.is_none() && !pk.is_null() {
            return refused("its pk is no whole number");
        }
        let mut row = vec![Cell::Int(number)];
        for column in table.columns.iter().skip(1) {
            let Some(json) = fields.shift_remove(column.field()) else {
                return refused(format!("{} is missing", column.field()));
            };
            row.push(self.cell(column, json)?);
        }
        let many: Vec<_> = MANY
            .iter()
            .filter(|many| many.model == table.model)
            .filter_map(|many| Some((many, fields.shift_remove(many.field)?)))
            .collect();
        if let Some(unknown) = fields.keys().next() {
            return refused(format!("{unknown} is no field of {} in Django 5.2", table.model));
        }
        if self.is_there(table, &row)? {
            return Ok(());
        }
        check(table, &row)?;
        let id = self.add(table, &row)?;
        for (many, keys) in many {
            let Json::Array(keys) = keys else { return refused(format!("{} is no list", many.field)) };
            for key in keys {
                let [_, _, column] = many.table.columns else { continue };
                let to = self.cell(column, key)?;
                self.add(many.table, &[Cell::Int(None), Cell::Int(Some(id)), to])?;
            }
        }
        Ok(())
    }

    /// A natural key may have brought a row already whose own object comes without a number.
    fn is_there(&self, table: &Table, row: &[Cell]) -> Result<bool, MoveError> {
        let [Cell::Int(None), one, two, ..] = row else { return Ok(false) };
        let sql = match table.model {
            "contenttypes.contenttype" => {
                "SELECT id FROM django_content_type WHERE app_label = $1 AND model = $2"
            }
            "auth.permission" => {
                "SELECT id FROM auth_permission WHERE content_type_id = $1 AND codename = $2"
            }
            _ => return Ok(false),
        };
        Ok(self.find(sql, &[one.value(), two.value()])?.is_some())
    }

    fn add(&self, table: &Table, row: &[Cell]) -> Result<i64, MoveError> {
        let values: Vec<Value<'_>> = row.iter().map(Cell::value).collect();
        match sqlite::execute(&self.connection, into_sqlite(table), &values) {
            Ok(_) => Ok(self.connection.last_insert_rowid()),
            Err(StoreError::NotUnique) => {
                refused(format!("another one in the file has {}; remove one of them", table.unique))
            }
            Err(StoreError::Statement(error)) if error.to_string().contains("UNIQUE") => {
                refused("another one in the file has the same pk; remove one of them")
            }
            Err(error) => Err(error.into()),
        }
    }

    fn cell(&mut self, column: &Column, json: Json) -> Result<Cell, MoveError> {
        match (column.refers_to, json) {
            (Some(model), Json::Array(key)) => self.resolve(model, &key).map(|id| Cell::Int(Some(id))),
            (refers_to, json) => {
                self.referred_by_number.extend(refers_to.filter(|_| !json.is_null()));
                let unfit = || format!("{} is {json}, which is of another type", column.field());
                Cell::from_json(column, json.clone()).ok_or_else(|| MoveError::Refused(unfit()))
            }
        }
    }

    /// The id of what a natural key names.
    fn resolve(&mut self, model: &str, key: &[Json]) -> Result<i64, MoveError> {
        let texts: Option<Vec<&str>> = key.iter().map(Json::as_str).collect();
        let found = match (model, texts.as_deref()) {
            ("auth.user", Some([name])) => {
                self.find("SELECT id FROM auth_user WHERE username = $1", &[(*name).into()])?
            }
            ("auth.group", Some([name])) => {
                self.find("SELECT id FROM auth_group WHERE name = $1", &[(*name).into()])?
            }
            ("contenttypes.contenttype", Some([label, of])) => Some(self.content_type(label, of)?),
            ("auth.permission", Some([codename, label, of])) => self.permission(codename, label, of)?,
            _ => None,
        };
        let shown = || Json::Array(key.to_vec()).to_string();
        found.ok_or_else(|| {
            MoveError::Refused(format!(
                "it refers to {model} {}, which does not come before it in the file; dump {model} too",
                shown()
            ))
        })
    }

    /// Added if it is not there: its key says all about it.
    fn content_type(&self, label: &str, model: &str) -> Result<i64, MoveError> {
        let sql = "SELECT id FROM django_content_type WHERE app_label = $1 AND model = $2";
        if let Some(id) = self.find(sql, &[label.into(), model.into()])? {
            return Ok(id);
        }
        let text = |text: &str| Cell::Text(Some(text.to_owned()));
        self.add(&CONTENT_TYPES, &[Cell::Int(None), text(label), text(model)])
    }

    /// Added if it is one that every database of ours has, so that its name is known.
    fn permission(&self, codename: &str, label: &str, model: &str) -> Result<Option<i64>, MoveError> {
        let of = self.content_type(label, model)?;
        let sql = "SELECT id FROM auth_permission WHERE content_type_id = $1 AND codename = $2";
        if let Some(id) = self.find(sql, &[of.into(), codename.into()])? {
            return Ok(Some(id));
        }
        let key = (codename.to_owned(), label.to_owned(), model.to_owned());
        let Some(name) = self.known.get(&key) else { return Ok(None) };
        let (codename, name) = (Cell::Text(Some(key.0)), Cell::Text(Some(name.clone())));
        self.add(&PERMISSIONS, &[Cell::Int(None), Cell::Int(Some(of)), codename, name]).map(Some)
    }

    fn find(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<i64>, MoveError> {
        Ok(sqlite::first(&self.connection, sql, values, |row| row.get(0))?)
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, MoveError> {
    Err(MoveError::Refused(why.into()))
}

fn check(table: &Table, row: &[Cell]) -> Result<(), MoveError> {
    let mut columns = table.columns.iter().zip(row).skip(1); // a key may be yet to come
    match columns.find_map(|(column, cell)| column.why_not(cell)) {
        Some(why) => refused(why),
        None => Ok(()),
    }
}
