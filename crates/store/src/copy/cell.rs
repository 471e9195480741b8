//! A value on its way from one store to the other.

use crate::backend::Value;
use crate::error::{Error, Result};
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, a value a column.
pub(super) type Cells = Vec<Cell>;

impl Cell {
    pub(super) fn of(value: ValueRef<'_>, table: &'static str) -> Result<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Int(value),
            ValueRef::Real(value) => Self::Real(value),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(error) => return Err(Error::Unreadable { statement: table, reason: error.to_string() }),
            },
        })
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(value) => Value::Int(*value),
            Self::Real(value) => Value::Real(*value),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    /// Roughly what it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let own = match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Null | Self::Int(_) | Self::Real(_) => 0,
        };
        size_of::<Self>() + own
    }

    pub(super) fn is_text_with_nul(&self) -> bool {
        matches!(self, Self::Text(text) if text.contains('\0'))
    }

    /// What it is, then how long, then its bytes: no two rows are written alike.
    pub(super) fn digest_into(&self, sum: &mut Sha256) {
        let mut put = |kind: u8, bytes: &[u8]| {
            sum.update([kind]);
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        match self {
            Self::Null => put(0, &[]),
            Self::Int(value) => put(1, &value.to_be_bytes()),
            Self::Real(value) => put(2, &value.to_be_bytes()),
            Self::Text(text) => put(3, text.as_bytes()),
            Self::Bytes(bytes) => put(4, bytes),
        }
    }
}

/// A key as people read it.
pub(super) fn shown(key: &[Cell]) -> String {
    let one = |cell: &Cell| match cell {
        Cell::Null => String::new(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => hex::encode(bytes),
    };
    key.iter().map(one).collect::<Vec<_>>().join("/")
}
