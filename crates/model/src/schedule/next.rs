//! The next slot of a cron expression in a time zone.
//!
//! Between two changes of its clock a zone is a number that is added to UTC. Within such a stretch slots are found on
//! the wall and taken back; at its end the clock leaps ahead, or shows something for a second time.

use super::cron::{Cron, PERIOD_YEARS, Pace};
use super::zone::Zone;
use crate::time::{DAY_MS, SECOND_MS, TimeMs};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// How far a slot is looked for.
const HORIZON_MS: i64 = PERIOD_YEARS as i64 * 366 * DAY_MS;

/// A stretch of time in which a zone's clock is not changed, from a moment on.
struct Stretch {
    offset: Offset,
    /// The first moment that is not of it.
    end: Timestamp,
    /// The offset from there on.
    next: Offset,
}

/// The first slot after a moment.
pub(super) fn next(cron: &Cron, zone: &Zone, after: TimeMs) -> Option<TimeMs> {
    let second = after.div_euclid(SECOND_MS);
    let mut base = Timestamp::from_second(second).ok()?;
    let mut from = Timestamp::from_second(second + 1).ok()?;
    let horizon = Timestamp::from_millisecond(after.saturating_add(HORIZON_MS)).unwrap_or(Timestamp::MAX);
    loop {
        let stretch = Stretch::of(zone, base);
        let mut wall = stretch.offset.to_datetime(from);
        if cron.pace() == Pace::Daily {
            wall = wall.max(shown_before(zone, base, stretch.offset).unwrap_or(wall));
        }
        let end = stretch.offset.to_datetime(stretch.end);
        if let Some(found) = cron.at_or_after(wall, end) {
            return stretch.offset.to_timestamp(found).ok().map(Timestamp::as_millisecond);
        }
        let leapt = stretch.next.to_datetime(stretch.end);
        if cron.pace() == Pace::Daily && cron.at_or_after(end, leapt).is_some() {
            return Some(stretch.end.as_millisecond());
        }
        if stretch.end >= horizon {
            return None;
        }
        (base, from) = (stretch.end, stretch.end);
    }
}

impl Stretch {
    fn of(zone: &Zone, base: Timestamp) -> Self {
        let offset = zone.rules().to_offset(base);
        let change = zone.rules().following(base).next();
        match change.map(|change| change.timestamp()) {
            Some(end) => Self { offset, end, next: zone.rules().to_offset(end) },
            // The last moment that jiff knows leaves room for every offset.
            None => Self { offset, end: Timestamp::MAX, next: offset },
        }
    }
}

/// Until when the wall shows what it has shown before, where the clock was set back last.
fn shown_before(zone: &Zone, base: Timestamp, offset: Offset) -> Option<DateTime> {
    let just = Timestamp::from_second(base.as_second() + 1).ok()?;
    let change = zone.rules().preceding(just).next()?.timestamp();
    let before = zone.rules().to_offset(Timestamp::from_second(change.as_second() - 1).ok()?);
    (before > offset).then(|| before.to_datetime(change))
}
