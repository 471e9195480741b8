//! Answers to requests with an `Idempotency-Key` (API5), in a window a day.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::time::{DAY_MS, TimeMs};

/// How long an answer is kept.
pub const KEPT_MS: i64 = DAY_MS;

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The digest of the request's body.
    pub body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
    /// The text of the answer.
    pub answer: String,
}

/// The answer kept for `key` (a digest of token, endpoint and key) within the last 24 h.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, key: &[u8], now: TimeMs) -> Result<Option<Kept>> {
    let parameters = [(now / DAY_MS).into(), key.into(), (now - KEPT_MS).into()];
    rows.one(sql!("idempotency/get"), &parameters, |row| {
        Ok(Kept { body: row.bytes(0)?, status: row.int(1)? as u16, answer: row.text(2)? })
    })
}

/// Keeps an answer.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, key: &[u8], kept: &Kept, now: TimeMs) -> Result<()> {
    let day = now / DAY_MS;
    let status = i64::from(kept.status);
    let parameters = [
        day.into(),
        key.into(),
        kept.body.as_slice().into(),
        now.into(),
        status.into(),
        (&kept.answer).into(),
    ];
    tx.put(sql!("idempotency/put"), &parameters)
}

/// Forgets the answer kept for `key`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: &[u8], now: TimeMs) -> Result<()> {
    tx.put(sql!("idempotency/delete"), &[(now / DAY_MS).into(), key.into()])
}

/// Forgets answers of windows that are past, at most `limit`; says how many.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn prune(tx: &Tx, now: TimeMs, limit: u32) -> Result<usize> {
    tx.run(sql!("idempotency/prune"), &[(now / DAY_MS - 1).into(), limit.into()])
}
