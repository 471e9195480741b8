//! Definitions before they enter the door: read, judged, and looked up in the scope.

use crate::act::refusal_of;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use tiltyard_model::pipeline::outside::{Outside, Sort, placed};
use tiltyard_model::pipeline::{Definition, MAX_DEFINITION_BYTES, Mistake, read, read_value};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_model::run::graph::Graph;
use tiltyard_store::Rows;
use tiltyard_store::{pipeline, repository};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many definitions are read at once; more wait their turn. Each may take tens of milliseconds of one processor.
const MAX_READINGS: usize = 2;
/// How many may wait; more are turned away.
const MAX_WAITING_READINGS: usize = 256;
/// How many mistakes a refusal's sentence tells; the rest is in its details.
const TOLD_MISTAKES: usize = 1;

static READINGS: Semaphore = Semaphore::const_new(MAX_READINGS);
static WAITING: Semaphore = Semaphore::const_new(MAX_WAITING_READINGS);

/// A definition as somebody sends it.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// YAML or JSON, as a text.
    Text(String),
    /// JSON inside of something else.
    Value(Value),
}

/// A definition that was read, with all that is kept of it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// As it was sent; the canonical form for one that was no text.
    pub source: String,
    /// Its canonical form (JSON).
    pub canonical: String,
    /// The SHA-256 of that, in hexadecimal digits.
    pub sha256: String,
    /// The definition.
    pub definition: Arc<Definition>,
    /// What runs of it are advanced by.
    pub graph: Arc<Graph>,
}

/// What a reading came to: a definition, or every mistake in it.
pub type Reading = Result<Arc<Checked>, Vec<Mistake>>;

/// Reads a definition, off the asynchronous threads.
///
/// # Errors
/// 503 when too many definitions are being read. Mistakes in this one are no error of the call.
pub async fn of(sent: Sent) -> Result<Reading, Refusal> {
    let busy =
        || Refusal::new(Code::Overloaded, "too many definitions are being read: try again in a moment");
    let _waiting = WAITING.try_acquire().map_err(|_| busy().retry_after(1_000))?;
    let _turn = READINGS.acquire().await.map_err(|_| busy())?;
    let work = spawn_blocking(move || checked(sent).map(Arc::new)).await;
    work.map_err(|error| Refusal::new(Code::Internal, format!("a reading broke off: {error}")))
}

/// The same where a definition with mistakes is of no use; `at` is where it stands in the request (JSON Pointer).
///
/// # Errors
/// 422 `pipeline_invalid` with every mistake; 503 when too many definitions are being read.
pub async fn valid(sent: Sent, at: &str) -> Result<Arc<Checked>, Refusal> {
    of(sent).await?.map_err(|mistakes| refused(mistakes, at))
}

fn checked(sent: Sent) -> Result<Checked, Vec<Mistake>> {
    let (definition, source) = match sent {
        Sent::Text(text) => (read(&text)?, Some(text)),
        Sent::Value(value) => (of_value(&value)?, None),
    };
    let canonical = definition.to_value().to_string();
    let sha256 = hex(&Sha256::digest(canonical.as_bytes()));
    let graph = Arc::new(Graph::of(&definition));
    let source = source.unwrap_or_else(|| canonical.clone());
    Ok(Checked { source, canonical, sha256, definition: Arc::new(definition), graph })
}

fn of_value(value: &Value) -> Result<Definition, Vec<Mistake>> {
    let bytes = value.to_string().len();
    if bytes > MAX_DEFINITION_BYTES {
        let error = format!("a definition has at most {MAX_DEFINITION_BYTES} bytes, this one has {bytes}");
        return Err(vec![Mistake { line: 0, column: 0, field: String::new(), error }]);
    }
    read_value(value)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The mistakes of a definition in a scope: pipelines and repositories that it names and that are not there. `own` is the name that it
/// will have itself.
///
/// # Errors
/// When the store is broken.
pub fn strangers(
    rows: &Rows,
    scope: &str,
    checked: &Checked,
    own: Option<&str>,
) -> Result<Vec<Mistake>, Refusal> {
    let mut looked: BTreeMap<(Sort, String), bool> = BTreeMap::new();
    let mut faults = Vec::new();
    for Outside { sort, name, field } in checked.definition.outside() {
        let is_own = sort == Sort::Pipeline && own == Some(name.as_str());
        let is_there = match looked.entry((sort, name.clone())) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => *place.insert(is_own || is_there(rows, scope, sort, &name)?),
        };
        if !is_there {
            faults.push(Fault { field, error: unknown(sort, &name) });
        }
    }
    Ok(placed(&checked.source, faults))
}

fn is_there(rows: &Rows, scope: &str, sort: Sort, name: &str) -> Result<bool, Refusal> {
    match sort {
        Sort::Pipeline => pipeline::get(rows, scope, name).map(|found| found.is_some()),
        Sort::Repository => repository::find(rows, scope, name).map(|found| found.is_some()),
    }
    .map_err(refusal_of)
}

fn unknown(sort: Sort, name: &str) -> String {
    let shown: String = name.chars().take(64).collect();
    match sort {
        Sort::Pipeline => format!("there is no pipeline `{shown}` in the scope: publish it first"),
        Sort::Repository => {
            format!("there is no repository `{shown}` in the scope: an admin can register it")
        }
    }
}

/// The refusal of a definition with mistakes; `at` is where it stands in the request (JSON Pointer).
pub fn refused(mistakes: Vec<Mistake>, at: &str) -> Refusal {
    let count = mistakes.len();
    let told: Vec<String> = mistakes.iter().take(TOLD_MISTAKES).map(sentence).collect();
    let (noun, rest) = if count == 1 { ("mistake", "") } else { ("mistakes", "; the first") };
    let message = format!("the definition has {count} {noun}{rest}: {}", told.join("; "));
    // Without a text there are no lines.
    let has_lines = mistakes.iter().any(|mistake| mistake.line > 0);
    let places =
        mistakes.iter().filter(|_| has_lines).map(|mistake| (mistake.line, mistake.column)).collect();
    let fault = |Mistake { field, error, .. }: Mistake| Fault { field: format!("{at}{field}"), error };
    let faults = mistakes.into_iter().map(fault).collect();
    Refusal { faults, places, ..Refusal::new(Code::PipelineInvalid, message) }
}

fn sentence(mistake: &Mistake) -> String {
    let Mistake { line, column, field, error } = mistake;
    match (line, field.is_empty()) {
        (0, true) => error.clone(),
        (0, false) => format!("{field}: {error}"),
        _ => format!("line {line}, column {column}: {error}"),
    }
}
