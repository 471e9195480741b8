//! Change rules, built under `#[cfg(test)]` only.

mod diff;
mod step;
mod weigh;

use super::*;

#[test]
fn c18_every_state_by_every_move() {
    use State::{Checking, Closed, Conflicted, Merged, Merging, Open, Queued, Rejected, Review};
    let legal = [
        (Open, Move::Upload, Checking),
        (Checking, Move::SendBack, Open),
        (Checking, Move::Ask, Review),
        (Checking, Move::Queue, Queued),
        (Checking, Move::Conflict, Conflicted),
        (Review, Move::SendBack, Open),
        (Review, Move::Queue, Queued),
        (Review, Move::Land, Merged),
        (Review, Move::Reject, Rejected),
        (Review, Move::Recheck, Checking),
        (Queued, Move::Ask, Review),
        (Queued, Move::Merge, Merging),
        (Queued, Move::Land, Merged),
        (Queued, Move::Recheck, Checking),
        (Merging, Move::Land, Merged),
        (Merging, Move::Requeue, Queued),
        (Merging, Move::Recheck, Checking),
        (Merging, Move::SendBack, Open),
        (Merging, Move::Ask, Review),
        (Merging, Move::Conflict, Conflicted),
        (Conflicted, Move::SendBack, Open),
        (Conflicted, Move::Reject, Rejected),
        (Conflicted, Move::Land, Merged),
    ];
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
        assert_eq!(State::from_code(state.code()), Some(state));
        for step in Move::ALL {
            let closes = (step == Move::Close && !state.is_final()).then_some(Closed);
            let row = legal.iter().find(|row| (row.0, row.1) == (state, step)).map(|row| row.2);
            let after = state.after(step);
            assert_eq!(after.as_ref().ok(), row.or(closes).as_ref(), "{state:?} {step:?}");
            assert!(after.is_ok() || after.unwrap_err().code == Code::WrongState);
        }
    }
}

#[test]
fn c22_tiers_are_numbers_on_the_wire() {
    for tier in Tier::ALL {
        let json = serde_json::to_string(&tier).unwrap();
        assert_eq!(json, tier.number().to_string());
        assert_eq!(serde_json::from_str::<Tier>(&json).unwrap(), tier);
    }
    assert!(serde_json::from_str::<Tier>("0").is_err() && Tier::Sensitive > Tier::Review);
}
