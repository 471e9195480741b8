//! Waits for events (D28): what came after the run began counts, also where it came before the wait. The log is looked through outside
//! of the door; inside, the wait must still be there.

use super::advance::{News, Told, advance};
use crate::act::{Act, refusal_of};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use tiltyard_model::event::Type;
use tiltyard_model::pipeline::{OutputKind, RESULT};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::wait::Seen;
use tiltyard_model::run::{Outcome, Part};
use tiltyard_model::time::rfc3339;
use tiltyard_store::Rows;
use tiltyard_store::event::{Event, Filter, between, bounds};
use tiltyard_store::run::output::{self, MAX_VALUE_BYTES, Of, Put};
use tiltyard_store::run::wait::{self, Found};

/// Most waits for events that are looked after; further ones have their turn when some of these are over.
pub(crate) const MAX_EVENT_WAITS: u32 = 10_000;
/// Events of a look: those that lie further on are next.
const EVENTS_OF_A_LOOK: i64 = 10_000;
/// Events that somebody waits for which are read in one look.
const MAX_FITTING: usize = 1_000;
/// After so many events it is kept how far a wait has looked: so many are looked through again after a restart.
const KEEP_EVERY_EVENTS: i64 = 10_000;
/// Most waits that are written in one deed.
pub(crate) const MAX_WRITTEN: usize = 256;

/// A wait, by its run and part.
pub(crate) type Key = (i64, Part);
/// How far each wait has looked, beyond what its row says. Lost with the process, and found again.
pub(crate) type Looked = HashMap<Key, i64>;

/// What a look through the log has found.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The waits that are over, each with its event as JSON text.
    pub met: Vec<(Key, String)>,
    /// How far others have looked; to be kept.
    pub keep: Vec<(Key, i64)>,
    /// How far all of them have looked.
    pub looked: Looked,
    /// Whether some of them are behind the log.
    pub is_behind: bool,
    /// The last event there was.
    pub last_seq: i64,
}

/// Looks through a part of the log. Those that are near its end go first and together, so that one that has to look back a long
/// way keeps nobody waiting.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn look(rows: &Rows, looked: &Looked) -> Result<Look, Refusal> {
    let mut waits = wait::page(rows, 0, MAX_EVENT_WAITS).map_err(refusal_of)?;
    let (_, last_seq) = bounds(rows).map_err(refusal_of)?;
    let mut look = Look { last_seq, ..Look::default() };
    let at = |found: &Found| {
        let known = looked.get(&(found.run, found.part)).copied();
        known.unwrap_or(found.seen_seq).max(found.seen_seq)
    };
    waits.retain(|found| {
        let is_done = at(found) >= last_seq;
        if is_done {
            look.looked.insert((found.run, found.part), at(found));
        }
        !is_done
    });
    let (near, far): (Vec<_>, Vec<_>) = waits
        .into_iter()
        .map(|found| (at(&found), found))
        .partition(|(at, _)| last_seq - at <= EVENTS_OF_A_LOOK);
    for group in [near, far] {
        pass(rows, group, &mut look)?;
    }
    Ok(look)
}

/// One pass over the log, from where the one of these begins that has looked least far.
fn pass(rows: &Rows, group: Vec<(i64, Found)>, look: &mut Look) -> Result<(), Refusal> {
    let Some(from) = group.iter().map(|(at, _)| *at).min() else { return Ok(()) };
    let mut upto = look.last_seq.min(from + EVENTS_OF_A_LOOK);
    let types: BTreeSet<Type> = group.iter().map(|(_, found)| found.wait.kind).collect();
    let filter = Filter { types: Some(types.into_iter().collect()), ..Filter::default() };
    let events = between(rows, (from, upto), &filter, MAX_FITTING).map_err(refusal_of)?;
    if let Some(last) = events.last().filter(|_| events.len() == MAX_FITTING) {
        upto = last.seq;
    }
    let mut by_type: HashMap<Type, Vec<(&Event, String)>> = HashMap::new();
    for event in &events {
        by_type.entry(event.kind).or_default().push((event, event.subject.to_string()));
    }
    for (at, found) in group {
        let key = (found.run, found.part);
        let is_met = |(event, subject): &&(&Event, String)| {
            let seen = Seen { seq: event.seq, kind: event.kind, subject, scope: &event.scope };
            event.seq > at && found.wait.is_met_by(seen)
        };
        match by_type.get(&found.wait.kind).and_then(|events| events.iter().find(is_met)) {
            Some((event, _)) => look.met.push((key, as_json(event))),
            None => {
                let now = at.max(upto);
                if now - found.seen_seq >= KEEP_EVERY_EVENTS {
                    look.keep.push((key, now));
                }
                look.looked.insert(key, now);
                look.is_behind |= now < look.last_seq;
            }
        }
    }
    Ok(())
}

/// The event as stages look it up. What is too large for that is left out of it.
fn as_json(event: &Event) -> String {
    let mut shown = json!({
        "id": format!("{}-{}", event.epoch, event.seq),
        "seq": event.seq,
        "type": event.kind.wire(),
        "subject": event.subject.to_string(),
        "scope": event.scope,
        "actor": event.actor,
        "time": rfc3339(event.time),
        "data": serde_json::from_str::<Value>(&event.data).unwrap_or_default(),
    });
    let text = shown.to_string();
    if text.len() <= MAX_VALUE_BYTES {
        return text;
    }
    shown["data"] = Value::Null;
    shown.to_string()
}

/// Writes what a look has found; what is waited for no longer is left.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn met(act: &mut Act<'_>, met: &[(Key, String)], keep: &[(Key, i64)]) -> Result<(), Refusal> {
    for ((run, part), event) in met {
        act.one_of_many("a wait for an event", *run, |act| end(act, *run, *part, event))?;
    }
    for ((run, part), seq) in keep {
        if wait::get(act.tx, *run, *part).map_err(refusal_of)?.is_some() {
            wait::advance(act.tx, *run, *part, *seq).map_err(refusal_of)?;
        }
    }
    Ok(())
}

fn end(act: &mut Act<'_>, run: i64, part: Part, event: &str) -> Result<(), Refusal> {
    if wait::get(act.tx, run, part).map_err(refusal_of)?.is_none() {
        return Ok(());
    }
    wait::end(act.tx, run, part).map_err(refusal_of)?;
    tiltyard_store::run::timer::forget_part(act.tx, run, part).map_err(refusal_of)?;
    let told = match part.item {
        Some(_) => Told { result: Some(event.to_owned()), ..Told::default() },
        None => {
            let of = Of { run, stage: part.stage, attempt: part.attempt, item: None };
            let kind = OutputKind::Document;
            let new = Put { name: RESULT, kind, artifact: None, value: Some(event) };
            output::put(act.tx, of, &new).map_err(refusal_of)?;
            Told::default()
        }
    };
    advance(act, &News { told, ..News::of(run, Outcome::Succeeded(part)) })
}
