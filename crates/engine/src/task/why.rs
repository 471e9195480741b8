//! Why a task is not running, in words and as data (D8).

use super::dependent::BY_DEPENDENCY;
use super::end::with_history;
use crate::act::{Act, refusal_of};
use crate::gate::read::crowd;
use crate::memory::ready::Block;
use tiltyard_model::agent::OFFLINE_AFTER_MS;
use tiltyard_model::change;
use tiltyard_model::gate::missing::missing;
use tiltyard_model::id::Id;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Flow;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::{State, sort_key};
use tiltyard_model::time::rfc3339;
use tiltyard_store::task::{Found, by_key, dependency};

/// Most reasons of one answer.
const MAX_REASONS: usize = 20;
/// How far the place in the order is counted.
const MAX_COUNTED: usize = 10_000;

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A stable word.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
    /// What it is about.
    pub about: Option<String>,
}

/// Every reason, the one to mend first first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Where the task stands.
    pub state: State,
    /// Never empty.
    pub reasons: Vec<Reason>,
}

fn reason(code: &'static str, text: impl Into<String>, about: Option<String>) -> Reason {
    Reason { code, text: text.into(), about }
}

/// Says why a task is not running.
///
/// # Errors
/// 404.
pub fn why(act: &mut Act<'_>, id: Id) -> Result<Why, Refusal> {
    let found = super::list::get(act.tx, &act.pass.caller, id)?;
    let mut reasons = match found.task.state {
        State::Pending => dependencies(act, &found)?,
        State::Scheduled => vec![scheduled(&found)],
        State::Ready => ready(act, &found),
        State::Running => vec![running(&found)],
        State::Waiting => vec![waiting(act, &found)?],
        State::Succeeded => vec![reason("final", "it is done", None)],
        State::Dead => vec![dead(act, &found)?],
        State::Cancelled => vec![cancelled(act, &found)?],
    };
    reasons.truncate(MAX_REASONS);
    Ok(Why { state: found.task.state, reasons })
}

fn dependencies(act: &Act<'_>, found: &Found) -> Result<Vec<Reason>, Refusal> {
    let mut reasons = Vec::new();
    for key in dependency::of(act.tx, found.key).map_err(refusal_of)? {
        let Some(on) = by_key(act.tx, key).map_err(refusal_of)? else { continue };
        if on.task.state != State::Succeeded {
            let text = format!(
                "it waits for {} ({}), which is {}",
                on.task.id,
                on.task.spec.title,
                on.task.state.as_str()
            );
            reasons.push(reason("dependency", text, Some(on.task.id.to_string())));
        }
    }
    Ok(reasons)
}

fn scheduled(found: &Found) -> Reason {
    let time = rfc3339(found.task.spec.run_at.unwrap_or_default());
    let text = if found.task.used > 0 {
        format!(
            "its attempt {} of {} failed: the next one may start at {time}",
            found.task.used, found.task.spec.max_attempts
        )
    } else {
        format!("it may not start before {time}")
    };
    reason("time", text, Some(time))
}

fn running(found: &Found) -> Reason {
    let agent = found.task.attempt.as_ref().map(|attempt| attempt.agent.clone());
    reason("running", format!("it is running on `{}`", agent.clone().unwrap_or_default()), agent)
}

fn waiting(act: &Act<'_>, found: &Found) -> Result<Reason, Refusal> {
    let Some(id) = found.task.change else {
        return Ok(reason("decision", "it waits for a decision", None));
    };
    let about = Some(id.to_string());
    let Some(change) = tiltyard_store::change::get(act.tx, id).map_err(refusal_of)? else {
        return Ok(reason("decision", format!("it waits for its change {id}"), about));
    };
    let waits = match change.change.state {
        change::State::Review | change::State::Conflicted => gate(act, change.key)?,
        change::State::Checking => "its checks run".to_owned(),
        change::State::Queued => "it waits for its turn to merge".to_owned(),
        change::State::Merging => "it is being merged".to_owned(),
        other => format!("it is {}", other.as_str()),
    };
    let why = change.change.record.reason.map(|why| format!(" ({why})")).unwrap_or_default();
    Ok(reason("decision", format!("its change {id}: {waits}{why}"), about))
}

