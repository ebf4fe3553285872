//! What the columns of both engines are read as, and how values are written into them.

use std::error::Error;

use bytes::BytesMut;
use countersign_domain::{UserId, UserIdKind};
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::engine::{Column, Value};
use crate::timestamp::{from_text, to_text};

/// Microseconds from 1970 to 2000, the epoch of PostgreSQL.
const EPOCH_OF_POSTGRES: i64 = 946_684_800_000_000;

impl Value<'_> {
    /// The type under which PostgreSQL takes it; the server converts it to the column's where that is narrower.
    pub(crate) fn postgres_type(&self) -> Type {
        match self {
            Self::Int(_) | Self::User(Some(UserId::Number(_))) => Type::INT8,
            Self::User(Some(UserId::Uuid(_))) => Type::UUID,
            Self::User(None) => Type::UNKNOWN, // the server knows what kind of key is compared with it
            Self::Text(_) => Type::TEXT,
            Self::Bool(_) => Type::BOOL,
            Self::Bytes(_) => Type::BYTEA,
            Self::Time(_) => Type::TIMESTAMPTZ,
            Self::Users(UserIdKind::Number, _) | Self::Ints(_) => Type::INT8_ARRAY,
            Self::Users(UserIdKind::Uuid, _) => Type::UUID_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            Self::Int(Some(value)) | Self::User(Some(UserId::Number(value))) => {
                ToSqlOutput::Owned(Owned::Integer(value))
            }
            // What Django's UUIDField keeps on SQLite.
            Self::User(Some(UserId::Uuid(value))) => {
                ToSqlOutput::Owned(Owned::Text(value.simple().to_string()))
            }
            Self::Text(Some(value)) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Self::Bool(Some(value)) => ToSqlOutput::Owned(Owned::Integer(value.into())),
            Self::Bytes(Some(value)) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Self::Time(Some(value)) => ToSqlOutput::Owned(Owned::Text(to_text(value))),
            Self::Int(None)
            | Self::Text(None)
            | Self::Bool(None)
            | Self::Bytes(None)
            | Self::User(None)
            | Self::Time(None) => ToSqlOutput::Owned(Owned::Null),
            Self::Users(..) | Self::Ints(_) | Self::Texts(_) => {
                return Err(rusqlite::Error::ToSqlConversionFailure("SQLite has no arrays".into()));
            }
        })
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Value(..)") // it may be a secret
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(value) => ToSql::to_sql(value, of, out),
            Self::Text(value) => ToSql::to_sql(value, of, out),
            Self::Bool(value) => ToSql::to_sql(value, of, out),
            Self::Bytes(value) => ToSql::to_sql(value, of, out),
            Self::User(Some(UserId::Number(value))) => ToSql::to_sql(value, of, out),
            Self::User(Some(UserId::Uuid(value))) => {
                out.extend_from_slice(value.as_bytes());
                Ok(IsNull::No)
            }
            Self::User(None) => Ok(IsNull::Yes),
            Self::Time(value) => {
                let since = value.map(|time| time.as_microsecond().saturating_sub(EPOCH_OF_POSTGRES));
                ToSql::to_sql(&since, &Type::INT8, out) // its binary form
            }
            Self::Users(_, values) => {
                let values: Vec<_> = values.iter().copied().map(Value::User).collect();
                ToSql::to_sql(&values, of, out)
            }
            Self::Ints(values) => ToSql::to_sql(values, of, out),
            Self::Texts(values) => ToSql::to_sql(values, of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // each is sent under a type of its own choice
    }

    to_sql_checked!();
}

impl Column for i64 {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        row.get(index)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, AnyInt>(index).map(|AnyInt(number)| number)
    }
}

impl Column for u32 {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        row.get(index)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, SmallInt>(index).map(|SmallInt(number)| number)
    }
}

impl Column for bool {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        row.get(index)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(index)
    }
}

impl Column for String {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        row.get(index)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(index)
    }
}

impl Column for Vec<u8> {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        row.get(index)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(index)
    }
}

/// The key of a user, of whichever kind the column holds.
impl Column for UserId {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        match row.get_ref(index)? {
            ValueRef::Text(text) => str::from_utf8(text).ok().and_then(Self::parse_uuid).ok_or_else(|| {
                let why = "a user's key that is no UUID".into();
                rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, why)
            }),
            _ => row.get(index).map(Self::Number),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, AnyKey>(index).map(|AnyKey(id)| id)
    }
}

/// A column of Django's.
impl Column for Timestamp {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        from_text(index, row.get_ref(index)?.as_str()?)
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, Time>(index).map(|Time(time)| time)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
        match row.get_ref(index)? {
            ValueRef::Null => Ok(None),
            _ => T::from_sqlite(row, index).map(Some),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        match row.try_get::<_, Option<Anything>>(index)? {
            None => Ok(None),
            Some(Anything) => T::from_postgres(row, index).map(Some),
        }
    }
}

/// An integer of any width: Django's keys of users have four bytes, those of tokens eight.
struct AnyInt(i64);

impl<'a> FromSql<'a> for AnyInt {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *of {
            Type::INT2 => i16::from_sql(of, raw)?.into(),
            Type::INT4 => i32::from_sql(of, raw)?.into(),
            _ => i64::from_sql(of, raw)?,
        }))
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

/// The key of a user.
struct AnyKey(UserId);

impl<'a> FromSql<'a> for AnyKey {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if *of == Type::UUID {
            return Ok(Self(UserId::Uuid(Uuid::from_slice(raw)?)));
        }
        AnyInt::from_sql(of, raw).map(|AnyInt(number)| Self(UserId::Number(number)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID || <AnyInt as FromSql>::accepts(of)
    }
}

/// A number that fits 32 bits.
struct SmallInt(u32);

impl<'a> FromSql<'a> for SmallInt {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let AnyInt(number) = AnyInt::from_sql(of, raw)?;
        Ok(Self(u32::try_from(number)?))
    }

    fn accepts(of: &Type) -> bool {
        <AnyInt as FromSql>::accepts(of)
    }
}

/// `timestamp with time zone`.
struct Time(Timestamp);

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let since = i64::from_sql(&Type::INT8, raw)?;
        let microseconds = since.checked_add(EPOCH_OF_POSTGRES).ok_or("a time that is no time")?;
        Ok(Self(Timestamp::from_microsecond(microseconds)?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

/// Whatever is there, so long as something is.
pub(crate) struct Anything;

impl Column for Anything {
    fn from_sqlite(_: &rusqlite::Row<'_>, _: usize) -> rusqlite::Result<Self> {
        Ok(Self)
    }

    fn from_postgres(_: &tokio_postgres::Row, _: usize) -> Result<Self, tokio_postgres::Error> {
        Ok(Self)
    }
}

impl<'a> FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
