//! A value of a row on its way between databases, which keeps its type even when it is NULL.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::tables::{Column, Kind};
use crate::StoreError;
use crate::engine::{Row, Value};

/// As [`Value`], and owned.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Int(Option<i64>),
    Text(Option<String>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Time(Option<Timestamp>),
}

impl Cell {
    /// The column at `index` of a row.
    pub(super) fn read(column: &Column, row: &Row<'_>, index: usize) -> Result<Self, StoreError> {
        Ok(match column.kind {
            Kind::Int | Kind::BigInt => Self::Int(row.get(index)?),
            Kind::Varchar(_) | Kind::Text => Self::Text(row.get(index)?),
            Kind::Bool => Self::Bool(row.get(index)?),
            Kind::Bytes => Self::Bytes(row.get(index)?),
            Kind::Time => Self::Time(row.get(index)?),
        })
    }

    /// A field of a fixture; `None` if it is of another type. A time without an offset is taken for UTC.
    pub(super) fn from_json(column: &Column, json: Json) -> Option<Self> {
        let text = |json| match json {
            Json::String(text) => Some(Some(text)),
            Json::Null => Some(None),
            _ => None,
        };
        Some(match (column.kind, json) {
            (Kind::Int | Kind::BigInt, Json::Null) => Self::Int(None),
            (Kind::Int | Kind::BigInt, json) => Self::Int(Some(json.as_i64()?)),
            (Kind::Bool, Json::Null) => Self::Bool(None),
            (Kind::Bool, json) => Self::Bool(Some(json.as_bool()?)),
            (Kind::Time, json) => Self::Time(match text(json)? {
                Some(text) => Some(read_time(&text)?),
                None => None,
            }),
            (Kind::Varchar(_) | Kind::Text, json) => Self::Text(text(json)?),
            (Kind::Bytes, _) => return None, // no model of Django's has any
        })
    }

    /// As a statement takes it.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Int(value) => Value::Int(*value),
            Self::Text(value) => Value::Text(value.as_deref()),
            Self::Bool(value) => Value::Bool(*value),
            Self::Bytes(value) => Value::Bytes(value.as_deref()),
            Self::Time(value) => Value::Time(*value),
        }
    }

    /// As fixtures have it, and as PostgreSQL reads it out of JSON.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Int(value) => (*value).into(),
            Self::Text(value) => value.clone().into(),
            Self::Bool(value) => (*value).into(),
            Self::Bytes(value) => value.as_deref().map(hexadecimal).into(),
            Self::Time(value) => value.map(time_text).into(),
        }
    }

    /// The number of a key or of a reference.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Int(value) => *value,
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(Some(value)) => value,
            _ => "",
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Int(None) | Self::Text(None) | Self::Bool(None) | Self::Bytes(None) | Self::Time(None)
        )
    }
}

fn read_time(text: &str) -> Option<Timestamp> {
    let in_utc = || Some(text.parse::<DateTime>().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(in_utc)
}

/// ISO 8601 as Python writes it, with six decimals or none.
fn time_text(time: Timestamp) -> String {
    let is_whole = time.subsec_microsecond() == 0;
    let format = if is_whole { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
    time.strftime(format).to_string()
}

/// As PostgreSQL reads bytes.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
