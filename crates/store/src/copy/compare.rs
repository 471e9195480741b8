//! Whether two stores hold the same: every row of every table, and whole audit chains.

use super::cell::{Cell, shown};
use super::refused;
use super::side::{Source, Target};
use super::size::Size;
use super::table::{TABLES, Table};
use super::{Progress, Table as Compared};
use crate::audit;
use crate::error::{Error, Result};
use crate::rows::Rows;
use sha2::{Digest, Sha256};
use tiltyard_model::audit::verify::Chain;

/// Entries of a chain that are read at once.
const ENTRIES_AT_ONCE: u32 = 1_000;

/// Compares every table, row by row, in the order of its key.
pub(super) fn all(source: &Source, target: &Target, tell: &mut dyn FnMut(Progress)) -> Result<Vec<Compared>> {
    TABLES.iter().map(|table| one(source, target, table, tell)).collect()
}

fn one(source: &Source, target: &Target, table: &Table, tell: &mut dyn FnMut(Progress)) -> Result<Compared> {
    let (mut sum, mut rows, mut size, mut after) = (Sha256::new(), 0, Size::default(), table.start());
    loop {
        let page = source.page(table, &after, size.rows())?;
        let copied = target.page(table, &after, size.rows())?;
        let key = table.key_places(&page.columns).unwrap_or_default();
        let of = |row: &Vec<Cell>| key.iter().map(|place| row[*place].clone()).collect::<Vec<_>>();
        if page != copied {
            let pairs = page.rows.iter().zip(&copied.rows).find(|(own, other)| own != other);
            let first = pairs.map(|(own, _)| own).or(page.rows.get(copied.rows.len())).map(of);
            let place =
                first.map_or_else(|| "behind the last one".to_owned(), |key| format!("at {}", shown(&key)));
            return Err(refused(format!(
                "the rows of {} are not the same, first {place}: one of the stores was written to since the copy began; \
                 --anew removes an unfinished copy and begins again",
                table.name
            )));
        }
        for row in &page.rows {
            row.iter().for_each(|cell| cell.digest_into(&mut sum));
        }
        let read = page.rows.len() as u64;
        rows += read;
        tell(Progress::Rows(read));
        let Some(last) = page.rows.last() else { break };
        after = of(last);
        size.learn(&page.rows);
    }
    let sha256 = hex::encode(sum.finalize());
    Ok(Compared { name: table.name, rows, sha256 })
}

/// Reads every audit chain back; gives how many there are, and what is wrong with those that are not whole.
pub(super) fn chains(rows: &Rows) -> Result<(usize, Vec<String>)> {
    let mut names: Vec<String> = audit::heads(rows)?.into_keys().collect();
    names.sort_unstable();
    let mut broken = Vec::new();
    for name in &names {
        broken.extend(chain_fault(rows, name)?.map(|fault| format!("{name}: {fault}")));
    }
    Ok((names.len(), broken))
}

fn chain_fault(rows: &Rows, name: &str) -> Result<Option<String>> {
    let mut chain = Chain::default();
    loop {
        let seq = chain.head().seq;
        let entries = match audit::chain(rows, name, seq as i64, ENTRIES_AT_ONCE) {
            Ok(entries) if entries.is_empty() => return Ok(None),
            Ok(entries) => entries,
            Err(Error::Unreadable { reason, .. }) => return Ok(Some(format!("after entry {seq}: {reason}"))),
            Err(error) => return Err(error),
        };
        for entry in entries {
            if let Err(bad) = chain.read(&entry.line()) {
                return Ok(Some(format!(
                    "entry {}: {}",
                    bad.seq.unwrap_or(seq),
                    bad.reason.unwrap_or_default()
                )));
            }
        }
    }
}
