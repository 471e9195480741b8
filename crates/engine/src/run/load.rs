//! A run from its rows: at start, and when one that has ended goes on.

use super::thing::thing;
use crate::act::{Act, refusal_of};
use crate::memory::Parts;
use crate::memory::run::Live;
use crate::pipeline::known;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::graph::Graph;
use tiltyard_model::run::rows::Rows as Kept;
use tiltyard_model::run::stage::State;
use tiltyard_model::run::window::Rest;
use tiltyard_model::run::{Going, Head, Item, Part, Run, Stopping};
use tiltyard_store::Rows;
use tiltyard_store::run::boot;
use tiltyard_store::task::boot::Between;

/// A run that has ended, to go on.
///
/// # Errors
/// When its rows are not whole, or the store is broken.
pub(super) fn load(act: &Act<'_>, run: i64) -> Result<Live, Refusal> {
    let found = boot::one(act.tx, run).map_err(refusal_of)?.ok_or_else(|| torn("it is not there"))?;
    let graph = graph_of(act.tx, act.memory, found.version)?;
    live_of(graph, &found)
}

fn graph_of(rows: &Rows, parts: &Parts, version: i64) -> Result<Arc<Graph>, Refusal> {
    match parts.runs.graph(version) {
        Some(graph) => Ok(graph),
        None => known::graph(rows, version).map(Arc::new),
    }
}

fn torn(why: &str) -> Refusal {
    Refusal::new(Code::Internal, format!("a run cannot go on, for its rows are not whole: {why}"))
}

fn live_of(graph: Arc<Graph>, found: &boot::Live) -> Result<Live, Refusal> {
    let head =
        Head { state: found.state, reruns: found.reruns, stops: found.stops, counts: [0; 8], items: 0 };
    let stages = found.stages.iter().map(|row| (row.index, row.stage.clone()));
    let kept = Kept {
        head,
        stages: stages.collect(),
        windows: found.windows.clone(),
        stopping: found.stopping.iter().map(|part| (*part, Stopping::Asked)).collect(),
    };
    let run = Run::of_rows(&graph, kept).map_err(|error| torn(&error.to_string()))?;
    Ok(Live {
        scope: found.scope,
        version: found.version,
        graph,
        run,
        parent: found.parent,
        root: found.root,
        depth: found.depth,
        scheduled: found.slot.is_some(),
    })
}

/// Every run that is under way or still stopping, at start. One whose rows are not whole is told of and left: it must not
/// go on by guesses, nor keep the others from it.
///
/// # Errors
/// When the store is broken; what `between` says.
pub(crate) fn boot(rows: &Rows, parts: &mut Parts, between: Between<'_>) -> tiltyard_store::Result<()> {
    let mut failed = None;
    boot::boot(rows, between, |found| {
        if failed.is_some() {
            return;
        }
        let live = graph_of(rows, parts, found.version).and_then(|graph| live_of(graph, &found));
        match live {
            Ok(live) => failed = know(rows, parts, &found, live).err(),
            Err(refusal) => {
                tracing::error!(target: "scheduler", run = found.key, "left as it is: {refusal}");
            }
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn know(rows: &Rows, parts: &mut Parts, found: &boot::Live, live: Live) -> tiltyard_store::Result<()> {
    let run = found.key;
    for stage in found.stages.iter().filter(|row| row.stage.state.is_active()) {
        let part = Part { stage: stage.index, attempt: stage.stage.attempt, item: None };
        match stage.thing {
            Some(key) if live.sort(part).is_task() => parts.runs.know_task(key, run, part),
            None if stage.stage.state == State::Ready => parts.runs.know_to_begin(run, part),
            _ => {}
        }
    }
    for (part, key) in found.things.iter().filter(|(part, _)| live.sort(*part).is_task()) {
        parts.runs.know_task(*key, run, *part);
    }
    for (stage, window) in &found.windows {
        let attempt = live.run.stage(*stage).attempt;
        for (index, open) in &window.open {
            let item = Item { index: *index, attempt: open.attempt };
            let part = Part { stage: *stage, attempt, item: Some(item) };
            let begins = open.going == Going::Ready && open.rest == Rest::No;
            if begins && !found.things.iter().any(|(known, _)| *known == part) {
                parts.runs.know_to_begin(run, part);
            }
        }
    }
    for part in &found.stopping {
        if live.sort(*part).is_task()
            && let Some(key) = thing(rows, run, *part)?
        {
            parts.runs.know_task(key, run, *part);
        }
    }
    parts.runs.know(run, Box::new(live));
    Ok(())
}
