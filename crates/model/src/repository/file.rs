//! Reads `.tiltyard.toml`, the rules at the root of a repository. A key that is not known is an error, so that
//! a typo does not silently leave a path unprotected; each error names its line and the nearest right name.

use super::settings::Settings;
use crate::nearest::nearest;
use serde::Deserialize;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Its name.
pub const NAME: &str = ".tiltyard.toml";
/// Largest file in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// Most errors that are told at once.
pub const MAX_FAULTS: usize = 20;

/// The keys, and for lists of tables the keys of their tables.
const KEYS: [(&str, &[&str]); 9] = [
    ("merge", &[]),
    ("auto_merge", &[]),
    ("checks", &["name", "argv", "timeout_ms"]),
    ("protected", &["path", "tier", "reason"]),
    ("rules", &["id", "paths", "tier", "reason"]),
    ("approvers", &[]),
    ("concurrency", &[]),
    ("fix_attempts", &[]),
    ("no_self_approval", &[]),
];

/// One error of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub error: String,
}

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFile(pub Vec<FileFault>);

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let joint = if place == 0 { "" } else { "; " };
            write!(f, "{joint}{NAME}:{}: {}", fault.line, fault.error)?;
        }
        Ok(())
    }
}

impl std::error::Error for BadFile {}

/// Reads the file.
///
/// # Errors
/// Every fault with its line, at most [`MAX_FAULTS`].
pub fn parse(text: &str) -> Result<Settings, BadFile> {
    if text.len() > MAX_FILE_BYTES {
        let error = format!("the file has more than {MAX_FILE_BYTES} bytes");
        return Err(BadFile(vec![FileFault { line: 1, error }]));
    }
    let table = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    let unknown = unknown_keys(text, table.get_ref());
    if !unknown.is_empty() {
        return Err(BadFile(unknown));
    }
    let typed = toml::de::Deserializer::from(table.clone());
    let settings = Settings::deserialize(typed).map_err(|error| syntax(text, &error))?;
    let mut faults: Vec<FileFault> = settings
        .faults()
        .into_iter()
        .map(|fault| {
            let line = line_of(text, span_of(&table, &fault.field).start);
            let key = fault.field.trim_start_matches('/').replace('/', ".");
            FileFault { line, error: format!("{key} {}", fault.error) }
        })
        .collect();
    faults.truncate(MAX_FAULTS);
    if faults.is_empty() { Ok(settings) } else { Err(BadFile(faults)) }
}

fn syntax(text: &str, error: &toml::de::Error) -> BadFile {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    BadFile(vec![FileFault { line, error: error.message().replace('\n', " ") }])
}

fn unknown_keys(text: &str, root: &DeTable<'_>) -> Vec<FileFault> {
    let mut faults = Vec::new();
    let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    look(text, root, &names, &mut faults);
    for (name, keys) in KEYS.iter().filter(|(_, keys)| !keys.is_empty()) {
        let Some(DeValue::Array(items)) = value_of(root, name).map(Spanned::get_ref) else { continue };
        for item in items.iter() {
            if let DeValue::Table(table) = item.get_ref() {
                look(text, table, keys, &mut faults);
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    faults.truncate(MAX_FAULTS);
    faults
}

fn look(text: &str, table: &DeTable<'_>, known: &[&str], faults: &mut Vec<FileFault>) {
    for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
        let name: String = key.get_ref().chars().take(64).collect();
        let hint = match nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let error = format!("there is no key `{name}`; {hint}");
        faults.push(FileFault { line: line_of(text, key.span().start), error });
    }
}

fn value_of<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// Where a JSON Pointer's value stands in the file; as much of the pointer as leads somewhere.
fn span_of(root: &Spanned<DeTable<'_>>, pointer: &str) -> Range<usize> {
    let mut parts = pointer.split('/').skip(1);
    let Some(mut value) = parts.next().and_then(|name| value_of(root.get_ref(), name)) else { return 0..0 };
    for part in parts {
        let inner = match value.get_ref() {
            DeValue::Table(table) => value_of(table, part),
            DeValue::Array(items) => part.parse().ok().and_then(|place: usize| items.get(place)),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
    }
    value.span()
}

fn line_of(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}
