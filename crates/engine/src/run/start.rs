//! A run comes into being (D20, D21): what it names is looked up and its input is judged outside of the door; the deed
//! writes its rows, and what needs nothing is to begin.

use super::advance::{News, advance};
use super::pins::pins;
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::memory::run::{Live, MAX_LIVE_RUNS, MAX_LIVE_STAGES};
use crate::pipeline::reading::{self, Checked, Sent};
use crate::pipeline::{self};
use crate::scope::may_name;
use crate::{Engine, Pass, Urgency};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use tiltyard_model::audit::Action;
use tiltyard_model::event::RunCreated;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::{Definition, MAX_INPUT_BYTES};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::run::graph::Graph;
use tiltyard_model::run::{Outcome, Part, Run, State, Stops};
use tiltyard_model::schema::{Schema, filled};
use tiltyard_model::task::admission::MAX_TITLE_CHARS;
use tiltyard_store::Rows;
use tiltyard_store::run::{self as rows, Found, Insert, Made, Pins, Slot, Standing};

/// Most artifacts that an input names and that are kept because of it.
pub const MAX_INPUT_ARTIFACTS: usize = 1_000;

/// Which definition is run.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// One that was published.
    Named {
        /// Its name.
        name: String,
        /// Its number; the newest where none is named.
        number: Option<i64>,
    },
    /// One that comes along.
    Sent(Sent),
}

/// A run as somebody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The scope.
    pub scope: String,
    /// Which definition.
    pub which: Which,
    /// Its input; an empty object where there is none.
    pub input: Option<Value>,
    /// One line for people.
    pub title: Option<String>,
}

/// Where the definition of a new run lies.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the store, by the key of its version.
    Kept(i64),
    /// Nowhere yet.
    New(Arc<Checked>),
}

/// Why a run begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// Somebody asks for it.
    Request,
    /// A slot of a schedule has come.
    Slot {
        /// The slot.
        slot: Slot,
        /// Who saved the schedule: whoever its gates take for the submitter.
        submitter: String,
    },
    /// It is a part of another run.
    Stage {
        /// That run.
        parent: i64,
        /// Which part.
        part: Part,
    },
}

/// Whether a new run begins at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At once.
    Now,
    /// When the run of its schedule before it is over.
    Later,
}

/// A run that may be started: everything about it was looked at.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its scope.
    pub scope: String,
    /// Its definition.
    pub source: Source,
    /// What it is advanced by.
    pub graph: Arc<Graph>,
    /// The digest of the canonical form of its definition.
    pub sha256: String,
    /// The name that it was started by, and the number that the name had then.
    pub pipeline: Option<(String, i64)>,
    /// One line for people.
    pub title: Option<String>,
    /// Its input, judged and filled, as JSON text.
    pub input: String,
    /// Artifacts that the input names.
    pub artifacts: Vec<Id>,
    /// The versions of pipelines that its stages call.
    pub pins: Pins,
    /// Why.
    pub cause: Cause,
    /// Whether it begins at once.
    pub begin: Begin,
}

impl Engine {
    /// Starts a run and gives it.
    ///
    /// # Errors
    /// 403 `scope_forbidden`, `queue_forbidden`; 422 `unknown_scope`, `unknown_pipeline`, `pipeline_invalid`, and `invalid`
    /// for an input that does not meet the schema; 503 `overloaded`, `storage_low`.
    pub async fn start_run(&self, pass: Pass, asked: Asked) -> Result<Found, Refusal> {
        let ready = self.ready_run(&pass.caller, asked).await?;
        self.enter(pass, Urgency::Normal, move |act| started(act, &ready)).await
    }

    /// Looks at everything that a run needs, outside of the door; [`started`] then starts it.
    ///
    /// # Errors
    /// As [`Engine::start_run`].
    pub async fn ready_run(&self, caller: &Caller, asked: Asked) -> Result<Start, Refusal> {
        may_start(caller, &asked.scope)?;
        let Asked { scope, which, input, title } = asked;
        admit_title(title.as_deref())?;
        let checked = match &which {
            Which::Named { .. } => None,
            Which::Sent(sent) => Some(reading::valid(sent.clone(), "/definition").await?),
        };
        let definitions = Arc::clone(self.definitions());
        let ready = move |rows: &Rows| {
            let (source, definition, found) = match (checked, which) {
                (Some(checked), _) => {
                    let strangers = reading::strangers(rows, &scope, &checked, None)?;
                    if !strangers.is_empty() {
                        return Err(reading::refused(strangers, "/definition"));
                    }
                    let definition = Arc::clone(&checked.definition);
                    (Source::New(Arc::clone(&checked)), definition, (None, checked.sha256.clone()))
                }
                (None, Which::Named { name, number }) => {
                    let found = published(rows, (&scope, &name), number)?;
                    let definition = definitions.get(rows, found.version)?;
                    (Source::Kept(found.version), definition, (Some((name, found.number)), found.sha256))
                }
                (None, Which::Sent(_)) => return Err(Refusal::field("/definition", "could not be read")),
            };
            let (pipeline, sha256) = found;
            let graph = match &source {
                Source::Kept(version) => Arc::new(pipeline::known::graph(rows, *version)?),
                Source::New(checked) => Arc::clone(&checked.graph),
            };
            let input = judged(&definition, input)?;
            let pins = pins(rows, &definitions, &scope, &definition)?;
            let artifacts = artifacts_in(&input);
            let input = input.to_string();
            let (cause, begin) = (Cause::Request, Begin::Now);
            Ok(Start { scope, source, graph, sha256, pipeline, title, input, artifacts, pins, cause, begin })
        };
        self.read(ready).await
    }
}

