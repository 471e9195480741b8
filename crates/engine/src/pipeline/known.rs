//! What runs know of their pipeline: the graph that the door advances them by, and the definition that their stages are prepared with.

use crate::act::refusal_of;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tiltyard_model::pipeline::{Definition, read_kept};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::graph::Graph;
use tiltyard_store::{Rows, pipeline};

/// How many definitions are kept read.
const MAX_DEFINITIONS: usize = 64;
/// How large their texts are together at most, in bytes; what is read takes several times that.
const MAX_DEFINITIONS_BYTES: usize = 8 * 1024 * 1024;

/// The graph of a version, as it was kept: no definition is read for it, so that a run goes on by the rules it began with.
///
/// # Errors
/// When the store does not have it, or is broken.
pub fn graph(rows: &Rows, version: i64) -> Result<Graph, Refusal> {
    let kept =
        pipeline::graph(rows, version).map_err(refusal_of)?.ok_or_else(|| broken("it is not there"))?;
    serde_json::from_str(&kept).map_err(|error| broken(&error.to_string()))
}

fn broken(why: &str) -> Refusal {
    Refusal::new(Code::Internal, format!("the version of a pipeline cannot be used: {why}"))
}

/// Definitions that were read not long ago, by the keys of their versions, the last used first.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    version: i64,
    bytes: usize,
    definition: Arc<Definition>,
}

impl Definitions {
    /// The definition of a version. One that was not used lately is read again, which may take tens of milliseconds: never in the door.
    ///
    /// # Errors
    /// When the store does not have it, or is broken; when this program cannot read what another one kept.
    pub fn get(&self, rows: &Rows, version: i64) -> Result<Arc<Definition>, Refusal> {
        if let Some(found) = self.used(version) {
            return Ok(found);
        }
        let kept =
            pipeline::version(rows, version).map_err(refusal_of)?.ok_or_else(|| broken("it is not there"))?;
        let value = serde_json::from_str(&kept.canonical).map_err(|error| broken(&error.to_string()))?;
        let read = read_kept(&value).map_err(|mistakes| {
            let first = mistakes.first().map(|mistake| format!("{}: {}", mistake.field, mistake.error));
            broken(&first.unwrap_or_default())
        })?;
        let definition = Arc::new(read);
        self.put(version, kept.canonical.len(), &definition);
        Ok(definition)
    }

    fn used(&self, version: i64) -> Option<Arc<Definition>> {
        let mut entries = self.0.lock();
        let place = entries.iter().position(|entry| entry.version == version)?;
        let entry = entries.remove(place)?;
        let definition = Arc::clone(&entry.definition);
        entries.push_front(entry);
        Some(definition)
    }

    /// Keeps a definition that was just read.
    pub fn put(&self, version: i64, bytes: usize, definition: &Arc<Definition>) {
        let mut entries = self.0.lock();
        entries.retain(|entry| entry.version != version);
        entries.push_front(Entry { version, bytes, definition: Arc::clone(definition) });
        let mut all: usize = entries.iter().map(|entry| entry.bytes).sum();
        while entries.len() > MAX_DEFINITIONS || (all > MAX_DEFINITIONS_BYTES && entries.len() > 1) {
            all -= entries.pop_back().map_or(0, |last| last.bytes);
        }
    }
}
