//! What a server makes of the times that the database tells.

use super::*;

const NOW: TimeMs = 1_800_000_000_000;
const HOUR_MS: DurationMs = 3_600_000;

fn line(now: TimeMs) -> Line {
    let text = String::new;
    let own = Server { name: text(), instance: text(), address: text(), seen_at: now, applied: 0 };
    let clock = Some(SharedClock::at(now));
    Line::new(Start { own, clock, seen: 0, incarnation: 1, look_every: Duration::from_secs(1) })
}

fn told(now: TimeMs, last_at: TimeMs) -> Begun {
    Begun { now: Some(now), incarnation: 1, last_at: Some(last_at), ..Begun::default() }
}

/// By how much leases are to be moved, to the nearest minute: a test that is slow has another millisecond.
fn jumped(line: &Line) -> Option<DurationMs> {
    line.outage.is_there().map(|ms| (ms as f64 / 60_000.0).round() as DurationMs * 60_000)
}

// E4: a clock that was set takes no attempt's time and gives it none, whichever way; a database that was away for as long does neither.
#[test]
fn e4_a_database_that_was_away_is_told_from_one_whose_clock_was_set() {
    for by in [HOUR_MS, -HOUR_MS] {
        let mut line = line(NOW);
        line.hear(&told(NOW + 10, NOW));
        assert_eq!(jumped(&line), None);
        line.hear(&told(NOW + by, NOW));
        line.hear(&told(NOW + by + 10, NOW));
        assert_eq!(jumped(&line), Some(by), "once, however often it is heard");
    }
    let mut away = line(NOW);
    away.hear(&told(NOW, NOW - HOUR_MS));
    assert_eq!(jumped(&away), Some(0));
}
