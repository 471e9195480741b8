//! Searching, as a reader: names first, then what has ids, newest first. One search looks at a bounded number of rows and
//! says where the next one goes on; nothing is kept for it, so that a task costs no more to submit.

use crate::act::{Act, refusal_of};
use crate::agent;
use crate::artifact as artifacts;
use crate::change::read as changes;
use crate::dead_letter::list as letters;
use crate::gate::read as gates;
use crate::task::access::may_reach;
use crate::task::list as tasks;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Kind as Sort, Refusal};
use tiltyard_model::role::{Caller, SYSTEM_SCOPE};
use tiltyard_model::search::{Kind, Words};
use tiltyard_store::Rows;
use tiltyard_store::search::{self, Seen};

/// Most names, or things of one kind, that one search looks at.
pub const MAX_LOOKED_ROWS: u32 = 5_000;

/// Where a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the names, after so many.
    Names(u32),
    /// At the things with a key below this one.
    Things(i64),
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The words.
    pub words: Words,
    /// Scopes by name; `None` for all of the caller's.
    pub scopes: Option<Vec<String>>,
    /// Kinds; empty for all.
    pub kinds: Vec<Kind>,
    /// Where it begins.
    pub place: Place,
    /// How many at most.
    pub limit: usize,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Its id; `None` for what bears a name.
    pub id: Option<Id>,
    /// Its scope; `None` for agents.
    pub scope: Option<String>,
    /// The word of its state, where it has one.
    pub state: Option<String>,
    /// Its name or title.
    pub title: String,
}

/// What was found, and where the search goes on; `None` when everything has been looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The hits, in order.
    pub hits: Vec<Hit>,
    /// Where it goes on.
    pub next: Option<Place>,
}

/// Looks from a place on. Agents are told as they are: see [`visible_agents`].
///
/// # Errors
/// When the store is broken.
pub fn search(rows: &Rows, caller: &Caller, asked: &Search) -> Result<Found, Refusal> {
    let mut found = Found { hits: Vec::new(), next: None };
    let below = match asked.place {
        Place::Things(below) => below,
        Place::Names(after) => {
            look_at_names(rows, caller, asked, after, &mut found)?;
            i64::MAX
        }
    };
    match found.next {
        Some(_) => {}
        // The names filled the page to its last place.
        None if found.hits.len() == asked.limit => found.next = Some(Place::Things(i64::MAX)),
        None => look_at_things(rows, caller, asked, below, &mut found)?,
    }
    Ok(found)
}

fn look_at_names(
    rows: &Rows,
    caller: &Caller,
    asked: &Search,
    after: u32,
    found: &mut Found,
) -> Result<(), Refusal> {
    let seen = search::names(rows, after, MAX_LOOKED_ROWS).map_err(refusal_of)?;
    let is_whole = (seen.len() as u32) < MAX_LOOKED_ROWS;
    found.next = (!is_whole).then(|| Place::Names(after + seen.len() as u32));
    for (place, seen) in seen.into_iter().enumerate() {
        if !is_meant(caller, asked, &seen) {
            continue;
        }
        if found.hits.len() == asked.limit {
            found.next = Some(Place::Names(after + place as u32));
            break;
        }
        found.hits.push(hit(rows, seen));
    }
    Ok(())
}

fn look_at_things(
    rows: &Rows,
    caller: &Caller,
    asked: &Search,
    below: i64,
    found: &mut Found,
) -> Result<(), Refusal> {
    let mut seen = search::things(rows, below, MAX_LOOKED_ROWS).map_err(refusal_of)?;
    seen.sort_by_key(|seen| std::cmp::Reverse(seen.key));
    let end = end_of_look(&seen);
    found.next = end.map(Place::Things);
    seen.retain(|seen| end.is_none_or(|end| seen.key >= end) && is_meant(caller, asked, seen));
    let room = asked.limit - found.hits.len();
    if seen.len() > room {
        // There is room for one at least: else the names had filled the page.
        found.next = Some(Place::Things(seen[room - 1].key));
        seen.truncate(room);
    }
    found.hits.extend(seen.into_iter().map(|seen| hit(rows, seen)));
    Ok(())
}

