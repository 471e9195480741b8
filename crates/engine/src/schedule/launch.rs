//! What a slot starts: a task or a run, in the name of who saved the schedule.

use crate::act::record::Within;
use crate::act::{Act, refusal_of};
use crate::run::{Begin, Cause, Start, start};
use crate::task::submit::submit;
use tiltyard_model::event::{ScheduleFired, Subject};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::schedule::kept::{Became, Last, Schedule, What};
use tiltyard_model::schedule::{Launch, MAX_QUEUED_RUNS, Overlap};
use tiltyard_model::task::{OnDependencyFailure, Spec};
use tiltyard_model::time::{TimeMs, rfc3339};
use tiltyard_store::run::Slot;
use tiltyard_store::schedule as store;

/// What was started, or was there already.
enum Started {
    New(Id),
    Same(Id),
}

/// Starts what a slot is for, as far as what earlier slots have started lets it; says what became of it.
///
/// # Errors
/// What is no fault of the schedule: the server is too full, or its store is broken.
pub(super) fn launch(
    act: &mut Act<'_>,
    scope: i64,
    found: &Schedule,
    (at, run): (TimeMs, Option<&Result<Start, Refusal>>),
) -> Result<Last, Refusal> {
    let mut open = match found.overlap {
        Overlap::Allow => Vec::new(),
        _ => store::open(act.tx, scope, &found.name, MAX_QUEUED_RUNS + 2).map_err(refusal_of)?,
    };
    // What was started before the schedule changed from one to the other is not waited for.
    let sort = if matches!(found.what, What::Task(_)) { Noun::Task } else { Noun::Run };
    open.retain(|id| id.noun() == sort);
    let (under_way, queued) = (open.len().min(1) as u32, open.len().saturating_sub(1) as u32);
    let last = |became, thing, error| Last { at, became, thing, error };
    let became = match found.overlap.launch(under_way, queued) {
        Launch::Skip => return Ok(last(Became::Overlapped, None, None)),
        Launch::Begin => Became::Started,
        Launch::Queue => Became::Queued,
    };
    match act
        .part(|act| act.in_name_of(&found.saved_by, |act| begin(act, found, (at, became, run), &open)))?
    {
        Ok(Started::New(id)) => {
            tell_fired(act, scope, &found.name, &last(became, Some(id), None))?;
            Ok(last(became, Some(id), None))
        }
        Ok(Started::Same(id)) => Ok(last(Became::Duplicate, Some(id), None)),
        Err(refusal) if matches!(refusal.kind(), Kind::Overloaded | Kind::Broken) => Err(refusal),
        Err(refusal) => Ok(last(Became::Refused, None, Some(refusal.to_string()))),
    }
}

fn begin(
    act: &mut Act<'_>,
    found: &Schedule,
    (at, became, run): (TimeMs, Became, Option<&Result<Start, Refusal>>),
    open: &[Id],
) -> Result<Started, Refusal> {
    match (&found.what, run) {
        (What::Task(spec), _) => {
            let submitted = submit(act, &after(spec, open))?;
            let started = if submitted.first.is_some() { Started::Same } else { Started::New };
            Ok(started(submitted.id))
        }
        (What::Pipeline { .. }, Some(Ok(ready))) => {
            let slot = Slot { schedule: found.name.clone(), revision: found.revision, at };
            let cause = Cause::Slot { slot, submitter: found.saved_by.clone() };
            let begin = if became == Became::Queued { Begin::Later } else { Begin::Now };
            let key = start::start(act, &Start { cause, begin, ..ready.clone() })?;
            Ok(Started::New(act.id(Noun::Run, key)))
        }
        (What::Pipeline { .. }, Some(Err(refusal))) => Err(refusal.clone()),
        (What::Pipeline { name, .. }, None) => {
            Err(Refusal::new(Code::Internal, format!("no run of `{name}` was made ready")))
        }
    }
}

/// The task, which waits for those of earlier slots, however these end.
fn after(spec: &Spec, open: &[Id]) -> Spec {
    let mut spec = spec.clone();
    if !open.is_empty() {
        spec.depends_on = open.iter().copied().filter(|id| id.noun() == Noun::Task).collect();
        spec.extras.on_dependency_failure = OnDependencyFailure::Run;
    }
    spec
}

fn tell_fired(act: &mut Act<'_>, scope: i64, name: &str, last: &Last) -> Result<(), Refusal> {
    let of = |noun| last.thing.filter(|id| id.noun() == noun);
    let event = ScheduleFired {
        slot: rfc3339(last.at),
        run: of(Noun::Run).map(|id| id.to_string()),
        task: of(Noun::Task).map(|id| id.to_string()),
        queued: last.became == Became::Queued,
    };
    let within = Within { task: of(Noun::Task).map(Id::key), run: of(Noun::Run).map(Id::key) };
    act.event_within(scope, &Subject::from(name), within, &event)
}
