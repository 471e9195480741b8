//! One thing done to many letters, a hundred a transaction, so that nobody else waits for all of them (D10, D12).

use super::{delete, dismiss, reopen, retry_at};
use crate::act::{Act, refusal_of};
use crate::task::retry::Edit;
use crate::{Engine, Pass, Urgency};
use tiltyard_model::dead_letter::{GroupRetry, State, Turn};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Kind, Refusal};
use tiltyard_store::dead_letter::{self, Filter};

/// Most letters of one transaction.
const LETTERS_AT_ONCE: usize = 100;
/// Most letters of one request.
pub const MAX_BULK_LETTERS: u32 = 10_000;

/// What is done to each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// Run it again.
    Retry,
    /// Set it aside, for this reason.
    Dismiss(String),
    /// Bring it back.
    Reopen,
    /// Remove it for good.
    Delete,
}

/// To which letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// To these.
    Ids(Vec<Id>),
    /// To all that a filter finds now; it must be one of [`super::list::filter_for`].
    Filter(Filter),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bulked {
    /// How many letters were meant and are there.
    pub matched: u64,
    /// How many of them changed; the others were in a state that the thing does not fit.
    pub changed: u64,
}

/// Does one thing to many letters. Each is done or left as it is; what was done before a failure stands.
///
/// # Errors
/// 422 for too many ids; what the store says.
pub async fn bulk(engine: &Engine, pass: Pass, which: Which, thing: Thing) -> Result<Bulked, Refusal> {
    let keys = keys(engine, which).await?;
    let mut bulked = Bulked::default();
    for part in keys.chunks(LETTERS_AT_ONCE) {
        let (part, thing) = (part.to_vec(), thing.clone());
        let deed = move |act: &mut Act<'_>| some(act, &part, &thing);
        let done = engine.enter(pass.clone(), Urgency::Normal, deed).await?;
        bulked.matched += done.matched;
        bulked.changed += done.changed;
    }
    Ok(bulked)
}

async fn keys(engine: &Engine, which: Which) -> Result<Vec<i64>, Refusal> {
    match which {
        Which::Ids(ids) if ids.len() > MAX_BULK_LETTERS as usize => {
            Err(Refusal::field("/ids", "must be at most 10,000 ids"))
        }
        Which::Ids(ids) => {
            let forge = engine.store().forge();
            let own = ids.into_iter().filter(|id| id.noun() == Noun::DeadLetter);
            let mut keys: Vec<i64> = own.filter_map(|id| forge.key(id)).collect();
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        }
        Which::Filter(filter) => {
            let read = move |rows: &_| dead_letter::keys(rows, &filter, MAX_BULK_LETTERS).map_err(refusal_of);
            engine.read(read).await
        }
    }
}

fn some(act: &mut Act<'_>, keys: &[i64], thing: &Thing) -> Result<Bulked, Refusal> {
    let mut bulked = Bulked::default();
    for key in keys {
        let id = act.id(Noun::DeadLetter, *key);
        match act.part(|act| one(act, id, thing))? {
            Ok(()) => bulked.changed += 1,
            Err(refusal) if refusal.kind() == Kind::Missing => continue,
            Err(refusal) => unfit(refusal, *thing == Thing::Retry)?,
        }
        bulked.matched += 1;
    }
    Ok(bulked)
}

fn one(act: &mut Act<'_>, id: Id, thing: &Thing) -> Result<(), Refusal> {
    match thing {
        Thing::Retry => retry_at(act, id, &Edit::default(), None),
        Thing::Dismiss(reason) => dismiss(act, id, reason).map(drop),
        Thing::Reopen => reopen(act, id).map(drop),
        Thing::Delete => delete(act, id),
    }
}

/// A letter that is in another state, or whose task cannot run again (as it is, or not before its turn), is left as it
/// is; anything else ends the request.
fn unfit(refusal: Refusal, retry: bool) -> Result<(), Refusal> {
    match refusal.kind() {
        Kind::Conflict => Ok(()),
        // Whoever retries many says nothing that could be wrong about one of them.
        Kind::Invalid if retry => Ok(()),
        _ => Err(refusal),
    }
}

/// What a group's retry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Started {
    /// How many letters were pending.
    pub matched: u64,
    /// How many run again at once.
    pub started: u64,
    /// How many follow, at the rate.
    pub scheduled: u64,
}

/// Retries the pending letters of one cause by a plan, the oldest first: some at once, the rest at a rate (D12). `filter`
/// says whose; it must be one of [`super::list::filter_for`].
///
/// # Errors
/// 404 for a group that has no letter; 422 for a plan out of bounds; what the store says.
pub async fn retry_group(
    engine: &Engine,
    pass: Pass,
    filter: Filter,
    fingerprint: &str,
    plan: GroupRetry,
) -> Result<Started, Refusal> {
    let plan = plan.admit()?;
    let all = Filter { fingerprint: Some(fingerprint.to_owned()), state: None, ..filter };
    let pending = Filter { state: Some(State::Pending), ..all.clone() };
    let read = move |rows: &_| {
        let there = dead_letter::count(rows, &all, 1).map_err(refusal_of)?;
        let pending = dead_letter::keys(rows, &pending, MAX_BULK_LETTERS).map_err(refusal_of)?;
        Ok((there, pending))
    };
    let (there, keys) = engine.read(read).await?;
    if there == 0 {
        return Err(Refusal::missing("group of dead letters", tiltyard_model::visible::line(fingerprint)));
    }
    let mut started = Started { matched: keys.len() as u64, ..Started::default() };
    let now = engine.clock().now().wall;
    let turns = keys.into_iter().zip(0..).map(|(key, index)| (key, plan.turn(index, now)));
    let turns: Vec<(i64, Turn)> = turns.take_while(|(_, turn)| *turn != Turn::Later).collect();
    for part in turns.chunks(LETTERS_AT_ONCE) {
        let part = part.to_vec();
        let deed = move |act: &mut Act<'_>| start(act, &part);
        let done = engine.enter(pass.clone(), Urgency::Normal, deed).await?;
        started.started += done.started;
        started.scheduled += done.scheduled;
    }
    Ok(started)
}

fn start(act: &mut Act<'_>, turns: &[(i64, Turn)]) -> Result<Started, Refusal> {
    let mut started = Started::default();
    for (key, turn) in turns {
        let id = act.id(Noun::DeadLetter, *key);
        let (not_before, count) = match turn {
            Turn::At(time) => (Some(*time), &mut started.scheduled),
            Turn::Now | Turn::Later => (None, &mut started.started),
        };
        match act.part(|act| retry_at(act, id, &Edit::default(), not_before))? {
            Ok(()) => *count += 1,
            Err(refusal) if refusal.kind() == Kind::Missing => {}
            Err(refusal) => unfit(refusal, true)?,
        }
    }
    Ok(started)
}
