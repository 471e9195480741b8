//! What was made ready begins, in the door: only where the run has not moved on meanwhile.

use super::advance::{News, Told, advance, must};
use super::child::sentence;
use super::event;
use super::prepare::{Prepared, Ready};
use crate::act::{Act, refusal_of};
use crate::task::submit::{For, submit_for};
use tiltyard_model::event::{StageListed, StageStarted};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::run::{Again, Failure, Going, Outcome, Part};
use tiltyard_model::task::Spec;
use tiltyard_store::run::item::{self, ITEMS_OF_A_PAGE, List};
use tiltyard_store::run::stage::{self, Begun};
use tiltyard_store::run::timer::{self, Timer, What};
use tiltyard_store::run::{call, wait};

/// Most parts that begin in one deed.
pub const MAX_BEGUN: usize = 256;

/// Lets begin what was made ready; says how much of it did. What the run has moved on from is left, and so is what has to wait.
///
/// # Errors
/// When the store cannot write it, or takes no new work: then all of it is still to begin.
pub(crate) fn begin_many(act: &mut Act<'_>, prepared: Vec<Prepared>) -> Result<usize, Refusal> {
    let mut begun = 0;
    for one in prepared {
        begun += usize::from(begin(act, one)?);
    }
    Ok(begun)
}

fn begin(act: &mut Act<'_>, one: Prepared) -> Result<bool, Refusal> {
    let Prepared { run, part, .. } = one;
    if !act.memory.runs.is_to_begin(run, part) {
        return Ok(false);
    }
    match act.part(|act| carry_out(act, one))? {
        Ok(()) => Ok(true),
        Err(refusal) if is_of_one_part(&refusal) => Ok(false),
        Err(refusal) if refusal.kind() == Kind::Overloaded => Err(refusal),
        Err(refusal) if refusal.kind() == Kind::Broken => {
            tracing::error!(target: "scheduler", run, ?part, "a part of a run cannot begin: {refusal}");
            fail(act, run, part, sentence(&refusal)).map(|()| true)
        }
        Err(refusal) => fail(act, run, part, sentence(&refusal)).map(|()| true),
    }
}

/// Whether only this part must wait, for room or for an agent: what can begin beside it is not held up by it, and may make the room.
pub(super) fn is_of_one_part(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::Overloaded | Code::NoAgentForRepository)
}

fn fail(act: &mut Act<'_>, run: i64, part: Part, error: String) -> Result<(), Refusal> {
    act.memory.begun(run, part);
    let outcome = Outcome::Failed(part, Failure::Failed, Again::Never);
    advance(act, &News { told: Told::error(error, "invalid"), ..News::of(run, outcome) })
}

fn carry_out(act: &mut Act<'_>, one: Prepared) -> Result<(), Refusal> {
    let Prepared { run, part, owner, made, timeout_ms } = one;
    if let Ready::Fail(error) = made {
        return fail(act, run, part, error);
    }
    act.memory.begun(run, part);
    if let Some(timeout_ms) = timeout_ms {
        let due_at = act.now.wall.saturating_add(timeout_ms);
        timer::put(act.tx, &Timer { run, part, what: What::TimeOut, due_at }).map_err(refusal_of)?;
    }
    match made {
        Ready::Skip => advance(act, &News::of(run, Outcome::Skipped(part))),
        Ready::Fail(error) => fail(act, run, part, error),
        Ready::Task(spec) => task(act, (run, part), &owner, &spec),
        Ready::List(values) => list(act, (run, part), &values),
        Ready::Sleep(for_ms) => {
            let due_at = act.now.wall.saturating_add(for_ms);
            timer::put(act.tx, &Timer { run, part, what: What::Wait, due_at }).map_err(refusal_of)?;
            goes_on(act, (run, part), None, Going::Waiting)
        }
        Ready::Event(kind, subject) => {
            let found = tiltyard_store::run::by_key(act.tx, run).map_err(refusal_of)?;
            let Some(found) = found else { return must(false) };
            let (scope, seen_seq) = (found.made.scope, found.made.began_seq);
            let new = wait::Put { run, part, scope, kind, subject: subject.as_deref(), seen_seq };
            wait::put(act.tx, &new).map_err(refusal_of)?;
            goes_on(act, (run, part), None, Going::Waiting)
        }
        Ready::Call(request) => {
            call::put(act.tx, run, part, &request).map_err(refusal_of)?;
            goes_on(act, (run, part), None, Going::Running)
        }
        Ready::Gate(asking) => super::gate::open(act, (run, part), *asking),
        Ready::Child(start) => {
            let child = super::start::start(act, &start)?;
            goes_on(act, (run, part), Some((Noun::Run, child)), Going::Running)
        }
    }
}

