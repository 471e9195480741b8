//! What was told to stop and has not answered, by its part: one thing that answers twice is counted once (D4, E8).

use super::draft::Draft;
use super::step::Unfit;
use super::window::{Open, Rest};
use super::{Effect, Going, Item, Part, State as RunState, stage};
use serde::{Deserialize, Serialize};

/// How a stop went (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stop {
    /// It stopped.
    Stopped,
    /// Nobody confirmed it in time.
    Unconfirmed,
}

/// How far a stop is that something was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stopping {
    /// It has not answered: its stage, or its item, is not begun again beside it.
    Asked,
    /// Nobody confirmed it in time, in a run that was cancelled: should it answer after all, the number is put right. A
    /// run that is run again forgets it, and so may a store: nothing waits for it.
    Unconfirmed,
}

/// How the stops of a run go: of a cancelled one how they went, in any other all 0 once nothing is stopping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stops {
    /// Parts that were told to stop; of a cancelled run also those that had not answered when it was cancelled.
    pub asked: u32,
    /// Those that did.
    pub stopped: u32,
    /// Those that nobody confirmed.
    pub unconfirmed: u32,
}

impl Stops {
    /// How many have not answered yet: the run is still stopping.
    pub const fn left(self) -> u32 {
        self.asked.saturating_sub(self.stopped).saturating_sub(self.unconfirmed)
    }
}

impl Draft<'_> {
    pub(super) fn stop(&mut self, part: Part) {
        self.head.stops.asked += 1;
        self.stopping.insert(part, Some(Stopping::Asked));
        self.effects.push(Effect::Stop(part));
    }

    /// From now on the numbers are those of a cancel.
    pub(super) fn count_stops_anew(&mut self) {
        self.head.stops = Stops { asked: self.head.stops.left(), ..Stops::default() };
    }

    /// Whether an attempt of a stage was told to stop and has not answered.
    pub(super) fn is_stage_stopping(&self, stage: u32) -> bool {
        self.is_any_asked(Part { stage, attempt: 0, item: None }, Part { stage, ..LAST })
    }

    /// The same for the attempts of one item, within an attempt of its stage.
    fn is_item_stopping(&self, part: Part, index: u32) -> bool {
        let of = |attempt| Part { item: Some(Item { index, attempt }), ..part };
        self.is_any_asked(of(0), of(u32::MAX))
    }

    fn is_any_asked(&self, first: Part, last: Part) -> bool {
        let asked = |stopping: Option<Stopping>| stopping == Some(Stopping::Asked);
        let now = self.stopping.range(first..=last).any(|(_, stopping)| asked(*stopping));
        let mut before = self.run.stopping.range(first..=last);
        now || before.any(|(part, stopping)| asked(Some(*stopping)) && !self.stopping.contains_key(part))
    }

    /// Nobody waits for a confirmation any more.
    pub(super) fn forget_unconfirmed(&mut self) {
        let parts = self.run.stopping.keys().map(|part| (*part, None));
        self.stopping.extend(parts);
    }

    pub(super) fn stopped(&mut self, part: Part, stop: Stop) -> Result<(), Unfit> {
        let now = self.run.stopping.get(&part).copied().ok_or(Unfit::Stale)?;
        let cancelled = self.head.state == RunState::Cancelled;
        let stops = &mut self.head.stops;
        match (now, stop) {
            (Stopping::Asked, Stop::Stopped) => stops.stopped += 1,
            (Stopping::Asked, Stop::Unconfirmed) => stops.unconfirmed += 1,
            (Stopping::Unconfirmed, Stop::Stopped) => {
                stops.unconfirmed -= 1;
                stops.stopped += 1;
            }
            (Stopping::Unconfirmed, Stop::Unconfirmed) => return Err(Unfit::Stale),
        }
        let kept = (cancelled && stop == Stop::Unconfirmed).then_some(Stopping::Unconfirmed);
        self.stopping.insert(part, kept);
        match (cancelled, self.head.stops.left()) {
            (true, 0) => self.effects.push(Effect::Stopped(self.head.stops)),
            (false, 0) => self.head.stops = Stops::default(),
            _ => {}
        }
        self.release(part);
        Ok(())
    }

    /// What waited for this part to stop, and for nothing else, begins.
    fn release(&mut self, part: Part) {
        let stage = self.stage(part.stage);
        if stage.why == Some(stage::Why::Stopping) && !self.is_stage_stopping(part.stage) {
            self.free(part.stage);
        }
        let Some(item) = part.item else { return };
        let same = self.stage(part.stage).attempt == part.attempt;
        let open = self.open(part.stage, item.index).filter(|open| same && open.rest == Rest::Stopping);
        if let Some(open) = open {
            self.item_again(part, Item { attempt: open.attempt, ..item });
        }
    }

    /// The next attempt at an item begins, or waits for the one before it to stop.
    pub(super) fn item_again(&mut self, part: Part, item: Item) {
        let Some(mut tally) = self.tally(part.stage) else { return };
        if self.is_item_stopping(part, item.index) {
            let open = Open { attempt: item.attempt, going: Going::Waiting, rest: Rest::Stopping };
            self.set_open(part.stage, item.index, Some(open));
            return;
        }
        tally.waiting -= 1;
        let next = Item { attempt: item.attempt + 1, ..item };
        let open = Open { attempt: next.attempt, going: Going::Ready, rest: Rest::No };
        self.set_open(part.stage, item.index, Some(open));
        self.set_tally(part.stage, Some(tally));
        self.effects.push(Effect::Start(Part { item: Some(next), ..part }));
        self.slide_on(part.stage, tally);
    }
}

/// How many of these have not answered.
pub(super) fn asked_of<'a>(stopping: impl Iterator<Item = &'a Stopping>) -> u32 {
    let asked = stopping.filter(|stopping| **stopping == Stopping::Asked);
    u32::try_from(asked.count()).unwrap_or(u32::MAX)
}

/// A map whose keys are no texts, as a list of pairs: JSON has no other keys than texts.
pub(super) mod pairs {
    use super::{Part, Stopping};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(in crate::run) fn serialize<S: Serializer>(
        stopping: &BTreeMap<Part, Stopping>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        stopping.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(in crate::run) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Part, Stopping>, D::Error> {
        Vec::<(Part, Stopping)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

/// After every part of its stage.
const LAST: Part =
    Part { stage: u32::MAX, attempt: u32::MAX, item: Some(Item { index: u32::MAX, attempt: u32::MAX }) };
