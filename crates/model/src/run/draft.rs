//! A run while a step is taken: what is different from it so far, and nothing else.

use super::graph::Graph;
use super::stage::{Stage, State, Why};
use super::step::{Sight, Step, Unfit};
use super::window::{Open, Tally, WindowChange};
use super::{Changes, Effect, Head, Part, Run, State as RunState, Stopping};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What changes of a window: `None` for its numbers when it is gone.
#[derive(Debug, Default)]
struct Slide {
    tally: Option<Tally>,
    items: BTreeMap<u32, Option<Open>>,
}

/// A step that is being taken.
pub(super) struct Draft<'a> {
    pub graph: &'a Graph,
    pub run: &'a Run,
    pub head: Head,
    pub effects: Vec<Effect>,
    /// What is stopping from now on, and what no longer is.
    pub stopping: BTreeMap<Part, Option<Stopping>>,
    stages: BTreeMap<u32, Stage>,
    windows: BTreeMap<u32, Slide>,
    /// Stages that need nothing more, by their place in the order: whether they begin is still to be decided.
    free: BinaryHeap<Reverse<(u32, u32)>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(graph: &'a Graph, run: &'a Run) -> Self {
        Self {
            graph,
            run,
            head: run.head.clone(),
            effects: Vec::new(),
            stopping: BTreeMap::new(),
            stages: BTreeMap::new(),
            windows: BTreeMap::new(),
            free: BinaryHeap::new(),
        }
    }

    pub(super) fn stage(&self, index: u32) -> &Stage {
        self.stages.get(&index).unwrap_or_else(|| self.run.stage(index))
    }

    /// A stage to be changed in place; its state is changed by [`Self::turn`] alone, which counts.
    pub(super) fn edit(&mut self, index: u32) -> &mut Stage {
        self.stages.entry(index).or_insert_with(|| self.run.stage(index).clone())
    }

    pub(super) fn turn(&mut self, index: u32, state: State) {
        let before = self.stage(index).state;
        self.head.counts[before as usize] -= 1;
        self.head.counts[state as usize] += 1;
        self.edit(index).state = state;
    }

    /// The attempt that is under way.
    pub(super) fn part(&self, index: u32) -> Part {
        Part { stage: index, attempt: self.stage(index).attempt, item: None }
    }

    pub(super) fn tally(&self, index: u32) -> Option<Tally> {
        match self.windows.get(&index) {
            Some(slide) => slide.tally,
            None => self.run.windows.get(&index).map(|window| window.tally),
        }
    }

    pub(super) fn open(&self, index: u32, item: u32) -> Option<Open> {
        match self.windows.get(&index).and_then(|slide| slide.items.get(&item)) {
            Some(open) => *open,
            None => self.run.windows.get(&index).and_then(|window| window.open.get(&item)).copied(),
        }
    }

    /// All items that are under way; asked for only where all of them end.
    pub(super) fn all_open(&self, index: u32) -> BTreeMap<u32, Open> {
        let mut open = self.run.windows.get(&index).map(|window| window.open.clone()).unwrap_or_default();
        for (item, now) in self.windows.get(&index).into_iter().flat_map(|slide| &slide.items) {
            match now {
                Some(now) => open.insert(*item, *now),
                None => open.remove(item),
            };
        }
        open
    }

    fn slide(&mut self, index: u32) -> &mut Slide {
        let tally = self.tally(index);
        self.windows.entry(index).or_insert_with(|| Slide { tally, items: BTreeMap::new() })
    }

    pub(super) fn set_tally(&mut self, index: u32, tally: Option<Tally>) {
        let open = |tally: Option<Tally>| tally.map_or(0, |tally| tally.open);
        self.head.items -= open(self.tally(index));
        self.head.items += open(tally);
        self.slide(index).tally = tally;
    }

    /// How many items of a list may be under way: so many at once as it says, as long as the run has room for them.
    pub(super) fn most_open(&self, index: u32, tally: Tally) -> u32 {
        let concurrency = self.graph.node(index).concurrency.unwrap_or(1).max(1);
        concurrency.min(tally.open + self.graph.room().saturating_sub(self.head.items))
    }

    /// Lists that had no room while the run was full go on.
    fn fill(&mut self, sight: Sight) {
        let room = self.graph.room();
        if sight == Sight::Near && self.run.head.items < room {
            return;
        }
        let known = self.run.windows.keys().chain(self.windows.keys());
        for index in known.copied().collect::<BTreeSet<u32>>() {
            let Some(tally) = self.tally(index).filter(|_| self.stage(index).state.is_active()) else {
                continue;
            };
            if tally.has_more() && tally.open < self.most_open(index, tally) {
                self.slide_on(index, tally);
            }
        }
    }

    pub(super) fn set_open(&mut self, index: u32, item: u32, open: Option<Open>) {
        self.slide(index).items.insert(item, open);
    }

    /// A stage is over; whoever waited for nothing else is free.
    pub(super) fn end(&mut self, index: u32, state: State, why: Option<Why>) {
        self.turn(index, state);
        self.edit(index).why = why;
        let part = self.part(index);
        self.effects.push(Effect::Ended(part, state, why));
        for dependent in self.graph.dependents(index) {
            if self.stage(*dependent).state == State::Pending {
                let stage = self.edit(*dependent);
                stage.unmet = stage.unmet.saturating_sub(1);
                if stage.unmet == 0 {
                    self.free(*dependent);
                }
            }
        }
    }

    pub(super) fn free(&mut self, index: u32) {
        self.free.push(Reverse((self.graph.rank(index), index)));
    }

    /// What keeps a stage from running once all that it needs has ended: the need, and what began it all.
    pub(super) fn blocker(&self, index: u32) -> Option<Why> {
        let node = self.graph.node(index);
        let judges = |stage: u32| node.judges.binary_search(&stage).is_ok();
        node.needs.iter().find_map(|need| {
            let stage = self.stage(*need);
            let root = match (stage.state, stage.why) {
                (State::Failed | State::Cancelled, _) => *need,
                (State::Skipped, Some(Why::Needs { root, .. })) => root,
                _ => return None,
            };
            (!judges(*need) && !judges(root)).then_some(Why::Needs { stage: *need, root })
        })
    }

    fn decide(&mut self, index: u32) {
        if self.stage(index).state != State::Pending {
            // Called off in the same step.
        } else if let Some(why) = self.blocker(index) {
            self.end(index, State::Skipped, Some(why));
        } else if self.is_stage_stopping(index) {
            // Two attempts would work on one thing at once (D4); the last one that stops frees it.
            self.edit(index).why = Some(Why::Stopping);
        } else {
            self.turn(index, State::Ready);
            let stage = self.edit(index);
            stage.attempt = stage.attempt.saturating_add(1);
            stage.why = None;
            let part = self.part(index);
            self.effects.push(Effect::Start(part));
        }
    }

    /// What follows, and the whole of it as data.
    pub(super) fn finish(mut self, sight: Sight) -> Result<Step, Unfit> {
        if sight == Sight::Whole {
            self.count_items();
        }
        self.fill(sight);
        match sight {
            Sight::Near => {
                while let Some(Reverse((_, stage))) = self.free.pop() {
                    self.decide(stage);
                }
            }
            Sight::Whole => self.follow_all(),
        }
        self.head.state = self.state();
        if self.head.state != self.run.head.state {
            self.effects.push(Effect::Run(self.head.state));
        }
        let run = self.run;
        let stages = self.stages.into_iter().filter(|(index, stage)| run.stage(*index) != stage).collect();
        let windows = self.windows.into_iter().map(|(index, slide)| {
            let items = slide.items.into_iter();
            (index, slide.tally.map_or(WindowChange::Gone, |tally| WindowChange::Is(tally, items.collect())))
        });
        let stopping = self.stopping.into_iter();
        let stopping = stopping.filter(|(part, stopping)| run.stopping.get(part) != stopping.as_ref());
        let changes =
            Changes { head: self.head, stages, windows: windows.collect(), stopping: stopping.collect() };
        Ok(Step { changes, effects: self.effects })
    }

    /// The same as following what is free, from states alone: every counter is made anew.
    fn follow_all(&mut self) {
        let (graph, begun) = (self.graph, !matches!(self.head.state, RunState::Queued));
        for index in graph.order() {
            if self.stage(*index).state != State::Pending {
                continue;
            }
            let needs = graph.node(*index).needs.iter();
            let unmet = needs.filter(|need| !self.stage(**need).state.is_final()).count();
            self.edit(*index).unmet = u32::try_from(unmet).unwrap_or(u32::MAX);
            if unmet == 0 && begun {
                self.decide(*index);
            }
        }
        self.head.counts = [0; 8];
        for index in 0..graph.len() {
            self.head.counts[self.stage(index).state as usize] += 1;
        }
    }

    /// Items under way, from the items themselves.
    fn count_items(&mut self) {
        let known = self.run.windows.keys().chain(self.windows.keys());
        let known: BTreeSet<u32> = known.copied().collect();
        let open = known.into_iter().map(|index| self.all_open(index).len()).sum::<usize>();
        self.head.items = u32::try_from(open).unwrap_or(u32::MAX);
    }

    fn state(&self) -> RunState {
        let count = |state: State| self.head.count(state);
        match self.head.state {
            kept @ (RunState::Queued | RunState::Cancelled) => kept,
            _ if count(State::Ready) + count(State::Running) > 0 => RunState::Running,
            _ if count(State::Waiting) > 0 => RunState::Waiting,
            // Nothing is under way but what stops, and something waits for that.
            _ if count(State::Pending) > 0 => RunState::Running,
            _ if count(State::Failed) + count(State::Cancelled) > 0 => RunState::Failed,
            _ => RunState::Succeeded,
        }
    }
}
