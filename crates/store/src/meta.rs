//! What a store knows of itself.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};

/// What a store knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// From which the ids follow.
    pub salt: String,
    /// Grows with every restore (E9).
    pub epoch: i64,
}

/// One value; `None` when it was never written.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, key: &str) -> Result<Option<String>> {
    rows.one(sql!("meta/get"), &[key.into()], |row| row.text(0))
}

/// Writes one value.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, key: &str, value: &str) -> Result<()> {
    tx.put(sql!("meta/put"), &[key.into(), value.into()])
}

/// Reads what a store knows of itself; writes it with `seed` when it is new.
pub(crate) fn load_or_make(tx: &Tx, seed: [u8; 16]) -> Result<Meta> {
    crate::copy::refuse_unfinished(tx)?;
    if get(tx, "salt")?.is_none() {
        let salt: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        put(tx, "salt", &salt)?;
        put(tx, "epoch", "1")?;
    }
    let salt = get(tx, "salt")?.unwrap_or_default();
    let epoch = get(tx, "epoch")?.and_then(|text| text.parse().ok()).unwrap_or(1);
    Ok(Meta { salt, epoch })
}
