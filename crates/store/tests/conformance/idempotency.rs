use crate::body::{NOW, each};
use tiltyard_model::time::DAY_MS;
use tiltyard_store::idempotency::{Kept, delete, get, prune, put};

fn kept(answer: &str) -> Kept {
    Kept { body: vec![0, 255, 7], status: 201, answer: answer.into() }
}

// API5: an answer is kept for 24 hours, across the border of a window too.
#[test]
fn api5_an_answer_is_kept_for_a_day() {
    each(|body| {
        body.write(|tx| put(tx, b"key", &kept("one"), NOW));
        for (at, found) in [(NOW, true), (NOW + DAY_MS - 1, true), (NOW + DAY_MS, false)] {
            assert_eq!(get(body.rows(), b"key", at).unwrap().is_some(), found, "after {} ms", at - NOW);
        }
        assert_eq!(get(body.rows(), b"other", NOW).unwrap(), None);
        body.write(|tx| put(tx, b"key", &kept("two"), NOW + DAY_MS));
        assert_eq!(get(body.rows(), b"key", NOW + DAY_MS).unwrap(), Some(kept("two")), "the newer one");
    });
}

// API5: a request that was refused leaves no row behind, in whichever window its work began.
#[test]
fn api5_an_answer_can_be_forgotten() {
    each(|body| {
        body.write(|tx| put(tx, b"key", &kept("one"), NOW));
        body.write(|tx| put(tx, b"other", &kept("other"), NOW));
        body.write(|tx| put(tx, b"key", &kept("two"), NOW + DAY_MS - 1));
        body.write(|tx| delete(tx, b"key", NOW + DAY_MS - 1));
        assert_eq!(get(body.rows(), b"key", NOW + DAY_MS - 1).unwrap(), None);
        assert_eq!(get(body.rows(), b"other", NOW).unwrap(), Some(kept("other")));
    });
}

#[test]
fn past_windows_are_forgotten_part_by_part() {
    each(|body| {
        for n in 0..5u8 {
            body.write(|tx| put(tx, &[n], &kept("old"), NOW));
        }
        let later = NOW + 2 * DAY_MS;
        body.write(|tx| put(tx, b"new", &kept("new"), later));
        assert_eq!(body.write(|tx| prune(tx, NOW + DAY_MS, 10)), 0, "still within a day of some");
        let forgotten = [2, 2, 1, 0].map(|_| body.write(|tx| prune(tx, later, 2)));
        assert_eq!(forgotten, [2, 2, 1, 0]);
        assert!(get(body.rows(), b"new", later).unwrap().is_some());
    });
}