/// A task carries it out: the stage is `ready` until that has ended.
fn task(act: &mut Act<'_>, (run, part): (i64, Part), owner: &str, spec: &Spec) -> Result<(), Refusal> {
    let submitted = submit_for(act, spec, For { run, part, owner })?;
    link(act, run, part, submitted.id)?;
    started(act, run, part, Some(submitted.id))
}

/// Keeps the key of what carries out a part that stays `ready`.
fn link(act: &Act<'_>, run: i64, part: Part, thing: Id) -> Result<(), Refusal> {
    let done = match part.item {
        None => stage::link(act.tx, (run, part.stage, part.attempt), thing.key(), act.now.wall),
        Some(of) => {
            let list = List { run, stage: part.stage, attempt: part.attempt };
            item::link(act.tx, list, of.index, of.attempt, thing.key())
        }
    };
    must(done.map_err(refusal_of)?)
}

/// Items have no events of their own: what carries them out has.
fn started(act: &mut Act<'_>, run: i64, part: Part, thing: Option<Id>) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run).filter(|_| part.item.is_none()) else { return Ok(()) };
    let node = live.graph.node(part.stage);
    let event = StageStarted {
        stage: node.id.clone(),
        attempt: part.attempt,
        uses: node.uses.as_str().to_owned(),
        thing: thing.map(|id| id.to_string()),
    };
    event::of_run(act, run, &event)
}

/// What the engine itself carries out is under way.
pub(super) fn goes_on(
    act: &mut Act<'_>,
    (run, part): (i64, Part),
    thing: Option<(Noun, i64)>,
    going: Going,
) -> Result<(), Refusal> {
    let id = thing.map(|(noun, key)| act.id(noun, key));
    if let (Some(_), Some(id)) = (part.item, id) {
        link(act, run, part, id)?;
    }
    started(act, run, part, id)?;
    let begun = Begun { thing: thing.map(|(_, key)| key), at: act.now.wall };
    let begun = part.item.is_none().then_some(begun);
    advance(act, &News { begun, ..News::of(run, Outcome::Moved(part, going)) })
}

/// The items of a list are known.
fn list(act: &mut Act<'_>, (run, part): (i64, Part), values: &[String]) -> Result<(), Refusal> {
    let list = List { run, stage: part.stage, attempt: part.attempt };
    for (page, values) in (0u32..).zip(values.chunks(ITEMS_OF_A_PAGE)) {
        let first = page * ITEMS_OF_A_PAGE as u32;
        item::put(act.tx, list, first, values).map_err(refusal_of)?;
    }
    started(act, run, part, None)?;
    let live = act.memory.runs.get(run);
    let stage = live.map(|live| live.graph.node(part.stage).id.clone()).unwrap_or_default();
    event::of_run(act, run, &StageListed { stage, attempt: part.attempt, items: values.len() as u64 })?;
    let total = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let begun = Some(Begun { thing: None, at: act.now.wall });
    advance(act, &News { begun, ..News::of(run, Outcome::Listed(part, total)) })
}
