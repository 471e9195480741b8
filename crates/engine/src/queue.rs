//! Queues: their switches and limits, and how they stand. Everything is in the door's memory, so a view is a deed that
//! writes nothing.

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::memory::name::Queue;
use crate::task::access::may_reach;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{QueueUpdated, Subject};
use tiltyard_model::queue::{Assignment, Flow, Settings};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::slug::is_slug;
use tiltyard_model::task::State;
use tiltyard_model::time::DurationMs;

/// Most queues of one list.
pub const MAX_LISTED_QUEUES: usize = 10_000;

/// A queue as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Its switches and limits.
    pub settings: Settings,
    /// How many of its tasks are in each state, by the state's number.
    pub counts: [i64; State::ALL.len()],
    /// How long its next task has been ready, while there is one.
    pub next_ready_ms: Option<DurationMs>,
}

impl View {
    /// How many of its tasks are in a state.
    pub fn count(&self, state: State) -> u64 {
        self.counts[state as usize].max(0) as u64
    }

    /// Whether a drain has come to its end: nothing runs, nothing starts.
    pub fn is_drained(&self) -> bool {
        self.settings.flow == Flow::Draining && self.count(State::Running) == 0
    }
}

/// What a person changes. Absent fields stay; `Some(None)` lifts a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Stop, go on or finish what runs.
    pub flow: Option<Flow>,
    /// At most so many run at once.
    pub concurrency_limit: Option<Option<u32>>,
    /// At most so many start a minute.
    pub rate_per_minute: Option<Option<u32>>,
    /// How it chooses agents.
    pub assignment: Option<Assignment>,
    /// Whether its dead tasks become dead letters.
    pub dead_letters: Option<bool>,
}

impl Patch {
    fn apply(&self, before: &Settings) -> Settings {
        Settings {
            flow: self.flow.unwrap_or(before.flow),
            concurrency_limit: self.concurrency_limit.unwrap_or(before.concurrency_limit),
            rate_per_minute: self.rate_per_minute.unwrap_or(before.rate_per_minute),
            assignment: self.assignment.unwrap_or(before.assignment),
            dead_letters: self.dead_letters.unwrap_or(before.dead_letters),
        }
    }
}

/// The queues that the caller may see, by scope and name; of one scope when it is named.
///
/// # Errors
/// When the store is broken.
pub fn list(act: &mut Act<'_>, scope: Option<&str>) -> Result<Vec<View>, Refusal> {
    let visible = |queue: &&Queue| {
        let name = act.memory.names.scope_name(queue.scope);
        !name.is_empty()
            && scope.is_none_or(|scope| scope == name)
            && may_reach(&act.pass.caller, name, &queue.name)
    };
    let found: Vec<&Queue> = act.memory.names.queues().filter(visible).take(MAX_LISTED_QUEUES).collect();
    let mut views =
        found.into_iter().map(|queue| view(act, queue)).collect::<Result<Vec<View>, Refusal>>()?;
    views.sort_by(|one, other| (&one.scope, &one.name).cmp(&(&other.scope, &other.name)));
    Ok(views)
}

fn view(act: &Act<'_>, queue: &Queue) -> Result<View, Refusal> {
    let next = act.memory.ready.head_of(queue.key).map(|(_, task)| task);
    let ready_at = match next {
        Some(task) => tiltyard_store::task::ready_at(act.tx, task).map_err(refusal_of)?,
        None => None,
    };
    Ok(View {
        scope: act.memory.names.scope_name(queue.scope).to_owned(),
        name: queue.name.to_string(),
        settings: queue.settings.clone(),
        counts: act.memory.counts.of(queue.key),
        next_ready_ms: ready_at.map(|at| (act.now.wall - at).max(0)),
    })
}

/// Changes a queue's switches and limits. One that has had no task yet comes into being with them, so that it can be
/// paused before its first.
///
/// # Errors
/// 422 `unknown_scope`; 422 for a name that is no slug, or a limit of zero.
pub fn patch(act: &mut Act<'_>, scope: &str, name: &str, change: &Patch) -> Result<View, Refusal> {
    if !is_slug(name) {
        return Err(Refusal::field("/name", "must be a slug: 1 to 64 of a-z, 0-9, _ and -"));
    }
    let scope_key = act.scope_key(scope)?;
    let key = act.queue_key(scope_key, name)?;
    let before = known(act, key, name)?;
    let settings = change.apply(&before.settings);
    settings.admit()?;
    if settings != before.settings {
        act.save_queue(scope_key, name, settings.clone())?;
        record(act, &before, scope, &settings)?;
    }
    let queue = known(act, key, name)?;
    view(act, &queue)
}

/// Finishes what runs and starts nothing (D6); `patch` with an open flow ends it.
///
/// # Errors
/// As [`patch`].
pub fn drain(act: &mut Act<'_>, scope: &str, name: &str) -> Result<View, Refusal> {
    patch(act, scope, name, &Patch { flow: Some(Flow::Draining), ..Patch::default() })
}

fn known(act: &Act<'_>, key: i64, name: &str) -> Result<Queue, Refusal> {
    act.memory.names.queue(key).cloned().ok_or_else(|| Refusal::missing("queue", name))
}

fn record(act: &mut Act<'_>, before: &Queue, scope: &str, now: &Settings) -> Result<(), Refusal> {
    let event = QueueUpdated {
        flow: now.flow,
        concurrency_limit: now.concurrency_limit,
        rate_per_minute: now.rate_per_minute,
        assignment: now.assignment,
        dead_letters: now.dead_letters,
    };
    act.event(before.scope, &Subject::from(&*before.name), None, &event)?;
    let told = Told::done(scope, Action::QueueChanged, &before.name);
    act.audit(told.with("before", json(&before.settings)).with("after", json(now)))
}

fn json(settings: &Settings) -> serde_json::Value {
    serde_json::to_value(settings).unwrap_or_default()
}
