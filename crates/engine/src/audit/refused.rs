//! Refused calls on record (SEC21): 401, 403, and 409 on a decision. The first ten of an address, a code and an endpoint
//! in a minute are an entry each; the others of that minute are one entry with their count.

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tiltyard_model::audit::{ActResult, Action};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::role::{Caller, Reach, SYSTEM_SCOPE};
use tiltyard_model::time::{MINUTE_MS, TimeMs, rfc3339};
use tiltyard_store::{change, gate};

/// Entries of one address, code and endpoint in a minute; the others are counted.
pub const MAX_SINGLE_ENTRIES: u64 = 10;
/// Single entries a minute of all together: a flood from many addresses fills no disk.
pub const MAX_ENTRIES_A_MINUTE: u64 = 1_000;
/// Addresses, codes and endpoints that are told apart in a minute; those beyond are counted together by code.
pub const MAX_SOURCES: usize = 10_000;
/// Counts that are written in one transaction; the rest are next.
const MAX_COUNTS_AT_ONCE: usize = 200;
/// The address of those that are not told apart, and the actor of a count of several.
const SEVERAL: &str = "several";

/// What the call was about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Decide: approve, reject, send back.
    Decision,
    /// Anything else.
    Other,
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From which address.
    pub client: String,
    /// Why.
    pub code: Code,
    /// At which endpoint: method and path of its row, or the method alone where the path is none.
    pub endpoint: String,
    /// What it was about to do.
    pub on: On,
    /// What its path names.
    pub named: Option<Id>,
    /// What the caller reaches, where it is known.
    pub reach: Option<Reach>,
    /// Who, where that is known.
    pub actor: Option<String>,
    /// The request.
    pub request_id: String,
}

impl Call {
    /// Whether the record covers it.
    pub fn is_covered(&self) -> bool {
        match self.code.kind() {
            Kind::Unauthenticated | Kind::Denied => true,
            Kind::Conflict => self.on == On::Decision,
            _ => false,
        }
    }

    fn actor(&self) -> &str {
        self.actor.as_deref().unwrap_or(Caller::ANONYMOUS)
    }

    /// The chain of a caller with one scope; what others do wrong belongs to the store's own.
    fn own_scope(&self) -> Option<String> {
        match &self.reach {
            Some(Reach::Only(scopes)) if scopes.len() == 1 => scopes.first().cloned(),
            _ => None,
        }
    }

    /// The scope of the gate or change that was to be decided, where the caller may know of it.
    fn decided_scope(&self, act: &Act<'_>) -> Result<Option<String>, Refusal> {
        let Some(id) = self.named.filter(|_| self.on == On::Decision) else { return Ok(None) };
        let scope = match gate::get(act.tx, id).map_err(refusal_of)? {
            Some(found) => Some(found.scope_name),
            None => change::get(act.tx, id).map_err(refusal_of)?.map(|found| found.change.scope),
        };
        Ok(scope.filter(|scope| self.reach.as_ref().is_some_and(|reach| reach.covers(scope))))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Source {
    client: String,
    code: Code,
    endpoint: String,
}

/// What a source did in its minute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Count {
    seen: u64,
    /// Of those, not written as single entries.
    counted: u64,
    /// Whether it stands for many sources that are not told apart.
    lumped: bool,
    scope: Option<String>,
    actor: String,
    first: TimeMs,
    last: TimeMs,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    written: u64,
    sources: HashMap<Source, Count>,
    /// Counts of minutes that are over, to be written.
    over: Vec<(Source, Count)>,
}

/// The refusals of the present minute: cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    minute: Arc<Mutex<Minute>>,
}

impl Refusals {
    /// Sees a refused call at `now`; says whether it is to be written as an entry of its own.
    pub fn see(&self, call: &Call, now: TimeMs) -> bool {
        let mut minute = self.minute.lock();
        minute.turn(now);
        let single = minute.written < MAX_ENTRIES_A_MINUTE;
        let count = minute.count(call, now);
        count.seen += 1;
        count.last = now;
        let single = single && count.seen <= MAX_SINGLE_ENTRIES && !count.lumped;
        if count.actor != call.actor() {
            SEVERAL.clone_into(&mut count.actor);
        }
        if single {
            minute.written += 1;
        } else {
            count.counted += 1;
        }
        single
    }

    /// A call that was to be written and could not be: it is counted.
    fn unwritten(&self, call: &Call, now: TimeMs) {
        let mut minute = self.minute.lock();
        minute.turn(now);
        minute.count(call, now).counted += 1;
    }

    /// Counts that are to be written; those of the present minute too, when the server ends.
    fn take(&self, now: TimeMs, when: When) -> Vec<(Source, Count)> {
        let mut minute = self.minute.lock();
        match when {
            When::Over => minute.turn(now),
            When::Ending => minute.end(),
        }
        let some = minute.over.len().min(MAX_COUNTS_AT_ONCE);
        minute.over.drain(..some).collect()
    }

    fn put_back(&self, counts: Vec<(Source, Count)>) {
        self.minute.lock().keep(counts);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Over,
    Ending,
}

impl Minute {
    /// Begins the minute of `now`, when that is another one.
    fn turn(&mut self, now: TimeMs) {
        let number = now.div_euclid(MINUTE_MS);
        if number != self.number {
            self.end();
            self.number = number;
        }
    }

