//! The settings file: found, read, and flattened into keys with the line of each.

use super::environment::Environment;
use super::key::{KEYS, find, is_group, nearest};
use super::origin::{BadSetting, Origin};
use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of the file in a folder.
pub const FILE_NAME: &str = "tiltyard.toml";
/// Largest settings file in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// One value of the file.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The file that counts: the named one, else `./tiltyard.toml`, else the one in the folder for settings.
pub fn locate(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(environment.absolute(named));
    }
    let here = environment.folder.join(FILE_NAME);
    let there = environment.config_folder().map(|folder| folder.join(FILE_NAME));
    [Some(here), there].into_iter().flatten().find(|path| path.is_file())
}

/// Reads and flattens the file.
pub(super) fn read(path: &Path) -> (Vec<Entry>, Vec<BadSetting>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) if text.len() <= MAX_FILE_BYTES => text,
        Ok(_) => return (Vec::new(), vec![bad(path, 1, format!("is larger than {MAX_FILE_BYTES} bytes"))]),
        Err(error) => return (Vec::new(), vec![bad(path, 1, format!("cannot be read: {error}"))]),
    };
    let mut flat = Flat { path, text: &text, entries: Vec::new(), bad: Vec::new() };
    match DeTable::parse(&text) {
        Ok(table) => flat.table("", table.get_ref()),
        Err(error) => {
            let line = flat.line(error.span().unwrap_or_default());
            flat.bad.push(bad(path, line, format!("is not TOML: {}", error.message())));
        }
    }
    (flat.entries, flat.bad)
}

fn bad(path: &Path, line: usize, message: String) -> BadSetting {
    BadSetting { origin: Origin::File { path: path.to_owned(), line }, message }
}

struct Flat<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
    bad: Vec<BadSetting>,
}

impl Flat<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name_text = name.get_ref().as_ref();
            let path = if above.is_empty() { name_text.to_owned() } else { format!("{above}.{name_text}") };
            self.entry(path, name.span(), value);
        }
    }

    fn entry(&mut self, path: String, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let line = self.line(span);
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => self.table(&path, table),
            DeValue::Table(_) if is_group(&path) => {}
            _ if find(&path).is_none() => self.bad.push(bad(self.path, line, unknown(&path))),
            value => {
                let origin = Origin::File { path: self.path.to_owned(), line };
                self.entries.push(Entry { path, value: json(value), origin });
            }
        }
    }
}

fn unknown(path: &str) -> String {
    if is_group(path) {
        return format!("`{path}` is a group of settings, not a value: write it as [{path}]");
    }
    let near = nearest(path, KEYS.iter().map(|key| key.path.as_str())).unwrap_or_default();
    format!("there is no setting `{path}`; the nearest is `{near}`")
}

/// Dates have no setting, so they become texts that the setting's type refuses.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| Value::from(number.as_str()), Value::from)
        }
        DeValue::Boolean(yes) => Value::from(*yes),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(name, item)| (name.get_ref().to_string(), json(item.get_ref()))).collect()
        }
    }
}