/// A run submits into any queue, so who may use only some cannot start one.
fn may_start(caller: &Caller, scope: &str) -> Result<(), Refusal> {
    may_name(caller, scope)?;
    if caller.queues.is_none() {
        return Ok(());
    }
    let text = "a run submits into any queue of its scope, and this token names some: use one without queues";
    Err(Refusal::new(Code::QueueForbidden, text))
}

fn admit_title(title: Option<&str>) -> Result<(), Refusal> {
    let fits = |title: &str| {
        let long = title.chars().count() > MAX_TITLE_CHARS;
        !long && !title.trim().is_empty() && !title.chars().any(char::is_control)
    };
    if title.is_none_or(fits) {
        return Ok(());
    }
    Err(Refusal::field("/title", "must be 1 to 200 characters on one line, not only blanks"))
}

fn published(rows: &Rows, of: (&str, &str), number: Option<i64>) -> Result<pipeline::Published, Refusal> {
    pipeline::published(rows, of, number)?.ok_or_else(|| {
        let (scope, name) = of;
        let text = match number {
            Some(number) => format!("the pipeline `{name}` has no number {number} in the scope `{scope}`"),
            None => format!("there is no pipeline `{name}` in the scope `{scope}`: publish it first"),
        };
        Refusal::fault(Code::UnknownPipeline, "/pipeline", text)
    })
}

/// An input with its defaults, as the definition's schema asks for it.
///
/// # Errors
/// 422 with each place.
pub(crate) fn judged(definition: &Definition, input: Option<Value>) -> Result<Value, Refusal> {
    let input = input.unwrap_or_else(|| Value::Object(Map::new()));
    let input = match &definition.input {
        None if input.as_object().is_some_and(Map::is_empty) => input,
        None => return Err(Refusal::field("/input", "the pipeline takes no input")),
        Some(schema) => {
            let input = filled(schema, input);
            let broken =
                |_| Refusal::new(Code::Internal, "the schema of the pipeline's input cannot be used");
            let faults = Schema::read(schema).map_err(broken)?.faults(&input);
            let placed = |fault: Fault| Fault { field: format!("/input{}", fault.field), ..fault };
            Refusal::from_faults(faults.into_iter().map(placed).collect()).map_or(Ok(()), Err)?;
            input
        }
    };
    if input.to_string().len() > MAX_INPUT_BYTES {
        return Err(Refusal::field(
            "/input",
            "must be at most 256 KiB of JSON; put bigger things into artifacts",
        ));
    }
    Ok(input)
}

/// The artifacts that an input names, without doubles.
pub(crate) fn artifacts_in(input: &Value) -> Vec<Id> {
    let mut found = BTreeSet::new();
    let mut open = vec![input];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                found.extend(text.parse::<Id>().ok().filter(|id| id.noun() == Noun::Artifact));
            }
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    found.into_iter().take(MAX_INPUT_ARTIFACTS).collect()
}

/// Starts a run because somebody asks for it, and gives it.
///
/// # Errors
/// As [`start`].
pub fn started(act: &mut Act<'_>, new: &Start) -> Result<Found, Refusal> {
    let key = start(act, new)?;
    let told = Told::done(&new.scope, Action::RunStarted, act.id(Noun::Run, key));
    let name = new.pipeline.as_ref().map(|(name, _)| name.clone());
    act.audit(told.with("pipeline", name).with("sha256", new.sha256.clone()))?;
    super::find::by_key(act.tx, key)
}