    fn end(&mut self) {
        self.written = 0;
        let counted: Vec<_> = self.sources.drain().filter(|(_, count)| count.counted > 0).collect();
        self.keep(counted);
    }

    /// Keeps counts until they can be written, while there is room.
    fn keep(&mut self, counts: Vec<(Source, Count)>) {
        let room = MAX_SOURCES.saturating_sub(self.over.len());
        let lost = counts.len().saturating_sub(room);
        if lost > 0 {
            tracing::error!(target: "security", "the record is full: counts of {lost} refused callers are lost");
        }
        self.over.extend(counts.into_iter().take(room));
    }

    fn count(&mut self, call: &Call, now: TimeMs) -> &mut Count {
        let source = Source { client: call.client.clone(), code: call.code, endpoint: call.endpoint.clone() };
        let known = self.sources.len() < MAX_SOURCES || self.sources.contains_key(&source);
        let source = if known {
            source
        } else {
            Source { client: SEVERAL.into(), endpoint: SEVERAL.into(), ..source }
        };
        self.sources.entry(source).or_insert_with(|| Count {
            seen: 0,
            counted: 0,
            lumped: !known,
            scope: call.own_scope().filter(|_| known),
            actor: if known { call.actor().to_owned() } else { SEVERAL.to_owned() },
            first: now,
            last: now,
        })
    }
}

/// Sees a refused call; gives the work of putting it on record, where it is to have an entry of its own. Nobody has to
/// wait for it.
pub fn refused(engine: &Arc<Engine>, call: Call) -> Option<impl Future<Output = ()> + Send + 'static> {
    let now = engine.clock().now().wall;
    if !call.is_covered() || !engine.refusals().see(&call, now) {
        return None;
    }
    let engine = Arc::clone(engine);
    Some(async move {
        let pass = pass_of(call.actor(), &call.client, Some(call.request_id.clone()));
        let told = call.clone();
        let written = engine.enter(pass, Urgency::Normal, move |act| single(act, &told)).await;
        // Whatever the reason, it was refused all the same, and is told with the others of its minute.
        if written.is_err() {
            engine.refusals().unwritten(&call, now);
        }
    })
}

fn pass_of(actor: &str, client: &str, request_id: Option<String>) -> Pass {
    let caller = Caller { owner: actor.to_owned(), ..Caller::anonymous() };
    let client = (client != SEVERAL).then(|| client.to_owned());
    Pass { caller, request_id, client }
}

fn single(act: &mut Act<'_>, call: &Call) -> Result<(), Refusal> {
    let scope = call.decided_scope(act)?.or_else(|| call.own_scope());
    let told = told(act, scope.as_deref(), &call.endpoint, call.code);
    let target = call.named.map_or(told.target.clone(), |id| id.to_string());
    act.audit(Told { target, ..told })
}

/// The chain of a scope that is there, else the store's own: a stranger makes no chains.
fn told(act: &Act<'_>, scope: Option<&str>, endpoint: &str, code: Code) -> Told {
    let scope = scope.filter(|scope| act.memory.names.scope_key(scope).is_some());
    let told = Told::done(scope.unwrap_or(SYSTEM_SCOPE), Action::Refused, endpoint);
    Told { result: ActResult::Refused, ..told }.with("code", code.as_str()).with("call", endpoint)
}

/// Writes the counts of minutes that are over; says how many.
///
/// # Errors
/// When they cannot be written: they are kept for the next time.
pub async fn write_counts(engine: &Engine) -> Result<usize, Refusal> {
    write(engine, When::Over).await
}

/// The same for the present minute too: the server ends.
///
/// # Errors
/// When they cannot be written.
pub async fn write_all(engine: &Engine) -> Result<(), Refusal> {
    while write(engine, When::Ending).await? > 0 {}
    Ok(())
}

async fn write(engine: &Engine, when: When) -> Result<usize, Refusal> {
    let counts = engine.refusals().take(engine.clock().now().wall, when);
    if counts.is_empty() {
        return Ok(0);
    }
    let total = counts.len();
    // One deed an entry, as the actor and the address belong to the pass.
    let mut left = Vec::new();
    let mut refusal = None;
    for (source, count) in counts {
        let pass = pass_of(&count.actor, &source.client, None);
        let (of, counted) = (source.clone(), count.clone());
        let written = engine.enter(pass, Urgency::Normal, move |act| sum(act, &of, &counted)).await;
        if let Err(error) = written {
            refusal = Some(error);
            left.push((source, count));
        }
    }
    engine.refusals().put_back(left);
    refusal.map_or(Ok(total), Err)
}

fn sum(act: &mut Act<'_>, source: &Source, count: &Count) -> Result<(), Refusal> {
    let told = told(act, count.scope.as_deref(), &source.endpoint, source.code);
    let told = told.with("count", count.counted).with("first", rfc3339(count.first));
    act.audit(told.with("last", rfc3339(count.last)))
}

#[cfg(test)]
mod tests;
