//! Clocks that are changed: the examples of `docs/guide/schedules.md`.

use super::*;

/// The next slots as the wall shows them, with the offset.
fn wall(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let table = cron(expression, zone);
    let rules = Zone::named(zone).unwrap().rules().clone();
    let slots = std::iter::successors(table.next(at(after)), |slot| table.next(*slot));
    let shown = slots.take(count).map(|slot| {
        let moment = jiff::Timestamp::from_millisecond(slot).unwrap();
        let text = rules.to_datetime(moment).to_string();
        format!("{} {}", &text[5..16], rules.to_offset(moment))
    });
    shown.collect()
}

// D29: Berlin leaps from 2:00 to 3:00 on 29 March 2026.
#[test]
fn d29_berlin_in_spring() {
    let from = "2026-03-28T12:00:00+01:00";
    let daily = wall("30 2 * * *", "Europe/Berlin", from, 2);
    assert_eq!(daily, ["03-29T03:00 +02", "03-30T02:30 +02"], "at the end of the leap");
    let several = wall("0,20,40 2-3 * * *", "Europe/Berlin", from, 4);
    assert_eq!(several, ["03-29T03:00 +02", "03-29T03:20 +02", "03-29T03:40 +02", "03-30T02:00 +02"]);
    let hourly = wall("30 * * * *", "Europe/Berlin", "2026-03-29T01:00:00+01:00", 2);
    assert_eq!(hourly, ["03-29T01:30 +01", "03-29T03:30 +02"], "every hour, as the clock shows it");
}

// D29: Berlin goes back from 3:00 to 2:00 on 25 October 2026.
#[test]
fn d29_berlin_in_autumn() {
    let from = "2026-10-24T12:00:00+02:00";
    let daily = wall("30 2 * * *", "Europe/Berlin", from, 2);
    assert_eq!(daily, ["10-25T02:30 +02", "10-26T02:30 +01"], "the first time only");
    let between = wall("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00", 1);
    assert_eq!(between, ["10-26T02:30 +01"], "not the second time either");
    let hourly = wall("30 * * * *", "Europe/Berlin", "2026-10-25T02:00:00+02:00", 3);
    assert_eq!(hourly, ["10-25T02:30 +02", "10-25T02:30 +01", "10-25T03:30 +01"], "every hour there is");
    let three = wall("0 3 * * *", "Europe/Berlin", from, 1);
    assert_eq!(three, ["10-25T03:00 +01"], "what is shown once comes once");
}

// D29: New York leaps on 8 March and goes back on 1 November 2026, both at 2:00.
#[test]
fn d29_new_york() {
    let zone = "America/New_York";
    let spring = wall("15 2 * * *", zone, "2026-03-07T12:00:00-05:00", 2);
    assert_eq!(spring, ["03-08T03:00 -04", "03-09T02:15 -04"]);
    let autumn = wall("15 1 * * *", zone, "2026-10-31T12:00:00-04:00", 2);
    assert_eq!(autumn, ["11-01T01:15 -04", "11-02T01:15 -05"]);
    let hourly = wall("0 */1 * * *", zone, "2026-11-01T00:30:00-04:00", 3);
    assert_eq!(hourly, ["11-01T01:00 -04", "11-01T01:00 -05", "11-01T02:00 -05"]);
}

// D29: Lord Howe changes by half an hour: back on 5 April, ahead on 4 October 2026, both at 2:00.
#[test]
fn d29_lord_howe() {
    let zone = "Australia/Lord_Howe";
    let autumn = wall("45 1 * * *", zone, "2026-04-04T12:00:00+11:00", 2);
    assert_eq!(autumn, ["04-05T01:45 +11", "04-06T01:45 +10:30"]);
    let quarters = wall("*/15 * * * *", zone, "2026-04-05T01:20:00+11:00", 5);
    let shown = ["01:30 +11", "01:45 +11", "01:30 +10:30", "01:45 +10:30", "02:00 +10:30"];
    assert_eq!(quarters, shown.map(|time| format!("04-05T{time}")));
    let spring = wall("15 2 * * *", zone, "2026-10-03T12:00:00+10:30", 2);
    assert_eq!(spring, ["10-04T02:30 +11", "10-05T02:15 +11"]);
    let half = wall("45 2 * * *", zone, "2026-10-03T12:00:00+10:30", 1);
    assert_eq!(half, ["10-04T02:45 +11"], "the other half of the hour is there");
}

// D29: Apia had no 30 December 2011.
#[test]
fn d29_a_day_that_was_left_out() {
    let zone = "Pacific/Apia";
    let from = "2011-12-29T13:00:00-10:00";
    let daily = wall("0 12 * * *", zone, from, 2);
    assert_eq!(daily, ["12-31T00:00 +14", "12-31T12:00 +14"]);
    let monthly = wall("0 12 30 * *", zone, from, 2);
    assert_eq!(monthly, ["12-31T00:00 +14", "01-30T12:00 +14"], "a month without its run would be worse");
    let hourly = wall("0 * * * *", zone, "2011-12-29T22:30:00-10:00", 2);
    assert_eq!(hourly, ["12-29T23:00 -10", "12-31T00:00 +14"]);
}

// D29: Havana changes at midnight: ahead on 8 March, back on 1 November 2026.
#[test]
fn d29_a_change_at_midnight() {
    let zone = "America/Havana";
    let spring = wall("0 0 * * *", zone, "2026-03-07T12:00:00-05:00", 2);
    assert_eq!(spring, ["03-08T01:00 -04", "03-09T00:00 -04"]);
    let autumn = wall("30 0 * * *", zone, "2026-10-31T12:00:00-04:00", 2);
    assert_eq!(autumn, ["11-01T00:30 -04", "11-02T00:30 -05"]);
}
