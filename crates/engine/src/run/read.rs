//! Runs as they are read: one in full, many, the items of a list, and what stages put out.

use super::find::by_key;
use crate::act::refusal_of;
use crate::pipeline::known;
use crate::scope::of_read;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::run::graph::{Graph, Sort};
use tiltyard_model::run::stage::State as StageState;
use tiltyard_model::run::{Progress, State};
use tiltyard_model::task::State as TaskState;
/// An artifact of a run.
pub use tiltyard_store::run::artifact::{Made, Place};
use tiltyard_store::run::item::List;
/// Which runs, and which part of them.
pub use tiltyard_store::run::list::Filter;
use tiltyard_store::run::{self, Found, attempt, item, output, stage};
/// An item of a list, and what a stage put out.
pub use tiltyard_store::run::{item::Item, output::Output};
pub use tiltyard_store::task::list::Window;
use tiltyard_store::{Rows, pipeline, task};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;
/// Most gates that a run is said to wait for.
pub const MAX_GATES_TOLD: usize = 20;
/// Most tasks of a run whose states are looked at for its stages; more are at work only for the items of lists.
const MAX_TASKS_LOOKED: u32 = 4_096;
/// Most items that are looked at together where some are passed over.
const PASSED_ITEMS: u32 = 500;

/// A run as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The run.
    pub found: Found,
    /// The digest of its definition.
    pub sha256: String,
    /// How far it is.
    pub progress: Progress,
    /// The gates that it waits for, the first [`MAX_GATES_TOLD`].
    pub gates: Vec<Id>,
    /// What of another run it is.
    pub parent: Option<Parent>,
}

/// The part of another run that a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// That run.
    pub run: Id,
    /// Its stage.
    pub stage: String,
    /// The item of that stage's list.
    pub item: Option<u32>,
    /// The run that nobody's stage started.
    pub root: Id,
}

/// A run in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What is listed of it.
    pub listed: Listed,
    /// The stages of its pipeline.
    pub graph: Arc<Graph>,
    /// Its input, JSON text.
    pub input: String,
    /// Its stages by index.
    pub stages: Vec<Stage>,
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its id.
    pub id: String,
    /// What carries its attempt out: a task, a gate, a run.
    pub thing: Option<Id>,
    /// Where it stands, and since when.
    pub found: stage::Found,
    /// Where its task stands while it moves.
    pub task: Option<TaskState>,
    /// The end of its attempt, where that is over.
    pub end: Option<attempt::Attempt>,
    /// What its attempt has put out.
    pub outputs: Vec<Output>,
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Listed>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// Runs are read whole or not at all: whoever has only some queues, or is an agent, would see others' work.
fn may_see(caller: &Caller, scope: &str) -> bool {
    caller.reach.covers(scope) && caller.queues.is_none() && caller.agent.is_none()
}

/// One run that the caller may see.
///
/// # Errors
/// 404.
pub fn find(rows: &Rows, caller: &Caller, id: Id) -> Result<Found, Refusal> {
    let found = run::get(rows, id).map_err(refusal_of)?;
    found.filter(|found| may_see(caller, &found.scope_name)).ok_or_else(|| Refusal::missing("run", id))
}

/// One run in full.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Shown, Refusal> {
    let found = find(rows, caller, id)?;
    shown(rows, found)
}

/// A run in full, whoever asks.
///
/// # Errors
/// When the store is broken.
pub fn shown(rows: &Rows, found: Found) -> Result<Shown, Refusal> {
    let graph = Arc::new(known::graph(rows, found.made.version)?);
    let stages = stage::all(rows, found.key).map_err(refusal_of)?;
    let input = run::input(rows, found.key).map_err(refusal_of)?.unwrap_or_else(|| "{}".to_owned());
    let listed = Listed {
        sha256: digest(rows, found.made.version)?,
        progress: progress(&stages),
        gates: gates(rows, &graph, &stages),
        parent: Versions::default().parent(rows, &found)?,
        found,
    };
    let stages = whole(rows, (listed.found.key, &graph), stages)?;
    Ok(Shown { listed, graph, input, stages })
}

/// The id of a stage.
fn named(graph: &Graph, stage: u32) -> String {
    if stage < graph.len() { graph.node(stage).id.clone() } else { String::new() }
}

/// The noun of what carries out this sort of work; `None` for what has rows of its own.
const fn noun(sort: Sort) -> Option<Noun> {
    match sort {
        Sort::Command | Sort::Agent | Sort::Change => Some(Noun::Task),
        Sort::Gate => Some(Noun::Gate),
        Sort::Pipeline => Some(Noun::Run),
        Sort::Http | Sort::Wait | Sort::Foreach => None,
    }
}

