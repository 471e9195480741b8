//! Values on their way to PostgreSQL and back. Both ends know the type of each place: numbers fit themselves to it.

use super::queue::Queue;
use crate::backend::Value;
use rusqlite::types::ValueRef;
use std::error::Error as StdError;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

type Odd = Box<dyn StdError + Sync + Send>;

/// A column of a row, in the words that both databases share.
pub(crate) fn cell(row: &tokio_postgres::Row, place: usize) -> Result<ValueRef<'_>, tokio_postgres::Error> {
    row.try_get::<_, Cell<'_>>(place).map(|cell| cell.0)
}

struct Cell<'a>(ValueRef<'a>);

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Odd> {
        Ok(Self(match *ty {
            Type::INT8 => ValueRef::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => ValueRef::Integer(i64::from(i32::from_be_bytes(raw.try_into()?))),
            Type::INT2 => ValueRef::Integer(i64::from(i16::from_be_bytes(raw.try_into()?))),
            Type::BOOL => ValueRef::Integer(i64::from(raw != [0])),
            Type::FLOAT8 => ValueRef::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::BYTEA => ValueRef::Blob(raw),
            _ => ValueRef::Text(raw),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Odd> {
        Ok(Self(ValueRef::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8
                | Type::INT4
                | Type::INT2
                | Type::BOOL
                | Type::FLOAT8
                | Type::BYTEA
                | Type::TEXT
                | Type::VARCHAR
                | Type::NAME
        )
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Odd> {
        if let Kind::Array(item) = ty.kind() {
            list(item, std::iter::once(*self), out)?;
            return Ok(IsNull::No);
        }
        one(*self, ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One parameter of a statement that takes many rows at once: that place of each row.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) entries: &'a [usize],
    pub(crate) place: usize,
}

impl ToSql for Column<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Odd> {
        let Kind::Array(item) = ty.kind() else {
            return one(self.queue.value(self.entries[0], self.place), ty, out);
        };
        list(item, self.entries.iter().map(|entry| self.queue.value(*entry, self.place)), out)?;
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The binary form of a list: dimensions, whether it holds nothing anywhere, the type of its items, then the items.
fn list<'a>(
    item: &Type,
    values: impl ExactSizeIterator<Item = Value<'a>>,
    out: &mut BytesMut,
) -> Result<(), Odd> {
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&item.oid().to_be_bytes());
    out.extend_from_slice(&i32::try_from(values.len())?.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    for value in values {
        let at = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if matches!(one(value, item, out)?, IsNull::No) {
            let length = i32::try_from(out.len() - at - 4)?;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

fn one(value: Value<'_>, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Odd> {
    match (value, ty) {
        (Value::Null, _) => return Ok(IsNull::Yes),
        (Value::Int(value), &Type::INT8) => out.extend_from_slice(&value.to_be_bytes()),
        (Value::Int(value), &Type::INT4) => out.extend_from_slice(&i32::try_from(value)?.to_be_bytes()),
        (Value::Int(value), &Type::INT2) => out.extend_from_slice(&i16::try_from(value)?.to_be_bytes()),
        (Value::Int(value), &Type::FLOAT8) => out.extend_from_slice(&(value as f64).to_be_bytes()),
        (Value::Real(value), &Type::FLOAT8) => out.extend_from_slice(&value.to_be_bytes()),
        (Value::Text(value), &Type::TEXT | &Type::VARCHAR) => out.extend_from_slice(value.as_bytes()),
        (Value::Bytes(value), &Type::BYTEA) => out.extend_from_slice(value),
        (value, ty) => return Err(format!("{value:?} does not fit the type {ty}").into()),
    }
    Ok(IsNull::No)
}
