//! Dead letter rules, built under `#[cfg(test)]` only.

use super::fingerprint::{FINGERPRINT_CHARS, MAX_NORMAL_BYTES, error_text, fingerprint, normalise};
use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn d10_every_state_by_every_move() {
    use State::{Dismissed, Pending, Resolved, Retrying};
    let legal = [
        (Pending, Move::Retry, Retrying),
        (Pending, Move::Revive, Retrying),
        (Pending, Move::Dismiss, Dismissed),
        (Retrying, Move::Succeed, Resolved),
        (Retrying, Move::DieAgain, Pending),
        (Retrying, Move::Cancel, Dismissed),
        (Dismissed, Move::Reopen, Pending),
        (Dismissed, Move::Revive, Retrying),
    ];
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
        assert_eq!(State::from_code(state.code()), Some(state));
        for step in Move::ALL {
            let expected = legal.iter().find(|row| (row.0, row.1) == (state, step)).map(|row| row.2);
            let after = state.after(step);
            assert_eq!(after.as_ref().ok(), expected.as_ref(), "{state:?} {step:?}");
            assert!(after.is_ok() || after.unwrap_err().code == Code::WrongState);
        }
    }
}

#[test]
fn d10_a_letter_whose_task_runs_again_is_not_deleted() {
    for state in State::ALL {
        assert_eq!(state.may_delete().is_ok(), state != State::Retrying);
    }
}

#[test]
fn d11_the_oldest_closed_letters_make_room_and_pending_ones_never() {
    assert_eq!(room(500, 100, 500), Room { evict: 0, over: 0 });
    assert_eq!(room(501, 100, 500), Room { evict: 1, over: 0 });
    assert_eq!(room(501, 0, 500), Room { evict: 0, over: 1 });
    assert_eq!(room(620, 100, 500), Room { evict: 100, over: 20 });
    let evictable: Vec<State> = State::ALL.into_iter().filter(|state| state.may_evict()).collect();
    assert_eq!(evictable, [State::Resolved, State::Dismissed]);
}

#[test]
fn d12_letters_are_grouped_by_what_is_the_same() {
    let errors = [
        "exit 1: open /tmp/run-4711/a.txt: no such file (pid 81) at 2026-11-20T07:14:00.123Z",
        "exit 2: open /srv/x/b.txt:  no such file (pid 7)\n at 2024-01-01 00:00:00",
        "Exit 17: open ./c.txt: no such file (pid 900) at 2026-11-20T07:14:00+02:00",
    ];
    let prints: Vec<String> = errors.iter().map(|error| fingerprint("command", &json!(error))).collect();
    assert_eq!(prints[0], prints[1]);
    assert_eq!(prints[0], prints[2]);
    assert_ne!(prints[0], fingerprint("change", &json!(errors[0])), "the kind counts");
    assert_ne!(prints[0], fingerprint("command", &json!("exit 1: open /tmp/a: permission denied")));
}

#[test]
fn d12_what_differs_between_two_runs_is_left_out() {
    for (error, normal) in [
        ("task task_01h2xcejqtf2nbrexx3vqjhp41 lost", "task <id> lost"),
        ("id 0188bac7-4afa-78aa-bc3b-bd1eef28d881", "id <id>"),
        ("addr 0x7ffd12 commit 8a9f00c1d2", "addr <hex> commit <hex>"),
        ("GET https://a.example/b?c=1 gave 503", "get <url> gave <n>"),
        ("can't parse \"x=1\" or 'y=2' or `z`", "can't parse <text> or <text> or <text>"),
        ("src/main.rs:10:5 C:\\a\\b ~/x", "<path> <path> <path>"),
        ("took 1.5 s, -3 left", "took <n> s, <n> left"),
        ("\u{1b}[31mred\u{1b}[0m   defaced facade", "red defaced facade"),
        ("12:34:56,789 boom", "<time> boom"),
    ] {
        assert_eq!(normalise(error), normal);
    }
}

#[test]
fn d12_fingerprints_are_for_ever() {
    // Stored in rows and in other people's scripts: a change of this value needs a migration.
    assert_eq!(fingerprint("command", &json!("exit status 1")), "ece97e8337a4665a03c8fdc95992fdc2");
    assert_eq!(
        fingerprint("command", &json!({"message": "exit status 2"})),
        "ece97e8337a4665a03c8fdc95992fdc2"
    );
}

#[test]
fn an_error_is_a_text_or_says_its_message() {
    assert_eq!(error_text(&json!("boom")), "boom");
    assert_eq!(error_text(&json!({"code": 1, "error": "boom"})), "boom");
    assert_eq!(error_text(&json!({"code": 1})), "{\"code\":1}");
    assert_eq!(error_text(&json!(null)), "null");
}

#[test]
fn d12_a_group_is_retried_one_then_n_then_the_rest() {
    let turns = |first, rate_per_minute| {
        let plan = GroupRetry { first, rate_per_minute };
        [0, 1, 2, 3, 4].map(|index| plan.turn(index, 1_000))
    };
    use Turn::{At, Later, Now};
    assert_eq!(turns(Some(1), None), [Now, Later, Later, Later, Later]);
    assert_eq!(turns(Some(3), None), [Now, Now, Now, Later, Later]);
    assert_eq!(turns(None, Some(60)), [Now, At(2_000), At(3_000), At(4_000), At(5_000)]);
    assert_eq!(turns(Some(2), Some(60)), [Now, Now, At(2_000), At(3_000), At(4_000)]);
    assert_eq!(turns(None, None), [Now; 5]);
}

#[test]
fn group_retries_have_bounds() {
    let plan = |first, rate_per_minute| GroupRetry { first, rate_per_minute }.admit();
    assert!(plan(Some(1_000), Some(6_000)).is_ok() && plan(None, None).is_ok());
    for bad in [plan(Some(0), None), plan(Some(1_001), None), plan(None, Some(0)), plan(None, Some(6_001))] {
        assert_eq!(bad.unwrap_err().code, Code::Invalid);
    }
}

proptest! {
    #[test]
    fn any_error_has_a_fingerprint(kind in "[a-z]{0,8}", error in "\\PC{0,400}") {
        let print = fingerprint(&kind, &json!(error));
        prop_assert_eq!(print.len(), FINGERPRINT_CHARS);
        prop_assert!(normalise(&error).len() <= MAX_NORMAL_BYTES);
    }

    /// D12: numbers, addresses and blanks never split a group.
    #[test]
    fn numbers_never_split_a_group(a in any::<u64>(), b in any::<u64>(), path in "/[a-z]{1,8}/[a-z0-9]{1,8}") {
        let error = |n: u64| format!("worker {n} failed on {path} after {n} ms at {n:#x}");
        prop_assert_eq!(fingerprint("x", &json!(error(a))), fingerprint("x", &json!(error(b))));
    }

    /// D12: the rest never goes faster than the rate.
    #[test]
    fn d12_no_minute_has_more_than_the_rate(first in 1u32..10, rate in 1u32..6_000, index in 10u32..1_000) {
        let plan = GroupRetry { first: Some(first), rate_per_minute: Some(rate) };
        let at = |index| match plan.turn(index, 0) {
            Turn::Now => 0,
            Turn::At(time) => time,
            Turn::Later => -1,
        };
        prop_assert!(at(index + rate) - at(index) >= 60_000 - 1);
    }
}
