//! What is to begin is made ready outside of the door: its condition is looked at, its fields are filled in, its list is
//! read. The door takes what came of it in [`super::begin`], where the run has not moved on meanwhile.

use super::begin::is_of_one_part;
use super::fields;
use super::names::Names;
use super::start::Start;
use crate::act::refusal_of;
use crate::blob::Blobs;
use crate::pipeline::known::Definitions;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tiltyard_model::event::Type;
use tiltyard_model::pipeline::lookup::{ItemValues, Lookup};
use tiltyard_model::pipeline::{Definition, Foreach, Stage, Until, Uses, Work};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::run::Part;
use tiltyard_model::run::graph::Sort;
use tiltyard_model::task::Spec;
use tiltyard_model::time::DurationMs;
use tiltyard_store::Rows;
use tiltyard_store::run::item::{self, List};
use tiltyard_store::run::stage::Found as FoundStage;
use tiltyard_store::run::{self as rows, Found};

/// What of a part was made ready.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The run's key.
    pub run: i64,
    /// The part.
    pub part: Part,
    /// Who started the run.
    pub owner: String,
    /// What came of it.
    pub made: Ready,
    /// How long all of it may take, where the engine watches that.
    pub timeout_ms: Option<DurationMs>,
}

/// What a part is to do.
#[derive(Debug, Clone)]
pub(crate) enum Ready {
    /// Nothing: its condition is false.
    Skip,
    /// It cannot be done, for this reason.
    Fail(String),
    /// A task.
    Task(Box<Spec>),
    /// A list of items, JSON text each.
    List(Vec<String>),
    /// A wait for so long.
    Sleep(DurationMs),
    /// A wait for an event.
    Event(Type, Option<String>),
    /// A call (JSON).
    Call(String),
    /// A run of another pipeline.
    Child(Box<Start>),
    /// A gate.
    Gate(Box<super::gate::Asking>),
}

/// What is needed beside rows.
#[derive(Clone)]
pub(crate) struct Tools {
    /// Definitions that were read.
    pub definitions: Arc<Definitions>,
    /// Stored bytes.
    pub blobs: Blobs,
}

/// A run, as it is looked at.
pub(super) struct Sight<'r> {
    pub rows: &'r Rows,
    pub tools: &'r Tools,
    pub found: Found,
    pub input: Value,
    pub definition: Arc<Definition>,
    stages: RefCell<BTreeMap<u32, Option<FoundStage>>>,
}

impl<'r> Sight<'r> {
    /// A run; `None` where there is none.
    ///
    /// # Errors
    /// When the store is broken or this program cannot read its definition.
    pub(super) fn of(rows: &'r Rows, tools: &'r Tools, run: i64) -> Result<Option<Self>, Refusal> {
        let Some(found) = rows::by_key(rows, run).map_err(refusal_of)? else { return Ok(None) };
        let definition = tools.definitions.get(rows, found.made.version)?;
        let text = rows::input(rows, run).map_err(refusal_of)?.unwrap_or_else(|| "{}".to_owned());
        let input = serde_json::from_str(&text).map_err(|error| {
            Refusal::new(Code::Internal, format!("the input of a run cannot be read: {error}"))
        })?;
        Ok(Some(Self { rows, tools, found, input, definition, stages: RefCell::default() }))
    }

    /// The row of a stage, by index.
    pub(super) fn found_stage(&self, index: u32) -> Result<Option<FoundStage>, Refusal> {
        if let Some(known) = self.stages.borrow().get(&index) {
            return Ok(known.clone());
        }
        let found = rows::stage::get(self.rows, self.found.key, index).map_err(refusal_of)?;
        self.stages.borrow_mut().insert(index, found.clone());
        Ok(found)
    }

    /// The row of a stage, by its id.
    pub(super) fn stage(&self, id: &str) -> Result<Option<FoundStage>, Refusal> {
        let index = self.definition.stage(id).and_then(|index| u32::try_from(index).ok());
        index.map_or(Ok(None), |index| self.found_stage(index))
    }

    /// What a stage is.
    pub(super) fn sort(&self, index: u32) -> Sort {
        let stage = self.definition.stages.get(index as usize);
        stage.map_or(Sort::Command, |stage| Sort::of(&stage.work.uses))
    }
}

/// Makes ready what is to begin, in the order of `parts`, which are sorted.
///
/// # Errors
/// When the store or what lies beside it cannot be read: all of it is tried again.
pub(crate) fn prepare(rows: &Rows, tools: &Tools, parts: &[(i64, Part)]) -> Result<Vec<Prepared>, Refusal> {
    let mut all = Vec::with_capacity(parts.len());
    for of_run in parts.chunk_by(|one, other| one.0 == other.0) {
        let Some((run, _)) = of_run.first().copied() else { continue };
        let sight = match Sight::of(rows, tools, run) {
            Ok(Some(sight)) => sight,
            Ok(None) => continue,
            Err(refusal) if refusal.kind() == Kind::Overloaded => return Err(refusal),
            Err(refusal) => {
                all.extend(of_run.iter().map(|(_, part)| failed(run, *part, &refusal)));
                continue;
            }
        };
        for of_stage in of_run.chunk_by(|one, other| one.1.stage == other.1.stage) {
            let parts: Vec<Part> = of_stage.iter().map(|(_, part)| *part).collect();
            all.extend(stage(&sight, &parts)?);
        }
    }
    Ok(all)
}

