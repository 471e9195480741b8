//! The values that expressions look up. Nothing is copied to be looked up: a document is read once for a stage, and each
//! of its ten thousand items looks at the same one.

use super::MAX_DOCUMENT_BYTES;
use super::expression::Path;
use super::names::INDEX;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a path leads, as far as whoever knows values says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beginning<'a> {
    /// Its first steps, so many of them, lead to this value; the others are gone from there.
    At(&'a Value, usize),
    /// Its first steps, so many of them, lead to something of so many bytes, which is more than can be looked up.
    TooLarge(u64, usize),
    /// Its first steps, so many of them, lead nowhere.
    Nowhere(usize),
}

/// Who knows the values that expressions look up.
pub trait Lookup {
    /// Where a path begins.
    fn begin<'s>(&'s self, path: &Path) -> Beginning<'s>;
}

/// An object with every name in it.
impl Lookup for Value {
    fn begin<'s>(&'s self, _: &Path) -> Beginning<'s> {
        Beginning::At(self, 0)
    }
}

/// What an output is to expressions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Put<'a> {
    Value(&'a Value),
    TooLarge(u64),
}

/// The names of a stage, each with where its value lies.
#[derive(Debug, Clone, Default)]
pub struct Values<'a> {
    roots: BTreeMap<&'a str, &'a Value>,
    states: BTreeMap<&'a str, Value>,
    outputs: BTreeMap<&'a str, BTreeMap<&'a str, Put<'a>>>,
}

impl<'a> Values<'a> {
    /// A name that stands alone: `input`, `run` (`{id, scope}`) or `feedback` (null, or
    /// `{gate, reason, patch, subject, by, round}`).
    pub fn root(&mut self, name: &'a str, value: &'a Value) {
        self.roots.insert(name, value);
    }

    /// How a stage ended: `stages.ID.state`.
    pub fn state(&mut self, stage: &'a str, state: crate::run::stage::State) {
        self.states.insert(stage, Value::from(state.as_str()));
    }

    /// An output: `stages.ID.outputs.NAME`.
    pub fn output(&mut self, stage: &'a str, name: &'a str, value: &'a Value) {
        self.outputs.entry(stage).or_default().insert(name, Put::Value(value));
    }

    /// An output of more than [`MAX_DOCUMENT_BYTES`]: who looks it up hears how large it is.
    pub fn too_large(&mut self, stage: &'a str, name: &'a str, bytes: u64) {
        self.outputs.entry(stage).or_default().insert(name, Put::TooLarge(bytes));
    }

    fn stage(&self, path: &Path) -> Option<Beginning<'_>> {
        let id = path.name(1)?;
        match path.name(2)? {
            "state" => self.states.get(id).map(|state| Beginning::At(state, 3)),
            "outputs" => self.outputs.get(id)?.get(path.name(3)?).map(|put| match put {
                Put::Value(value) => Beginning::At(value, 4),
                Put::TooLarge(bytes) => Beginning::TooLarge(*bytes, 4),
            }),
            _ => None,
        }
    }
}

impl Lookup for Values<'_> {
    fn begin<'s>(&'s self, path: &Path) -> Beginning<'s> {
        let steps = path.steps.len();
        match path.name(0) {
            Some("stages") => self.stage(path).unwrap_or(Beginning::Nowhere(steps.min(4))),
            Some(name) => self.roots.get(name).map_or(Beginning::Nowhere(1), |value| Beginning::At(value, 1)),
            None => Beginning::Nowhere(steps.min(1)),
        }
    }
}

/// The names of one item of a `foreach`: those of its stage, the item, and its number.
#[derive(Clone)]
pub struct ItemValues<'a> {
    stage: &'a dyn Lookup,
    name: &'a str,
    item: &'a Value,
    index: Value,
}

impl<'a> ItemValues<'a> {
    /// Those of the stage with what `as` calls the item.
    pub fn new(stage: &'a dyn Lookup, name: &'a str, item: &'a Value, index: u32) -> Self {
        Self { stage, name, item, index: Value::from(index) }
    }
}

impl Lookup for ItemValues<'_> {
    fn begin<'s>(&'s self, path: &Path) -> Beginning<'s> {
        match path.name(0) {
            Some(name) if name == self.name => Beginning::At(self.item, 1),
            Some(INDEX) => Beginning::At(&self.index, 1),
            _ => self.stage.begin(path),
        }
    }
}

/// What is said of something too large to be looked up.
pub(super) fn too_large(what: &str, bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    let size = if bytes < 2 * MIB { format!("{bytes} bytes") } else { format!("{} MiB", bytes / MIB) };
    format!(
        "{what} has {size}, and expressions look up at most {MAX_DOCUMENT_BYTES} bytes; hand it on whole, with `files` of a \
         command"
    )
}

/// What a stage looks up when it begins: what must be read for it, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed<'a> {
    /// Names that stand alone: `input`, `run`, `feedback`, also those of an item.
    pub roots: Vec<&'a str>,
    /// Stages whose state it looks up.
    pub states: Vec<&'a str>,
    /// Outputs of other stages whose value it looks up, as `(stage, output)`.
    pub outputs: Vec<(&'a str, &'a str)>,
    /// Outputs of other stages that it hands on as they are, whatever their size.
    pub files: Vec<(&'a str, &'a str)>,
}

impl<'a> Needed<'a> {
    pub(super) fn of(paths: impl Iterator<Item = &'a Path>, files: Vec<(&'a str, &'a str)>) -> Self {
        let mut needed = Self { files, ..Self::default() };
        for path in paths {
            match (path.name(0), path.name(1), path.name(2), path.name(3)) {
                (Some("stages"), Some(stage), Some("state"), _) => needed.states.push(stage),
                (Some("stages"), Some(stage), Some("outputs"), Some(name)) => {
                    needed.outputs.push((stage, name));
                }
                (Some(root), ..) if root != "stages" => needed.roots.push(root),
                _ => {}
            }
        }
        once(&mut needed.roots);
        once(&mut needed.states);
        once(&mut needed.outputs);
        once(&mut needed.files);
        needed
    }
}

fn once<T: Ord>(all: &mut Vec<T>) {
    all.sort_unstable();
    all.dedup();
}

#[cfg(test)]
mod tests;