/// The key down to which everything has been seen: where the first of the kinds broke off. `None` when none did.
fn end_of_look(seen: &[Seen]) -> Option<i64> {
    let end_of = |kind: Kind| {
        let keys = seen.iter().filter(|seen| seen.kind == kind).map(|seen| seen.key);
        let (count, last) = keys.fold((0, i64::MAX), |(count, last), key| (count + 1, last.min(key)));
        (count == MAX_LOOKED_ROWS).then_some(last)
    };
    Kind::ALL.into_iter().filter_map(end_of).max()
}

fn hit(rows: &Rows, seen: Seen) -> Hit {
    let id = seen.kind.noun().map(|noun| rows.id(noun, seen.key));
    Hit { kind: seen.kind, id, scope: seen.scope, state: seen.state, title: seen.title }
}

/// Whether it is looked for, and the caller may know of it (SEC4).
fn is_meant(caller: &Caller, asked: &Search, seen: &Seen) -> bool {
    let reaches = |scope: &str| match &seen.queue {
        Some(queue) => may_reach(caller, scope, queue),
        None => caller.reach.covers(scope),
    };
    let is_there = match (&seen.scope, &asked.scopes) {
        (None, _) => true,
        (Some(scope), named) => {
            scope != SYSTEM_SCOPE
                && named.as_ref().is_none_or(|named| named.contains(scope))
                && reaches(scope)
        }
    };
    is_there
        && (asked.kinds.is_empty() || asked.kinds.contains(&seen.kind))
        && asked.words.are_in([&seen.title, &seen.more])
}

/// The one thing of an id; nothing for an id that the caller may not know of.
///
/// # Errors
/// When the store is broken.
pub fn by_id(rows: &Rows, caller: &Caller, id: Id) -> Result<Option<Hit>, Refusal> {
    let hit = |kind, scope, state: Option<&str>, title| {
        Some(Hit { kind, id: Some(id), scope: Some(scope), state: state.map(str::to_owned), title })
    };
    Ok(match id.noun() {
        Noun::Task => known(tasks::get(rows, caller, id))?.and_then(|found| {
            let task = found.task;
            hit(Kind::Task, task.spec.scope, Some(task.state.as_str()), task.spec.title)
        }),
        Noun::DeadLetter => known(letters::get(rows, caller, id))?.and_then(|letter| {
            hit(Kind::DeadLetter, letter.scope, Some(letter.state.as_str()), letter.title)
        }),
        Noun::Change => match known(changes::get(rows, caller, id))? {
            Some(found) => {
                let title = title_of(rows, caller, found.change.task)?;
                hit(Kind::Change, found.change.scope, Some(found.change.state.as_str()), title)
            }
            None => None,
        },
        Noun::Gate => known(gates::get(rows, caller, id))?.and_then(|found| {
            let state = found.gate.state.as_str();
            hit(Kind::Gate, found.scope_name, Some(state), String::new())
        }),
        Noun::Artifact => {
            let found = known(artifacts::get(rows, caller, id))?;
            found
                .and_then(|found| hit(Kind::Artifact, found.scope_name, None, found.name.unwrap_or_default()))
        }
        Noun::Run => {
            let found = tiltyard_store::run::get(rows, id).map_err(refusal_of)?;
            let found = found.filter(|found| caller.reach.covers(&found.scope_name));
            found.and_then(|found| {
                let title = found.made.title.or(found.made.pipeline).unwrap_or_default();
                hit(Kind::Run, found.scope_name, Some(found.standing.state.as_str()), title)
            })
        }
        Noun::Token | Noun::Act | Noun::Backup => None,
    })
}

fn title_of(rows: &Rows, caller: &Caller, task: Id) -> Result<String, Refusal> {
    Ok(known(tasks::get(rows, caller, task))?.map(|found| found.task.spec.title).unwrap_or_default())
}

/// What is not there, or not the caller's, is no hit.
fn known<T>(found: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match found {
        Err(refusal) if refusal.kind() == Sort::Missing => Ok(None),
        other => other.map(Some),
    }
}

/// Which of these agents the caller may know of: only the door knows whom they serve.
pub fn visible_agents(act: &Act<'_>, names: &[String]) -> Vec<String> {
    names.iter().filter(|name| agent::is_seen(act, name)).cloned().collect()
}
