//! Schedules: saved, read, removed (D29). What is due of them is started by [`fire`].

pub mod fire;
mod launch;

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::run::{Asked, Which};
use crate::scope::{may_name, of_read};
use crate::{Engine, pipeline};
use tiltyard_model::audit::Action;
use tiltyard_model::event::{ScheduleDeleted, ScheduleSaved, Subject};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::schedule::kept::{Schedule, What, admit_another, faults};
use tiltyard_model::schedule::{Missed, Overlap, Timing};
use tiltyard_model::task::CHANGE_KIND;
use tiltyard_model::time::{DurationMs, TimeMs, rfc3339};
use tiltyard_store::Rows;
use tiltyard_store::schedule;
/// Which part of a list.
pub use tiltyard_store::template::Window;

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A page of schedules.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// By scope and name.
    pub items: Vec<Schedule>,
    /// The scope and name after which the next page begins.
    pub next: Option<(String, String)>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// When a schedule is to start something, as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// By the clock on the wall.
    Cron {
        /// Five fields, or six with seconds first.
        expression: String,
        /// The IANA name of a time zone.
        timezone: String,
    },
    /// Every so often.
    Every {
        /// How often.
        every_ms: DurationMs,
        /// Slots are whole intervals after this; where nothing is said, after what it had before, or now.
        from: Option<TimeMs>,
    },
}

/// A schedule as somebody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// When it starts something.
    pub when: When,
    /// What it starts.
    pub what: What,
    /// What becomes of slots that nobody started in time.
    pub missed: Missed,
    /// What becomes of a slot while what an earlier one started is not over.
    pub overlap: Overlap,
    /// Whether it rests.
    pub paused: bool,
}

