//! Schedules: when a pipeline or a task is started by itself (D29). `docs/guide/schedules.md` says how, with examples.
//!
//! A timetable is cron in a time zone, or an interval. It gives the next slot after a moment, by reckoning and not by
//! stepping through time. A slot is known by its moment in UTC and the revision of its schedule, and whoever starts
//! runs goes from slot to slot, never from the clock: so a slot starts one run at most, whatever restarts, other
//! servers and clocks do.

pub mod cron;
pub mod kept;
mod next;
pub mod zone;

#[cfg(test)]
mod tests;

use crate::refusal::Refusal;
use crate::time::{DAY_MS, DurationMs, MAX_TIME_MS, SECOND_MS, TimeMs, rfc3339};
use cron::Cron;
use serde::{Deserialize, Serialize};
use std::fmt;
use zone::Zone;

/// Shortest interval.
pub const MIN_INTERVAL_MS: DurationMs = SECOND_MS;
/// Longest interval.
pub const MAX_INTERVAL_MS: DurationMs = 366 * DAY_MS;
/// A slot that is started so late was missed: longer than any service pauses, shorter than a restart with a backlog.
pub const MISSED_AFTER_MS: DurationMs = 60 * SECOND_MS;
/// Missed slots that are counted; more are told as so many at least.
pub const MAX_COUNTED_SLOTS: u32 = 1_000;
/// Runs of a schedule that wait for an earlier one, under `overlap: queue`; further slots are skipped.
pub const MAX_QUEUED_RUNS: u32 = 10;

/// What becomes of slots that nobody started in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run for all of them, as that of the last one.
    #[default]
    RunOnce,
    /// Nothing.
    Skip,
}

/// What becomes of a slot while an earlier run of the schedule is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing.
    #[default]
    Skip,
    /// Its run waits until the earlier ones are over.
    Queue,
    /// Its run begins all the same.
    Allow,
}

/// When a schedule starts something, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// By the clock on the wall.
    Cron {
        /// Five fields, or six with seconds first.
        expression: String,
        /// The IANA name of a time zone.
        timezone: String,
    },
    /// Every so often.
    Every {
        /// How often.
        every_ms: DurationMs,
        /// Slots are whole intervals after this.
        from_ms: TimeMs,
    },
}

/// A timing that can be reckoned with.
#[derive(Debug, Clone)]
pub enum Timetable {
    /// By the clock on the wall.
    Cron(Box<Cron>, Zone),
    /// Every so often.
    Every {
        /// How often.
        every_ms: DurationMs,
        /// Slots are whole intervals after this.
        from_ms: TimeMs,
    },
}

/// One start of a schedule: there is one run for it at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The revision of the schedule: it grows with every change of the schedule.
    pub revision: i64,
    /// Its moment.
    pub at: TimeMs,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.revision, rfc3339(self.at))
    }
}

/// What is due of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The slot to start a run for; `None` where what was missed is skipped.
    pub fire: Option<TimeMs>,
    /// The last slot that is dealt with by this: the next look begins behind it.
    pub last: TimeMs,
    /// How many slots get no run because they were missed; [`MAX_COUNTED_SLOTS`] stands for at least as many.
    pub missed: u32,
}

/// What to do with a slot that fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launch {
    /// Its run begins.
    Begin,
    /// Its run is made and waits.
    Queue,
    /// No run: an earlier one is not over.
    Skip,
}

impl Timing {
    /// Reads it.
    ///
    /// # Errors
    /// `invalid` with the place: `/cron`, `/timezone` or `/every_ms`.
    pub fn timetable(&self) -> Result<Timetable, Refusal> {
        match self {
            Self::Cron { expression, timezone } => {
                let cron: Cron = expression.parse().map_err(Refusal::from)?;
                let zone = Zone::named(timezone).map_err(|error| Refusal::field("/timezone", error))?;
                Ok(Timetable::Cron(Box::new(cron), zone))
            }
            Self::Every { every_ms, from_ms } => {
                if !(MIN_INTERVAL_MS..=MAX_INTERVAL_MS).contains(every_ms) {
                    let error = format!("must be from {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS}");
                    return Err(Refusal::field("/every_ms", error));
                }
                Ok(Timetable::Every { every_ms: *every_ms, from_ms: *from_ms })
            }
        }
    }
}

impl Timetable {
    /// The first slot after a moment; `None` when there is none before the year 10000. A zone's clock is reckoned until 30 December 9999,
    /// 22:00 UTC.
    pub fn next(&self, after: TimeMs) -> Option<TimeMs> {
        match self {
            Self::Cron(cron, zone) => next::next(cron, zone, after),
            Self::Every { every_ms, from_ms } => {
                let passed = after.saturating_sub(*from_ms).max(0) / every_ms;
                let at = from_ms.checked_add(every_ms.checked_mul(passed + 1)?)?;
                (at <= MAX_TIME_MS).then_some(at)
            }
        }
    }

    /// The last slot after `after` that is not after `until`: found by halving the time between, however many slots
    /// there are.
    pub fn latest(&self, after: TimeMs, until: TimeMs) -> Option<TimeMs> {
        let mut latest = self.next(after).filter(|at| *at <= until)?;
        // No slot lies behind `bound`.
        let mut bound = until;
        while latest < bound {
            let middle = latest + (bound - latest) / 2;
            match self.next(middle).filter(|at| *at <= bound) {
                Some(at) => latest = at,
                None if middle == latest => break,
                None => bound = middle,
            }
        }
        Some(latest)
    }

    /// What is due at `now`, one slot at a time: the next look is behind it. Slots that are at most a minute old come one by one, in
    /// their order; the first of them stands for those that were missed before it. `last` is the last slot that was dealt with, or when
    /// the schedule was made or changed.
    pub fn due(&self, missed: Missed, last: TimeMs, now: TimeMs) -> Option<Due> {
        // The last moment whose slot was missed.
        let late = now.saturating_sub(MISSED_AFTER_MS + 1);
        if let Some(at) = self.next(last.max(late)).filter(|at| *at <= now) {
            return Some(Due { fire: Some(at), last: at, missed: self.count(last, late) });
        }
        let latest = self.latest(last, late)?;
        let slots = self.count(last, latest);
        Some(match missed {
            Missed::RunOnce => Due { fire: Some(latest), last: latest, missed: slots.saturating_sub(1) },
            Missed::Skip => Due { fire: None, last: latest, missed: slots },
        })
    }

    fn count(&self, after: TimeMs, until: TimeMs) -> u32 {
        let (mut at, mut count) = (after, 0);
        while count < MAX_COUNTED_SLOTS
            && let Some(next) = self.next(at).filter(|next| *next <= until)
        {
            (at, count) = (next, count + 1);
        }
        count
    }
}

impl Overlap {
    /// What to do with a slot that fires while so many runs of its schedule are under way, and so many wait for these.
    pub const fn launch(self, under_way: u32, queued: u32) -> Launch {
        match self {
            Self::Allow => Launch::Begin,
            _ if under_way + queued == 0 => Launch::Begin,
            Self::Queue if queued < MAX_QUEUED_RUNS => Launch::Queue,
            _ => Launch::Skip,
        }
    }
}
