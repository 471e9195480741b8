//! Slots against stepping: minute by minute through days around changes of clocks.

use super::*;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Zones with the moment of a change of their clock.
const CHANGES: [(&str, &str); 10] = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Havana", "2026-03-08T05:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
];

/// Days that are looked at before and after the change.
const DAYS: i64 = 2;

fn moment(at: Timestamp) -> TimeMs {
    at.as_millisecond()
}

/// Slots by looking at every minute.
fn stepped(cron: &Cron, zone: &Zone, from: TimeMs, to: TimeMs) -> BTreeSet<TimeMs> {
    let rules = zone.rules();
    let fits =
        |wall: DateTime| cron.at_or_after(wall, wall.checked_add(jiff::Span::new().seconds(1)).unwrap());
    let mut slots = BTreeSet::new();
    if cron.pace() == cron::Pace::Hourly {
        let minutes = (from..=to).step_by(usize::try_from(MINUTE_MS).unwrap());
        let shown = |at: &TimeMs| rules.to_datetime(Timestamp::from_millisecond(*at).unwrap());
        return minutes.filter(|at| fits(shown(at)).is_some() && *at > from).collect();
    }
    // Every time that a wall can show, also what it leaps over.
    let mut wall = rules.to_datetime(Timestamp::from_millisecond(from - DAYS * DAY_MS).unwrap());
    let end = rules.to_datetime(Timestamp::from_millisecond(to + DAYS * DAY_MS).unwrap());
    while wall < end {
        if fits(wall).is_some() {
            let ambiguous = rules.to_ambiguous_timestamp(wall);
            let earlier = rules.to_ambiguous_timestamp(wall).earlier().unwrap();
            slots.insert(match ambiguous.offset() {
                AmbiguousOffset::Gap { .. } => moment(rules.following(earlier).next().unwrap().timestamp()),
                _ => moment(earlier),
            });
        }
        wall = wall.checked_add(jiff::Span::new().minutes(1)).unwrap();
    }
    slots.into_iter().filter(|at| *at > from && *at <= to).collect()
}

fn field(values: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    // D29: what is reckoned is what stepping through every minute finds, around every sort of change.
    #[test]
    fn d29_reckoning_is_stepping(
        change in 0..CHANGES.len(),
        minute in field(&["0", "15", "*/20", "59", "0,1,30,45"]),
        hour in field(&["*", "0", "1", "2", "0-3", "*/2", "23", "1,2,12", "0-23"]),
        day in field(&["*", "*", "30,31,1", "*/2"]),
        weekday in field(&["*", "*", "sun", "fri-sun", "*/3"]),
        begin in 0..2_880_i64,
    ) {
        let (zone, at_change) = CHANGES[change];
        let zone = Zone::named(zone).unwrap();
        let cron: Cron = format!("{minute} {hour} {day} * {weekday}").parse().unwrap();
        let from = at(at_change) - DAYS * DAY_MS + begin * MINUTE_MS;
        let to = at(at_change) + DAYS * DAY_MS;
        let table = Timetable::Cron(Box::new(cron.clone()), zone.clone());
        let reckoned: BTreeSet<TimeMs> =
            std::iter::successors(table.next(from), |slot| table.next(*slot)).take_while(|slot| *slot <= to).collect();
        prop_assert_eq!(&reckoned, &stepped(&cron, &zone, from, to));
        prop_assert_eq!(table.latest(from, to), reckoned.last().copied());
    }
}