/// A page of the schedules that the caller may see; of one scope when it is named.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn page(rows: &Rows, caller: &Caller, scope: Option<&str>, window: &Window) -> Result<Page, Refusal> {
    let scopes = of_read(caller, scope)?;
    let wider = Window { limit: window.limit + 1, ..window.clone() };
    let mut items = schedule::page(rows, scopes.as_deref(), &wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let place = |schedule: &Schedule| (schedule.scope.clone(), schedule.name.clone());
    let next = items.last().filter(|_| more).map(place);
    let total = schedule::count(rows, scopes.as_deref(), MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// One schedule.
///
/// # Errors
/// 403 `scope_forbidden`; 404.
pub fn get(rows: &Rows, caller: &Caller, scope: &str, name: &str) -> Result<Schedule, Refusal> {
    may_name(caller, scope)?;
    let found = schedule::get(rows, scope, name).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::missing("schedule", name))
}

impl Engine {
    /// Looks, outside of the door, whether the pipeline of a schedule could be started now, with its input.
    ///
    /// # Errors
    /// 403 `scope_forbidden`, `queue_forbidden`; 422 `unknown_pipeline`, and `invalid` for an input that does not meet the schema.
    pub async fn may_schedule(&self, caller: &Caller, put: &Put) -> Result<(), Refusal> {
        let What::Pipeline { name, input } = &put.what else { return Ok(()) };
        let which = Which::Named { name: name.clone(), number: None };
        let asked = Asked { scope: put.scope.clone(), which, input: Some(input.clone()), title: None };
        self.ready_run(caller, asked).await.map(drop)
    }
}

/// Saves a schedule. One that says something new begins now: of what was due before, nothing is started. The same again changes
/// nothing.
///
/// # Errors
/// 422 with every wrong field; 422 `unknown_scope`, `unknown_pipeline`; 422 when the scope has too many.
pub fn put(act: &mut Act<'_>, put: Put) -> Result<Schedule, Refusal> {
    may_name(&act.pass.caller, &put.scope)?;
    let known = schedule::get(act.tx, &put.scope, &put.name).map_err(refusal_of)?;
    let mut wanted = wanted(act, put, known.as_ref());
    Refusal::from_faults(faults(&wanted)).map_or(Ok(()), Err)?;
    let scope = act.scope_key(&wanted.scope)?;
    can_be_started(act, &wanted)?;
    match known {
        Some(known) if known.says_the_same(&wanted) => return Ok(known),
        Some(known) => wanted.revision = known.revision + 1,
        None => {
            admit_another(schedule::count_of_scope(act.tx, scope).map_err(refusal_of)?)?;
            wanted.revision = 1 + schedule::last_revision(act.tx, scope, &wanted.name).map_err(refusal_of)?;
        }
    }
    wanted.next_at = wanted.timing.timetable()?.next(wanted.last_at);
    let by = act.actor_key(&wanted.saved_by)?;
    schedule::put(act.tx, scope, &wanted, by).map_err(refusal_of)?;
    tell_saved(act, scope, &wanted)?;
    Ok(wanted)
}

/// The schedule as it would be kept, from now on.
fn wanted(act: &Act<'_>, put: Put, known: Option<&Schedule>) -> Schedule {
    let now = act.now.wall;
    Schedule {
        timing: timing(put.when, known, now),
        scope: put.scope,
        name: put.name,
        revision: 0,
        what: put.what,
        missed: put.missed,
        overlap: put.overlap,
        paused: put.paused,
        last_at: now,
        next_at: None,
        last: known.and_then(|known| known.last.clone()),
        saved_by: act.pass.caller.owner.clone(),
        updated_at: now,
    }
}

/// An interval that is saved again without a beginning keeps its own: whoever saves it often must not put it off.
fn timing(when: When, known: Option<&Schedule>, now: TimeMs) -> Timing {
    match when {
        When::Cron { expression, timezone } => Timing::Cron { expression, timezone },
        When::Every { every_ms, from } => {
            let before = match known.map(|known| &known.timing) {
                Some(Timing::Every { every_ms: same, from_ms }) if *same == every_ms => Some(*from_ms),
                _ => None,
            };
            Timing::Every { every_ms, from_ms: from.or(before).unwrap_or(now) }
        }
    }
}

/// What could not be started now is refused now, and not at its first slot.
fn can_be_started(act: &Act<'_>, wanted: &Schedule) -> Result<(), Refusal> {
    match &wanted.what {
        What::Task(spec) if spec.kind == CHANGE_KIND => {
            crate::change::prepare::prepare(act, spec).map(drop).map_err(of_task)
        }
        What::Task(_) => Ok(()),
        What::Pipeline { name, .. } => {
            if pipeline::published(act.tx, (&wanted.scope, name), None)?.is_some() {
                return Ok(());
            }
            let text = format!("there is no pipeline `{name}` in this scope: publish it first");
            Err(Refusal::fault(Code::UnknownPipeline, "/pipeline", text))
        }
    }
}

/// The faults of a task, with their places in the schedule.
fn of_task(mut refusal: Refusal) -> Refusal {
    for Fault { field, .. } in &mut refusal.faults {
        field.insert_str(0, "/task");
    }
    refusal
}

fn tell_saved(act: &mut Act<'_>, scope: i64, saved: &Schedule) -> Result<(), Refusal> {
    let next = saved.next_at.filter(|_| !saved.paused).map(rfc3339);
    let subject = Subject::from(saved.name.as_str());
    act.event(scope, &subject, None, &ScheduleSaved { revision: saved.revision, next })?;
    let target = format!("{}/{}", saved.scope, saved.name);
    let timing = serde_json::to_value(&saved.timing).map_err(|error| {
        Refusal::new(Code::Internal, format!("the timing of a schedule cannot be written: {error}"))
    })?;
    let told = Told::done(&saved.scope, Action::ScheduleSaved, target).with("revision", saved.revision);
    let told = match &saved.what {
        What::Pipeline { name, .. } => told.with("pipeline", name.as_str()),
        What::Task(spec) => told.with("task", spec.title.as_str()),
    };
    act.audit(told.with("timing", timing).with("paused", saved.paused))
}

/// Removes a schedule. What it started stays.
///
/// # Errors
/// 403 `scope_forbidden`; 404; 422 `unknown_scope`.
pub fn delete(act: &mut Act<'_>, scope: &str, name: &str) -> Result<(), Refusal> {
    may_name(&act.pass.caller, scope)?;
    let key = act.scope_key(scope)?;
    if !schedule::delete(act.tx, key, name).map_err(refusal_of)? {
        return Err(Refusal::missing("schedule", name));
    }
    act.event(key, &Subject::from(name), None, &ScheduleDeleted {})?;
    act.audit(Told::done(scope, Action::ScheduleDeleted, format!("{scope}/{name}")))
}
