//! How far a copy is, in the store that is filled: written with the rows that it tells of, and gone with the last ones. As long
//! as it is there, no server opens the store.

use super::cell::Cell;
use super::refused;
use crate::backend::sql;
use crate::error::{Error, Result};
use crate::meta;
use crate::rows::{Rows, Tx};
use serde::{Deserialize, Serialize};

/// The word of `meta` that it stands under.
pub(super) const MARK: &str = "copying";

/// How far a copy is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Of which store.
    pub(super) salt: String,
    /// The table that is under way; those before it are done. None when all are.
    pub(super) table: Option<String>,
    /// The key of the last row of it.
    pub(super) after: Vec<Cell>,
    /// Rows so far.
    pub(super) rows: u64,
    /// The schema of both stores. What a step of it fills in goes wrong where a part of the rows is there.
    #[serde(default)]
    pub(super) schema: i64,
}

impl Mark {
    pub(super) fn read(rows: &Rows) -> Result<Option<Self>> {
        let Some(text) = meta::get(rows, MARK)? else { return Ok(None) };
        let odd = |error: serde_json::Error| Error::Unreadable { statement: MARK, reason: error.to_string() };
        serde_json::from_str(&text).map(Some).map_err(odd)
    }

    pub(super) fn put(&self, tx: &Tx) -> Result<()> {
        meta::put(tx, MARK, &crate::name::json(self))
    }

    pub(super) fn remove(tx: &Tx) -> Result<()> {
        tx.put(sql!("meta/delete"), &[MARK.into()])
    }

    /// Nobody else copies into the same store.
    pub(super) fn is_mine(&self, rows: &Rows) -> Result<()> {
        if Self::read(rows)?.as_ref() == Some(self) {
            return Ok(());
        }
        Err(refused(
            "another copy writes into the same store: wait for its end, then run this again".to_owned(),
        ))
    }
}

/// The refusal of a store that is a copy and not finished.
pub(crate) fn refuse_unfinished(rows: &Rows) -> Result<()> {
    if meta::get(rows, MARK)?.is_none() {
        return Ok(());
    }
    let text = "the store is a copy that was not finished, so that much is missing in it: run the same `tiltyard store copy` again, \
                it goes on where it stopped";
    Err(refused(text.to_owned()))
}