fn failed(run: i64, part: Part, refusal: &Refusal) -> Prepared {
    Prepared { run, part, owner: String::new(), made: Ready::Fail(refusal.to_string()), timeout_ms: None }
}

/// Parts of one stage: itself, or some of its items.
fn stage(sight: &Sight<'_>, parts: &[Part]) -> Result<Vec<Prepared>, Refusal> {
    let run = sight.found.key;
    let Some(first) = parts.first() else { return Ok(Vec::new()) };
    let Some(of) = sight.definition.stages.get(first.stage as usize) else { return Ok(Vec::new()) };
    let names = match Names::read(sight, *first, &of.looks_up()) {
        Ok(names) => names,
        Err(refusal) if refusal.kind() == Kind::Overloaded => return Err(refusal),
        Err(refusal) => return Ok(parts.iter().map(|part| failed(run, *part, &refusal)).collect()),
    };
    let values = names.values(&sight.input);
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        let made = match part.item {
            None => whole(sight, (of, &names), *part, &values),
            Some(of_list) => one_item(sight, (of, &names), (*part, of_list.index), &values),
        };
        let made = match made {
            Err(refusal) if is_of_one_part(&refusal) => continue,
            Err(refusal) if refusal.kind() == Kind::Overloaded => return Err(refusal),
            Err(refusal) => Ready::Fail(refusal.to_string()),
            Ok(made) => made,
        };
        let work = of_part(of, *part);
        let is_watched = !work.uses.is_task() && !matches!(work.uses, Uses::Gate(_) | Uses::Http(_));
        let timeout_ms = work.time_out_ms().filter(|_| is_watched);
        let owner = sight.found.started_by.clone();
        all.push(Prepared { run, part: *part, owner, made, timeout_ms });
    }
    Ok(all)
}

fn of_part(stage: &Stage, part: Part) -> &Work {
    match &stage.work.uses {
        Uses::Foreach(foreach) if part.item.is_some() => &foreach.each,
        _ => &stage.work,
    }
}

/// A stage, and what it looks up.
type Of<'a> = (&'a Stage, &'a Names);

fn whole(sight: &Sight<'_>, of: Of<'_>, part: Part, values: &dyn Lookup) -> Result<Ready, Refusal> {
    if let Some(condition) = &of.0.condition {
        match condition.value(values) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => return Ok(Ready::Skip),
            Ok(_) => return Ok(Ready::Fail("if: is neither true nor false".to_owned())),
            Err(failure) => return Ok(Ready::Fail(format!("if: {}", failure.error))),
        }
    }
    work(sight, of, part, &of.0.work, values)
}

fn one_item(
    sight: &Sight<'_>,
    of: Of<'_>,
    (part, index): (Part, u32),
    values: &dyn Lookup,
) -> Result<Ready, Refusal> {
    let Uses::Foreach(foreach) = &of.0.work.uses else {
        return Ok(Ready::Fail("it has no list".to_owned()));
    };
    let Foreach { name, each, .. } = foreach.as_ref();
    let list = List { run: sight.found.key, stage: part.stage, attempt: part.attempt };
    let found = item::get(sight.rows, list, index).map_err(refusal_of)?;
    let text = found.map_or_else(|| "null".to_owned(), |found| found.value);
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Refusal::new(Code::Internal, format!("an item cannot be read: {error}")))?;
    let values = ItemValues::new(values, name, &value, index);
    work(sight, of, part, each, &values)
}

fn work(
    sight: &Sight<'_>,
    of: Of<'_>,
    part: Part,
    work: &Work,
    values: &dyn Lookup,
) -> Result<Ready, Refusal> {
    let fields = match work.render(values) {
        Ok(fields) => fields,
        Err(unrendered) => return Ok(Ready::Fail(unrendered.to_string())),
    };
    Ok(match &work.uses {
        Uses::Command | Uses::Agent | Uses::Change => fields::task(sight, of, part, (work, fields))?,
        Uses::Foreach(_) => fields::list(fields),
        Uses::Wait(Until::Time) => fields::sleep(&fields),
        Uses::Wait(Until::Event(kind)) => fields::event(*kind, &fields),
        Uses::Http(expect) => fields::call(work, expect, fields),
        Uses::Pipeline(name) => super::child::ready(sight, (name, part), fields)?,
        Uses::Gate(gate) => super::gate::ready(sight, of.0, (gate, part), fields)?,
    })
}
