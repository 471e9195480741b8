//! What takes a run back: a gate that sends it to an earlier stage, a rerun, and a cancel.

use super::draft::Draft;
use super::stage::{Feedback, Past, State, Why};
use super::step::Unfit;
use super::window::{Rest, Tally};
use super::{Item, Part, State as RunState, Stops};
use std::collections::BTreeSet;

impl Draft<'_> {
    /// Calls off everything. What is under way is told to stop; the run does not wait for that to be cancelled (D4).
    pub(super) fn cancel(&mut self) -> Result<(), Unfit> {
        match self.head.state {
            RunState::Cancelled => return Ok(()),
            ended if ended.is_final() => return Err(Unfit::Final(ended)),
            _ => {}
        }
        for stage in 0..self.graph.len() {
            if !self.stage(stage).state.is_final() {
                self.stop_all(stage);
                self.end(stage, State::Cancelled, Some(Why::Run));
            }
        }
        self.head.state = RunState::Cancelled;
        self.count_stops_anew();
        Ok(())
    }

    /// Tells whatever is under way of a stage to stop.
    pub(super) fn stop_all(&mut self, index: u32) {
        let part = self.part(index);
        let stage = self.stage(index);
        if !stage.state.is_active() || stage.why == Some(Why::Backoff) {
            return;
        }
        let Some(tally) = self.tally(index) else { return self.stop(part) };
        for (item, open) in self.all_open(index) {
            if open.rest == Rest::No {
                self.stop(Part { item: Some(Item { index: item, attempt: open.attempt }), ..part });
            }
            self.set_open(index, item, None);
        }
        self.set_tally(index, Some(Tally { open: 0, waiting: 0, ..tally }));
    }

    /// The run goes back to `to`, which hears of the gate's decision.
    pub(super) fn send_back(&mut self, gate: Part, to: u32) {
        let round = self.stage(gate.stage).sent_back.saturating_add(1);
        // The gate has ended: nothing of it is to be stopped.
        self.turn(gate.stage, State::Pending);
        self.edit(gate.stage).sent_back = round;
        let set = self.graph.downstream([to]);
        self.reset(&set);
        self.edit(to).feedback = Some(Feedback { gate: gate.stage, attempt: gate.attempt, round });
    }

    /// Once more. What `from` needs stays as it is; what needs `from` runs again, and with it whatever was not done,
    /// for the run could not succeed otherwise.
    pub(super) fn rerun(&mut self, from: Option<u32>) -> Result<(), Unfit> {
        if !self.head.state.is_final() {
            return Err(Unfit::Early(self.head.state));
        }
        match self.head.stops.left() {
            0 => self.forget_unconfirmed(),
            left => return Err(Unfit::Stopping(left)),
        }
        let kept = match from {
            Some(from) if from >= self.graph.len() => return Err(Unfit::Stale),
            Some(from) => self.graph.upstream(from),
            None => BTreeSet::new(),
        };
        if let Some(Why::Needs { stage, root }) = from.and_then(|from| self.blocker(from)) {
            return Err(Unfit::Blocked { stage, root });
        }
        let undone = (0..self.graph.len()).filter(|stage| !self.stage(*stage).is_done());
        let begin: Vec<u32> = undone.filter(|stage| !kept.contains(stage)).chain(from).collect();
        if begin.is_empty() {
            return Err(Unfit::Done);
        }
        let set = self.graph.downstream(begin);
        self.head.state = RunState::Running;
        self.head.reruns = self.head.reruns.saturating_add(1);
        self.head.stops = Stops::default();
        self.reset(&set);
        for stage in &set {
            self.edit(*stage).sent_back = 0;
        }
        if let Some(from) = from {
            self.edit(from).past = Past::AskAnew;
        }
        Ok(())
    }

    /// These are as if they had never begun, but for their number of attempts; those that need nothing else are free.
    fn reset(&mut self, set: &BTreeSet<u32>) {
        for index in set {
            self.stop_all(*index);
            if self.tally(*index).is_some() {
                self.set_tally(*index, None);
            }
            self.turn(*index, State::Pending);
            let stage = self.edit(*index);
            stage.why = None;
            stage.failures = 0;
            stage.feedback = None;
            stage.past = Past::Counts;
        }
        for index in set {
            let needs = self.graph.node(*index).needs.iter();
            let unmet = needs.filter(|need| !self.stage(**need).state.is_final()).count();
            self.edit(*index).unmet = u32::try_from(unmet).unwrap_or(u32::MAX);
            if unmet == 0 {
                self.free(*index);
            }
        }
    }
}
