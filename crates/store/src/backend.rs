//! What a face sees of a database: statements by name, values, rows.

use crate::error::{Error, Result};
use crate::postgres::value::cell;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A statement: its name and its text for each database.
#[derive(Debug)]
pub(crate) struct Statement {
    /// `noun/verb`, as the file is called.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

impl Statement {
    /// Whether it may change a row of a shared store.
    pub(crate) fn writes(&self) -> bool {
        let mut lines = self.postgres.lines().map(str::trim_start).filter(|line| !line.starts_with("--"));
        let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
        !first.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
    }
}

/// The statement of `sqlite/<name>.sql` and `postgres/<name>.sql`.
macro_rules! sql {
    ($name:literal) => {{
        const STATEMENT: $crate::backend::Statement = $crate::backend::Statement {
            name: $name,
            sqlite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/postgres/", $name, ".sql")),
        };
        &STATEMENT
    }};
}
pub(crate) use sql;

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// A fraction.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

macro_rules! from {
    ($($ty:ty => |$value:ident| $make:expr;)+) => { $(impl<'a> From<$ty> for Value<'a> {
        fn from($value: $ty) -> Self { $make }
    })+ };
}
from! {
    i64 => |value| Value::Int(value);
    u32 => |value| Value::Int(i64::from(value));
    u8 => |value| Value::Int(i64::from(value));
    bool => |value| Value::Int(i64::from(value));
    f64 => |value| Value::Real(value);
    &'a str => |value| Value::Text(value);
    &'a String => |value| Value::Text(value);
    &'a [u8] => |value| Value::Bytes(value);
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    T: Into<Value<'a>>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(value),
            Self::Real(value) => ValueRef::Real(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// One row of an answer; columns by place, from 0.
pub(crate) struct Row<'a> {
    pub(crate) inner: Inner<'a>,
    pub(crate) statement: &'static str,
}

/// A row as its database gives it.
pub(crate) enum Inner<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    fn value(&self, place: usize) -> Result<ValueRef<'_>> {
        match self.inner {
            Inner::Sqlite(row) => row.get_ref(place).map_err(|error| self.odd(place, &error)),
            Inner::Postgres(row) => cell(row, place).map_err(|error| self.odd(place, &error)),
        }
    }

    #[cold]
    fn odd(&self, place: usize, error: &dyn std::error::Error) -> Error {
        self.unreadable(format!("column {place}: {error}"))
    }

    /// The refusal of a row that holds what no word stands for.
    pub(crate) fn unreadable(&self, reason: impl Into<String>) -> Error {
        Error::Unreadable { statement: self.statement, reason: reason.into() }
    }

    /// A number.
    pub(crate) fn int(&self, place: usize) -> Result<i64> {
        self.opt_int(place)?.ok_or_else(|| self.unreadable(format!("column {place} is empty")))
    }

    /// A number, or nothing.
    pub(crate) fn opt_int(&self, place: usize) -> Result<Option<i64>> {
        match self.value(place)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            _ => Err(self.unreadable(format!("column {place} is no number"))),
        }
    }

    /// A fraction, or nothing.
    pub(crate) fn opt_real(&self, place: usize) -> Result<Option<f64>> {
        match self.value(place)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value as f64)),
            ValueRef::Real(value) => Ok(Some(value)),
            _ => Err(self.unreadable(format!("column {place} is no number"))),
        }
    }

    /// Text.
    pub(crate) fn text(&self, place: usize) -> Result<String> {
        self.opt_text(place)?.ok_or_else(|| self.unreadable(format!("column {place} is empty")))
    }

    /// Text, or nothing.
    pub(crate) fn opt_text(&self, place: usize) -> Result<Option<String>> {
        match self.value(place)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.unreadable(format!("column {place} is no UTF-8"))),
            },
            _ => Err(self.unreadable(format!("column {place} is no text"))),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&self, place: usize) -> Result<Vec<u8>> {
        match self.value(place)? {
            ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
            _ => Err(self.unreadable(format!("column {place} holds no bytes"))),
        }
    }

    /// A JSON document as a type of ours; the default when the column is empty.
    pub(crate) fn json_or_default<T: serde::de::DeserializeOwned + Default>(
        &self,
        place: usize,
    ) -> Result<T> {
        match self.value(place)? {
            ValueRef::Null => Ok(T::default()),
            ValueRef::Text(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| self.unreadable(format!("column {place}: {error}"))),
            _ => Err(self.unreadable(format!("column {place} is no text"))),
        }
    }
}