/// What the open gate of a change asks.
fn gate(act: &Act<'_>, change: i64) -> Result<String, Refusal> {
    let gates = tiltyard_store::gate::of_change(act.tx, change, 1).map_err(refusal_of)?;
    Ok(gates.first().map_or_else(
        || "it waits for a decision".to_owned(),
        |found| {
            let reasons = found.about.reasons.join("; ");
            let missing = missing(&found.gate, crowd(&act.memory.tokens, found, act.now.wall));
            let missing =
                if missing.is_empty() { String::new() } else { format!("; missing: {}", missing.join("; ")) };
            format!("people decide at the gate {}: {reasons}{missing}", found.gate.id)
        },
    ))
}

fn dead(act: &Act<'_>, found: &Found) -> Result<Reason, Refusal> {
    let error = found
        .task
        .attempt
        .as_ref()
        .and_then(|attempt| attempt.error.as_deref())
        .unwrap_or("no error was given");
    let why = if found.task.used < found.task.spec.max_attempts {
        "it is not tried again, as its agent said that another attempt is of no use".to_owned()
    } else if found.task.used == 1 {
        "its only attempt is used up".to_owned()
    } else {
        format!("its {} attempts are used up", found.task.used)
    };
    let error = super::first_line(error);
    let error = with_history(Some(&error), crate::change::came_back_for(act, found)?).unwrap_or_default();
    Ok(reason("final", format!("{why}; the last error: {error}"), None))
}

fn cancelled(act: &Act<'_>, found: &Found) -> Result<Reason, Refusal> {
    if act.memory.leases.get(found.key).is_some_and(|lease| lease.stop.is_some()) {
        return Ok(reason("stopping", "it was cancelled, and its attempt is still being stopped", None));
    }
    let why = found.task.reason.as_deref().unwrap_or("requested");
    let failed = if why == BY_DEPENDENCY { failed_dependency(act, found)? } else { None };
    Ok(match failed {
        Some(on) => {
            let (id, title, state) = (on.task.id, &on.task.spec.title, on.task.state.as_str());
            let text = format!("it was cancelled: it depends on {id} ({title}), which is {state}");
            reason("final", text, Some(id.to_string()))
        }
        None => reason("final", format!("it was cancelled: {why}"), None),
    })
}

/// A task that it depends on and that ended otherwise than done.
fn failed_dependency(act: &Act<'_>, found: &Found) -> Result<Option<Found>, Refusal> {
    match dependency::failed(act.tx, found.key).map_err(refusal_of)? {
        Some(key) => by_key(act.tx, key).map_err(refusal_of),
        None => Ok(None),
    }
}

/// A number of tasks, as people say it.
fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn run(count: usize) -> &'static str {
    if count == 1 { "runs" } else { "run" }
}

/// A ready task that nobody runs: switches, limits, agents, then the order.
fn ready(act: &Act<'_>, found: &Found) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(switch(act, found));
    reasons.extend(limit(act, found));
    reasons.extend(agents(act, found));
    reasons.extend(order(act, found));
    if reasons.is_empty() {
        reasons.push(reason("agents_busy", "it is next: an agent will take it when it asks", None));
    }
    reasons
}

fn switch(act: &Act<'_>, found: &Found) -> Option<Reason> {
    let queue = act.memory.names.queue(found.queue)?;
    let name = Some(queue.name.to_string());
    match queue.settings.flow {
        Flow::Open => None,
        Flow::Paused => Some(reason("queue_paused", format!("the queue `{}` is paused", queue.name), name)),
        Flow::Draining => Some(reason(
            "queue_draining",
            format!("the queue `{}` drains and starts nothing", queue.name),
            name,
        )),
    }
}

fn limit(act: &Act<'_>, found: &Found) -> Option<Reason> {
    let (_, lane) = act.memory.names.lane(found.lane)?;
    let (queue, extras) = (&found.task.spec.queue, &found.task.spec.extras);
    Some(match act.memory.ready.block_of(found.lane, act.now.wall)? {
        Block::Concurrency => {
            let key = extras.concurrency.as_ref().map(|limit| limit.key.clone()).unwrap_or_default();
            let count = act.memory.ready.running_of_key(&lane.scope, &key);
            reason(
                "concurrency",
                format!(
                    "{} of the concurrency key `{key}` {} already",
                    tasks(count as usize),
                    run(count as usize)
                ),
                Some(key),
            )
        }
        Block::Rate => {
            let key = extras.rate.as_ref().map(|limit| limit.key.clone()).unwrap_or_default();
            reason(
                "rate",
                format!("as many tasks of the rate key `{key}` started in the last minute as may"),
                Some(key),
            )
        }
        Block::QueueLimit => {
            let count = act.memory.ready.running(found.queue) as usize;
            let text = format!("{} of the queue `{queue}` {} already: its limit", tasks(count), run(count));
            reason("queue_limit", text, Some(queue.clone()))
        }
        Block::QueueRate => reason(
            "queue_rate",
            format!("as many tasks of the queue `{queue}` started in the last minute as may"),
            Some(queue.clone()),
        ),
    })
}