/// What carries out this sort of work, by its key.
pub fn thing(rows: &Rows, sort: Option<Sort>, key: Option<i64>) -> Option<Id> {
    sort.and_then(noun).zip(key).map(|(noun, key)| rows.id(noun, key))
}

fn digest(rows: &Rows, version: i64) -> Result<String, Refusal> {
    let found = pipeline::digest(rows, version).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::new(Code::Internal, "the version of a run's pipeline is not in the store"))
}

/// The stages with what belongs to each, read by run and not by stage.
fn whole(rows: &Rows, (run, graph): (i64, &Graph), stages: Vec<stage::Found>) -> Result<Vec<Stage>, Refusal> {
    let ends = attempt::current(rows, run).map_err(refusal_of)?;
    let mut ends: BTreeMap<u32, attempt::Attempt> = ends.into_iter().map(|end| (end.stage, end)).collect();
    let mut outputs: BTreeMap<u32, Vec<Output>> = BTreeMap::new();
    for (stage, output) in output::current(rows, run).map_err(refusal_of)? {
        outputs.entry(stage).or_default().push(output);
    }
    let moves = stages.iter().any(|found| found.stage.state == StageState::Ready && found.thing.is_some());
    let tasks: BTreeMap<i64, TaskState> = match moves {
        true => {
            task::list::moving_of_run(rows, run, MAX_TASKS_LOOKED).map_err(refusal_of)?.into_iter().collect()
        }
        false => BTreeMap::new(),
    };
    let sort = |index: u32| (index < graph.len()).then(|| graph.node(index).uses);
    let of = |found: stage::Found| Stage {
        id: named(graph, found.index),
        thing: thing(rows, sort(found.index), found.thing),
        task: found.thing.and_then(|thing| tasks.get(&thing).copied()),
        end: ends.remove(&found.index).filter(|_| found.stage.state.is_final()),
        outputs: outputs.remove(&found.index).unwrap_or_default(),
        found,
    };
    Ok(stages.into_iter().map(of).collect())
}

/// How far a run is, by its stages.
fn progress(stages: &[stage::Found]) -> Progress {
    let mut progress =
        Progress { stages: u32::try_from(stages.len()).unwrap_or(u32::MAX), ..Progress::default() };
    for found in stages {
        progress.ended += u32::from(found.stage.state.is_final());
        if let Some(tally) = found.tally {
            progress.items += tally.total;
            progress.items_ended += tally.succeeded + tally.failed;
            progress.items_failed += tally.failed;
        }
    }
    progress
}

/// The gates that stages wait for.
fn gates(rows: &Rows, graph: &Graph, stages: &[stage::Found]) -> Vec<Id> {
    let waits = |found: &&stage::Found| {
        found.stage.state == StageState::Waiting
            && found.index < graph.len()
            && graph.node(found.index).uses == Sort::Gate
    };
    let things = stages.iter().filter(waits).filter_map(|found| found.thing);
    things.take(MAX_GATES_TOLD).map(|key| rows.id(Noun::Gate, key)).collect()
}

/// A page of the runs that the caller may see, newest first; of one scope when it is named.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn page(
    rows: &Rows,
    caller: &Caller,
    scope: Option<&str>,
    (filter, window): (&Filter, Window),
) -> Result<Page, Refusal> {
    let filter = Filter { scopes: of_read(caller, scope)?, ..filter.clone() };
    let wider = Window { limit: window.limit + 1, ..window };
    let mut found = run::list::page(rows, &filter, wider).map_err(refusal_of)?;
    let more = found.len() > window.limit as usize;
    found.truncate(window.limit as usize);
    let next = found.last().filter(|_| more).map(|found| found.key);
    let total = run::list::count(rows, &filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    let mut versions = Versions::default();
    let items = found.into_iter().map(|found| versions.listed(rows, found)).collect::<Result<_, _>>()?;
    Ok(Page { items, next, total })
}

/// What runs of one page share.
#[derive(Default)]
struct Versions {
    digests: BTreeMap<i64, String>,
    graphs: BTreeMap<i64, Graph>,
    above: BTreeMap<i64, i64>,
}

impl Versions {
    /// One that has ended says how far it came; one that moves is counted.
    fn listed(&mut self, rows: &Rows, found: Found) -> Result<Listed, Refusal> {
        let version = found.made.version;
        let sha256 = match self.digests.entry(version) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => place.insert(digest(rows, version)?).clone(),
        };
        let parent = self.parent(rows, &found)?;
        if let (true, Some(progress)) = (found.standing.state.is_final(), found.standing.progress) {
            return Ok(Listed { found, sha256, progress, gates: Vec::new(), parent });
        }
        let stages = stage::all(rows, found.key).map_err(refusal_of)?;
        let waits = found.standing.state == State::Waiting;
        let gates = if waits { gates(rows, self.graph(rows, version)?, &stages) } else { Vec::new() };
        Ok(Listed { found, sha256, progress: progress(&stages), gates, parent })
    }

    fn parent(&mut self, rows: &Rows, found: &Found) -> Result<Option<Parent>, Refusal> {
        let Some((above, part)) = found.made.parent else { return Ok(None) };
        let version = match self.above.get(&above) {
            Some(version) => *version,
            None => by_key(rows, above)?.made.version,
        };
        self.above.insert(above, version);
        Ok(Some(Parent {
            run: rows.id(Noun::Run, above),
            stage: named(self.graph(rows, version)?, part.stage),
            item: part.item.map(|item| item.index),
            root: rows.id(Noun::Run, found.made.root),
        }))
    }

    fn graph(&mut self, rows: &Rows, version: i64) -> Result<&Graph, Refusal> {
        Ok(match self.graphs.entry(version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(known::graph(rows, version)?),
        })
    }
}

