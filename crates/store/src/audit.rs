//! The audit record (D52): append only. Nothing here changes or deletes an entry.

use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use std::collections::HashMap;
use tiltyard_model::audit::{ActResult, Entry, Head, Severity};
use tiltyard_model::time::{TimeMs, parse_rfc3339, rfc3339};

/// Which entries to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Chains by name; `None` for all.
    pub chains: Option<Vec<String>>,
    /// The action.
    pub action: Option<String>,
    /// Who.
    pub actor: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// From this moment on.
    pub since: Option<TimeMs>,
    /// Before this moment.
    pub until: Option<TimeMs>,
}

/// Where a page lies, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Only entries before this (time, chain, seq); `None` from the newest.
    pub before: Option<(TimeMs, String, i64)>,
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Appends an entry to its chain.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn append(tx: &Tx, entry: &Entry) -> Result<()> {
    let detail = json(&entry.detail);
    let parameters = [
        (&entry.scope).into(),
        (entry.seq as i64).into(),
        parse_rfc3339(&entry.time).unwrap_or_default().into(),
        (&entry.actor).into(),
        (&entry.action).into(),
        (&entry.target).into(),
        entry.result.as_str().into(),
        entry.severity.as_str().into(),
        entry.client.as_deref().into(),
        entry.request_id.as_deref().into(),
        (&detail).into(),
        (&entry.prev_hash).into(),
        (&entry.hash).into(),
    ];
    tx.put(sql!("audit/append"), &parameters)?;
    let time = parse_rfc3339(&entry.time).unwrap_or_default();
    tx.put(sql!("audit/tally"), &[(&entry.scope).into(), (&entry.action).into(), time.into()])
}

/// The end of every chain.
///
/// # Errors
/// When the store is broken.
pub fn heads(rows: &Rows) -> Result<HashMap<String, Head>> {
    let found = rows.all(sql!("audit/heads"), &[], |row| {
        Ok((row.text(0)?, Head { seq: row.int(1)? as u64, hash: row.text(2)? }))
    })?;
    Ok(found.into_iter().collect())
}

/// Entries, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: &Window) -> Result<Vec<Entry>> {
    let chains = filter.chains.as_ref().map(json);
    let before = window.before.as_ref();
    let parameters = [
        chains.as_deref().into(),
        filter.action.as_deref().into(),
        filter.actor.as_deref().into(),
        filter.target.as_deref().into(),
        filter.since.into(),
        filter.until.into(),
        before.map(|(time, _, _)| *time).into(),
        before.map(|(_, chain, _)| chain.as_str()).into(),
        before.map(|(_, _, seq)| *seq).into(),
        window.limit.into(),
        window.offset.into(),
    ];
    rows.all(sql!("audit/page"), &parameters, entry_of)
}

/// How many entries there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let chains = filter.chains.as_ref().map(json);
    let parameters = [
        chains.as_deref().into(),
        filter.action.as_deref().into(),
        filter.actor.as_deref().into(),
        filter.target.as_deref().into(),
        filter.since.into(),
        filter.until.into(),
        limit.into(),
    ];
    Ok(rows.number(sql!("audit/count"), &parameters)? as u64)
}

/// At most `limit` entries of one chain after `seq`, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn chain(rows: &Rows, chain: &str, seq: i64, limit: u32) -> Result<Vec<Entry>> {
    rows.all(sql!("audit/chain"), &[chain.into(), seq.into(), limit.into()], entry_of)
}

/// How many entries of each action, with the first and last time: (action, count, first, last).
///
/// # Errors
/// When the store is broken.
pub fn stats(rows: &Rows, chains: Option<&[String]>) -> Result<Vec<(String, u64, TimeMs, TimeMs)>> {
    let chains = chains.map(|chains| json(&chains));
    rows.all(sql!("audit/stats"), &[chains.as_deref().into()], |row| {
        Ok((row.text(0)?, row.int(1)? as u64, row.int(2)?, row.int(3)?))
    })
}

fn entry_of(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        scope: row.text(0)?,
        seq: row.int(1)? as u64,
        time: rfc3339(row.int(2)?),
        actor: row.text(3)?,
        action: row.text(4)?,
        target: row.text(5)?,
        result: word::<ActResult>(row, 6)?,
        severity: word::<Severity>(row, 7)?,
        client: row.opt_text(8)?,
        request_id: row.opt_text(9)?,
        detail: row.json_or_default(10)?,
        prev_hash: row.text(11)?,
        hash: row.text(12)?,
    })
}

fn word<T: serde::de::DeserializeOwned>(row: &Row<'_>, place: usize) -> Result<T> {
    let text = row.text(place)?;
    serde_json::from_value(serde_json::Value::String(text)).map_err(|error| row.unreadable(error.to_string()))
}