/// Starts a run; gives its key.
///
/// # Errors
/// 422 `unknown_scope`; 503 `storage_low`, and `overloaded` where too much is under way.
pub fn start(act: &mut Act<'_>, new: &Start) -> Result<i64, Refusal> {
    let scope = act.scope_key(&new.scope)?;
    room(act, new.graph.len() as usize)?;
    let version = match &new.source {
        Source::Kept(version) => *version,
        Source::New(checked) => pipeline::keep(act, scope, checked)?,
    };
    let began_seq = act.memory.last_seq;
    let key = act.next_key();
    let made = made(act, new, (key, scope, version), began_seq)?;
    let graph = act.memory.runs.graph(version).unwrap_or_else(|| Arc::clone(&new.graph));
    let run = Run::new(&graph);
    let standing = Standing {
        state: State::Queued,
        reruns: 0,
        stops: Stops::default(),
        begun_at: None,
        ended_at: None,
        error: None,
        progress: Some(run.progress()),
    };
    let row = Insert { key, made: &made, standing: &standing, input: &new.input, stages: run.stages() };
    rows::insert(act.tx, &row).map_err(refusal_of)?;
    for artifact in &new.artifacts {
        if let Some(artifact) = act.tx.key(*artifact) {
            rows::refer(act.tx, key, artifact).map_err(refusal_of)?;
        }
    }
    let (parent, root, depth) = (made.parent, made.root, made.depth);
    let scheduled = made.slot.is_some();
    act.memory.put_run(key, Live { scope, version, graph, run, parent, root, depth, scheduled });
    created(act, new, key, scope)?;
    if new.begin == Begin::Now {
        advance(act, &News::of(key, Outcome::Begin))?;
    }
    Ok(key)
}

/// Refuses where too much is under way, or no more is to be written.
pub(super) fn room(act: &Act<'_>, stages: usize) -> Result<(), Refusal> {
    if act.memory.storage_low {
        return Err(crate::task::submit::storage_low());
    }
    let runs = &act.memory.runs;
    if runs.len() < MAX_LIVE_RUNS && runs.stages() + stages <= MAX_LIVE_STAGES {
        return Ok(());
    }
    let text = format!(
        "{} runs with {} stages are under way, at most {MAX_LIVE_RUNS} with {MAX_LIVE_STAGES} may be: try again when some have ended",
        runs.len(),
        runs.stages()
    );
    Err(Refusal::new(Code::Overloaded, text).retry_after(5_000))
}

fn made(
    act: &mut Act<'_>,
    new: &Start,
    (key, scope, version): (i64, i64, i64),
    began_seq: i64,
) -> Result<Made, Refusal> {
    let owner = act.pass.caller.owner.clone();
    let above = match &new.cause {
        Cause::Stage { parent, .. } => rows::by_key(act.tx, *parent).map_err(refusal_of)?,
        _ => None,
    };
    let started_by = match &above {
        Some(above) => above.made.started_by,
        None => act.actor_key(&owner)?,
    };
    let (slot, parent) = match &new.cause {
        Cause::Request => (None, None),
        Cause::Slot { slot, .. } => (Some(slot.clone()), None),
        Cause::Stage { parent, part } => (None, Some((*parent, *part))),
    };
    let submitter = match (&new.cause, &above) {
        (Cause::Slot { submitter, .. }, _) => Some(submitter.clone()),
        (_, Some(above)) => above.made.submitter.clone(),
        _ => Some(owner),
    };
    Ok(Made {
        scope,
        version,
        pipeline: new.pipeline.as_ref().map(|(name, _)| name.clone()),
        number: new.pipeline.as_ref().map(|(_, number)| *number),
        title: new.title.clone(),
        slot,
        parent,
        root: above.as_ref().map_or(key, |above| above.made.root),
        depth: above.as_ref().map_or(1, |above| above.made.depth + 1),
        began_seq,
        started_by,
        submitter,
        pins: new.pins.clone(),
        created_at: act.now.wall,
    })
}

fn created(act: &mut Act<'_>, new: &Start, key: i64, scope: i64) -> Result<(), Refusal> {
    let (cause, parent) = match &new.cause {
        Cause::Request => ("request", None),
        Cause::Slot { .. } => ("schedule", None),
        Cause::Stage { parent, .. } => ("stage", Some(act.id(Noun::Run, *parent).to_string())),
    };
    let state = if new.begin == Begin::Now { State::Running } else { State::Queued };
    let event = RunCreated {
        pipeline: new.pipeline.as_ref().map(|(name, _)| name.clone()),
        number: new.pipeline.as_ref().map(|(_, number)| *number),
        sha256: new.sha256.clone(),
        cause: cause.to_owned(),
        state: state.as_str().to_owned(),
        parent,
    };
    act.event(scope, &act.id(Noun::Run, key).into(), None, &event)
}