fn agents(act: &Act<'_>, found: &Found) -> Option<Reason> {
    let (_, lane) = act.memory.names.lane(found.lane)?;
    if let Some(named) = &lane.assign_to {
        return assigned(act, named, lane);
    }
    let here: Vec<i64> = present(act).collect();
    if here.is_empty() {
        return Some(reason(
            "no_agent",
            "no agent has spoken for 30 s: start one with `tiltyard agent`",
            None,
        ));
    }
    if !here.iter().any(|agent| does(act, *agent, lane)) {
        let text = format!("no agent that is there does tasks of the kind `{}`", found.task.spec.kind);
        return Some(reason("kind", text, Some(found.task.spec.kind.clone())));
    }
    let able = |agent: &i64| does(act, *agent, lane) && has_all(act, *agent, lane);
    if lane.capabilities.is_empty() || here.iter().any(able) {
        return None;
    }
    let needs = lane.capabilities.join(", ");
    Some(reason("capability", format!("no agent that is there can do all of: {needs}"), Some(needs)))
}

/// Whether an agent does the kind of a lane's tasks.
fn does(act: &Act<'_>, agent: i64, lane: &Lane) -> bool {
    lane.is_done_by(act.memory.names.agent(agent).and_then(|known| known.profile.kinds.as_deref()))
}

/// Whether an agent has the capabilities of a lane. A worker over HTTP says what it can do with each claim, and nowhere
/// else.
fn has_all(act: &Act<'_>, agent: i64, lane: &Lane) -> bool {
    let said = act.memory.claimed_with.get(&agent);
    let profile = act.memory.names.agent(agent).map(|known| &known.profile.capabilities);
    said.into_iter().chain(profile).any(|capabilities| lane.lacks(capabilities).is_empty())
}

fn present<'a>(act: &'a Act<'_>) -> impl Iterator<Item = i64> + 'a {
    let spoke = |(_, (_, steady)): &(&i64, &(i64, i64))| act.now.steady - *steady < OFFLINE_AFTER_MS;
    act.memory.presence.iter().filter(spoke).map(|(agent, _)| *agent)
}

fn assigned(act: &Act<'_>, named: &str, lane: &Lane) -> Option<Reason> {
    let about = Some(named.to_owned());
    let key = act.memory.names.agent_key(named);
    let Some(key) = key.filter(|key| present(act).any(|agent| agent == *key)) else {
        return Some(reason(
            "agent_offline",
            format!("only `{named}` may take it, and that agent is not there"),
            about,
        ));
    };
    if act.memory.names.agent(key).is_some_and(|agent| agent.draining) {
        return Some(reason(
            "agent_offline",
            format!("only `{named}` may take it, and that agent drains"),
            about,
        ));
    }
    if !does(act, key, lane) {
        let kind = lane.kind.clone().unwrap_or_default();
        let text = format!("only `{named}` may take it, and that agent does no tasks of the kind `{kind}`");
        return Some(reason("kind", text, Some(kind)));
    }
    let load = act.memory.leases.load(key);
    (load > 0).then(|| {
        reason(
            "agents_busy",
            format!("only `{named}` may take it, and that agent holds {}", tasks(load)),
            about,
        )
    })
}

fn order(act: &Act<'_>, found: &Found) -> Option<Reason> {
    let place = (sort_key(found.task.ready_at?, found.task.spec.priority), found.key);
    let before = act.memory.ready.before(found.queue, place, MAX_COUNTED);
    (before > 0).then(|| {
        let are = if before == 1 { "is" } else { "are" };
        let text = format!("{} of the queue `{}` {are} before it", tasks(before), found.task.spec.queue);
        reason("order", text, Some(found.task.spec.queue.clone()))
    })
}