/// Which items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// In these states; empty for all.
    pub states: Vec<StageState>,
    /// After this place of the list; -1 from its beginning.
    pub after: i64,
    /// How many of these to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Items of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// By place.
    pub items: Vec<Item>,
    /// What carries them out.
    pub each: Option<Sort>,
    /// The place after which the next page begins.
    pub next: Option<u32>,
    /// How many there are in all.
    pub total: u64,
}

/// The items of a stage's list in the attempt that it is in; none where its list is not known, or it has none.
///
/// # Errors
/// 404 for a run or a stage that is not there.
pub fn items(rows: &Rows, caller: &Caller, (id, stage): (Id, &str), part: &Part) -> Result<Items, Refusal> {
    let found = find(rows, caller, id)?;
    let graph = known::graph(rows, found.made.version)?;
    let index = graph
        .find(stage)
        .ok_or_else(|| Refusal::missing("stage", stage.chars().take(64).collect::<String>()))?;
    let each = graph.node(index).each;
    let attempt =
        stage::get(rows, found.key, index).map_err(refusal_of)?.map_or(0, |found| found.stage.attempt);
    let list = List { run: found.key, stage: index, attempt };
    let counts = item::counts(rows, list).map_err(refusal_of)?;
    let counts =
        counts.into_iter().filter(|(state, _)| part.states.is_empty() || part.states.contains(state));
    let total = counts.map(|(_, count)| u64::from(count)).sum();
    let after = pass(rows, list, part)?;
    let wider = part.limit + 1;
    let mut items = item::page(rows, list, &part.states, after, wider).map_err(refusal_of)?;
    let more = items.len() > part.limit as usize;
    items.truncate(part.limit as usize);
    let next = items.last().filter(|_| more).map(|item| item.index);
    Ok(Items { items, each, next, total })
}

/// The place behind those that are passed over.
fn pass(rows: &Rows, list: List, part: &Part) -> Result<i64, Refusal> {
    let (mut after, mut left) = (part.after, part.offset);
    while left > 0 {
        let limit = left.min(PASSED_ITEMS);
        let passed = item::page(rows, list, &part.states, after, limit).map_err(refusal_of)?;
        let Some(last) = passed.last() else { break };
        after = i64::from(last.index);
        left = left.saturating_sub(u32::try_from(passed.len()).unwrap_or(left));
    }
    Ok(after)
}

/// A page of what stages put out.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifacts {
    /// By stage, attempt, item and name; each with the id of its stage.
    pub items: Vec<(String, Made)>,
    /// After which the next page begins.
    pub next: Option<Place>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// What the stages of a run put out, as far as it is kept as artifacts.
///
/// # Errors
/// 404.
pub fn artifacts(
    rows: &Rows,
    caller: &Caller,
    id: Id,
    (after, offset, limit): (Option<&Place>, u32, u32),
) -> Result<Artifacts, Refusal> {
    let found = find(rows, caller, id)?;
    let graph = known::graph(rows, found.made.version)?;
    let page = run::artifact::page(rows, found.key, after, (offset, limit + 1)).map_err(refusal_of)?;
    let more = page.len() > limit as usize;
    let total = run::artifact::count(rows, found.key, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    let items: Vec<(String, Made)> =
        page.into_iter().take(limit as usize).map(|made| (named(&graph, made.place.stage), made)).collect();
    let next = items.last().filter(|_| more).map(|(_, made)| made.place.clone());
    Ok(Artifacts { items, next, total })
}
