use super::*;

fn call(client: &str, code: Code) -> Call {
    Call {
        client: client.into(),
        code,
        endpoint: "GET /tasks".into(),
        on: On::Other,
        named: None,
        reach: None,
        actor: None,
        request_id: "r1".into(),
    }
}

fn taken(refusals: &Refusals, now: TimeMs) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = refusals
        .take(now, When::Over)
        .into_iter()
        .map(|(source, count)| (source.client, count.counted))
        .collect();
    counts.sort();
    counts
}

// SEC21: 401, 403 and 409 on a decision are covered, nothing else.
#[test]
fn sec21_some_refusals_are_covered() {
    let covered = |code, on| Call { on, ..call("a", code) }.is_covered();
    assert!(covered(Code::Unauthenticated, On::Other) && covered(Code::ScopeForbidden, On::Other));
    assert!(covered(Code::AlreadyDecided, On::Decision) && !covered(Code::StaleGeneration, On::Other));
    assert!(!covered(Code::NotFound, On::Decision) && !covered(Code::Invalid, On::Other));
}

// SEC21: ten are single, from the eleventh they are counted, per address, code and endpoint, anew each minute.
#[test]
fn sec21_the_eleventh_is_counted() {
    let refusals = Refusals::default();
    let see = |call: &Call, now| (0..13).filter(|_| refusals.see(call, now)).count();
    assert_eq!(see(&call("a", Code::Unauthenticated), 100), 10);
    assert_eq!(see(&call("b", Code::Unauthenticated), 100), 10);
    assert_eq!(see(&call("a", Code::Forbidden), 59_999), 10);
    let elsewhere = Call { endpoint: "TaskGet".into(), ..call("a", Code::Forbidden) };
    assert_eq!((see(&elsewhere, 59_999), taken(&refusals, 59_999)), (10, Vec::new()));
    assert_eq!(see(&call("a", Code::Unauthenticated), 60_000), 10, "a minute has ten of its own");
    let a = ("a".to_owned(), 3);
    assert_eq!(taken(&refusals, 60_000), [a.clone(), a.clone(), a.clone(), ("b".into(), 3)]);
    assert_eq!(taken(&refusals, 120_000), [a]);
    assert_eq!(taken(&refusals, 180_000), []);
}

#[test]
fn the_first_ten_are_no_count() {
    let refusals = Refusals::default();
    assert!((0..10).all(|_| refusals.see(&call("a", Code::Forbidden), 0)));
    assert_eq!(taken(&refusals, 60_000), []);
}

// A flood from many addresses is bounded in memory and on disk, and counted all the same.
#[test]
fn a_flood_is_counted_together() {
    let refusals = Refusals::default();
    let flood = MAX_SOURCES + 500;
    let single = (0..flood).filter(|n| refusals.see(&call(&n.to_string(), Code::Unauthenticated), 0)).count();
    assert_eq!(single as u64, MAX_ENTRIES_A_MINUTE);
    let mut total = 0;
    let mut several = 0;
    loop {
        let part = taken(&refusals, 60_000);
        if part.is_empty() {
            break;
        }
        total += part.iter().map(|(_, count)| count).sum::<u64>();
        several += part.iter().filter(|(client, _)| client == SEVERAL).map(|(_, count)| count).sum::<u64>();
    }
    assert_eq!((total, several), (flood as u64 - MAX_ENTRIES_A_MINUTE, 500));
}

// What could not be written is counted, what could not be counted is kept.
#[test]
fn what_was_not_written_is_kept() {
    let refusals = Refusals::default();
    assert!(refusals.see(&call("a", Code::Forbidden), 0));
    refusals.unwritten(&call("a", Code::Forbidden), 0);
    let counts = refusals.take(60_000, When::Over);
    assert_eq!(counts.len(), 1);
    refusals.put_back(counts);
    assert_eq!(taken(&refusals, 60_000), [("a".to_owned(), 1)]);
}

// E7: minutes in which nothing can be written do not pile up.
#[test]
fn e7_counts_that_cannot_be_written_have_a_limit() {
    let refusals = Refusals::default();
    let flood = |now| {
        for n in 0..MAX_SOURCES {
            let call = call(&n.to_string(), Code::Unauthenticated);
            assert!(!(0..=MAX_SINGLE_ENTRIES).all(|_| refusals.see(&call, now)));
        }
    };
    (0..3).for_each(|minute| flood(minute * MINUTE_MS));
    let mut kept = 0;
    loop {
        let part = refusals.take(3 * MINUTE_MS, When::Over).len();
        if part == 0 {
            break;
        }
        kept += part;
    }
    assert!(kept <= MAX_SOURCES + 1, "{kept} counts were kept");
}
