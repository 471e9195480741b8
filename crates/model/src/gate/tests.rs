//! Gate rules, built under `#[cfg(test)]` only.

use super::quorum::{Demand, Quorum, Voter, Who};
use super::vote::{self, Ballot, Strength, Verdict, vote, waiting_for};
use super::*;
use crate::id::Noun;
use crate::refusal::{Code, Refusal};
use crate::repository::rules::Asks;
use crate::role::Role;
use proptest::prelude::*;

pub(super) const SEEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(super) const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const MANY: u32 = 5;
/// Who submitted what these gates ask about.
pub(super) const SAM: &str = "sam";

pub(super) fn gate(quorum: &str) -> Gate {
    let id = Id::from_parts(Noun::Gate, Id::key_at(1_000, 0), 7);
    Gate {
        id,
        state: State::Open,
        subject_sha256: SEEN.to_owned(),
        earlier_sha256: Vec::new(),
        quorum: quorum.parse().unwrap(),
        self_approval: SelfApproval::Allowed,
        reduction: Reduction::Never,
        submitter: Some("sam".to_owned()),
        confirm_with: vec![id.to_string()],
        block: None,
        expires_ms: None,
        on_timeout: OnTimeout::Nothing,
        votes: Vec::new(),
        ended: None,
    }
}

/// A gate of tier 3: two approvals, not the submitter's, one lone person asked twice.
pub(super) fn sensitive() -> Gate {
    Gate {
        self_approval: SelfApproval::Forbidden,
        reduction: Reduction::WhenAlone,
        ..gate("2 of role:operator")
    }
}

fn operator(name: &str) -> Voter {
    Voter { identity: name.to_owned(), role: Role::Operator, groups: Vec::new() }
}

fn ballot(voter: Voter, side: Side) -> Ballot {
    Ballot { voter, side, subject_sha256: Some(SEEN.to_owned()), confirm: None, comment: None, patch: None }
}

/// An approval that was counted.
pub(super) fn voted(name: &str) -> Vote {
    Vote {
        voter: operator(name),
        side: Side::Approve,
        at_ms: 1,
        comment: None,
        confirmed: false,
        patch: None,
    }
}

pub(super) fn approve(name: &str) -> Ballot {
    ballot(operator(name), Side::Approve)
}

pub(super) fn reject(name: &str) -> Ballot {
    ballot(operator(name), Side::Reject)
}

/// Casts a vote and writes down what the verdict says, as the engine does.
fn cast(gate: &mut Gate, ballot: &Ballot, humans: u32, now: TimeMs) -> Result<Verdict, Refusal> {
    let verdict = vote(gate, ballot, humans, now)?;
    match &verdict {
        Verdict::Replayed(_) => {}
        Verdict::Counted(vote, _) => gate.votes.push(vote.clone()),
        Verdict::Decided(vote, end, _) => {
            gate.votes.push(vote.clone());
            gate.state = gate.state.after(*end).expect("an open gate ends");
            let by = Some(vote.voter.identity.clone());
            gate.ended = Some(Ended::by(by, now));
        }
    }
    Ok(verdict)
}

fn code(outcome: Result<Verdict, Refusal>) -> Code {
    outcome.expect_err("is refused").code
}

#[test]
fn d23_every_state_by_every_end() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
        for end in End::ALL {
            let after = state.after(end);
            assert_eq!(after, (state == State::Open).then(|| end.state()), "{state:?} {end:?}");
            assert!(after.is_none_or(State::is_final));
        }
    }
    let passing: Vec<State> = State::ALL.into_iter().filter(|state| state.lets_pass()).collect();
    assert_eq!(passing, [State::Approved, State::AutoApproved]);
}

#[test]
fn d23_the_example_quorum_needs_all_its_demands() {
    let mut gate = gate("2 of role:operator and 1 of group:security");
    let guard = Voter { groups: vec!["security".to_owned()], ..operator("gus") };
    let Verdict::Counted(_, waits) = cast(&mut gate, &approve("ann"), MANY, 1).unwrap() else { panic!() };
    assert_eq!(waits.demands.len(), 2);
    let Verdict::Counted(_, waits) = cast(&mut gate, &approve("bob"), MANY, 2).unwrap() else { panic!() };
    let security = Who::Group("security".to_owned());
    assert_eq!(waits.demands, [Demand { count: 1, any_of: vec![security] }]);
    let last = cast(&mut gate, &ballot(guard, Side::Approve), MANY, 3).unwrap();
    assert!(matches!(last, Verdict::Decided(_, End::Approve, Strength::Full)));
    assert_eq!(gate.state, State::Approved);
}

#[test]
fn d23_admins_always_decide_and_others_do_not() {
    let admin = Voter { role: Role::Admin, ..operator("root") };
    let verdict = vote(&gate("identity:alice"), &ballot(admin, Side::Approve), MANY, 1).unwrap();
    assert!(matches!(verdict, Verdict::Decided(..)));
    assert_eq!(code(vote(&gate("identity:alice"), &approve("bob"), MANY, 1)), Code::NotADecider);
    assert!(vote(&gate("identity:alice or identity:bob"), &approve("bob"), MANY, 1).is_ok());
}

#[test]
fn d23_time_outs_approve_reject_or_do_nothing() {
    let timed = |on_timeout| Gate { expires_ms: Some(100), on_timeout, ..gate("role:operator") };
    for on_timeout in [OnTimeout::Approve, OnTimeout::Reject, OnTimeout::Nothing] {
        assert_eq!(due(&timed(on_timeout), 99), None);
    }
    assert_eq!(due(&timed(OnTimeout::Approve), 100), Some(End::TimeOutApproves));
    assert_eq!(due(&timed(OnTimeout::Reject), 100), Some(End::TimeOutRejects));
    assert_eq!(due(&timed(OnTimeout::Nothing), 1_000_000), None);
    let blocked = Gate { block: Some(Block::ChecksFailed), ..timed(OnTimeout::Approve) };
    assert_eq!(due(&blocked, 100), None, "a clock approves nothing that a person could not");
    let ended = Gate { state: State::Rejected, ..timed(OnTimeout::Approve) };
    assert_eq!(due(&ended, 100), None);
    assert_eq!(code(vote(&timed(OnTimeout::Reject), &approve("ann"), MANY, 100)), Code::AlreadyDecided);
}

#[test]
fn d24_a_vote_names_its_subject() {
    let without = Ballot { subject_sha256: None, ..approve("ann") };
    assert_eq!(code(vote(&gate("role:operator"), &without, MANY, 1)), Code::SubjectRequired);
    let odd = Ballot { subject_sha256: Some("sha".to_owned()), ..approve("ann") };
    assert_eq!(code(vote(&gate("role:operator"), &odd, MANY, 1)), Code::Invalid);
    let upper = Ballot { subject_sha256: Some(SEEN.to_uppercase()), ..approve("ann") };
    assert!(vote(&gate("role:operator"), &upper, MANY, 1).is_ok());
}

#[test]
fn d26_a_changed_subject_is_refused_with_the_new_one() {
    let stale = Ballot { subject_sha256: Some(OTHER.to_owned()), ..approve("ann") };
    let refusal = vote(&gate("role:operator"), &stale, MANY, 1).unwrap_err();
    assert_eq!(refusal.code, Code::SubjectChanged);
    assert_eq!(refusal.extra["subject_sha256"], SEEN);

    let ended = Ended { next_subject_sha256: Some(OTHER.to_owned()), ..Ended::by(None, 5) };
    let old = Gate { state: State::Superseded, ended: Some(ended), ..gate("role:operator") };
    let refusal = vote(&old, &approve("ann"), MANY, 9).unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["subject_sha256"]), (Code::SubjectChanged, &OTHER.into()));
}

#[test]
fn d24_one_vote_an_identity() {
    let mut gate = gate("2 of role:operator");
    cast(&mut gate, &approve("ann"), MANY, 1).unwrap();
    assert!(matches!(cast(&mut gate, &approve("ann"), MANY, 2).unwrap(), Verdict::Replayed(_)));
    assert_eq!(gate.votes.len(), 1, "the same vote again is not a second approval");
    assert_eq!(code(cast(&mut gate, &reject("ann"), MANY, 3)), Code::AlreadyVoted);

    cast(&mut gate, &approve("bob"), MANY, 4).unwrap();
    assert!(matches!(cast(&mut gate, &approve("bob"), MANY, 5).unwrap(), Verdict::Replayed(_)));
    let refusal = cast(&mut gate, &reject("cid"), MANY, 6).unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyDecided);
    assert_eq!(refusal.extra["decided_by"], "bob");
    assert_eq!(refusal.extra["decision"], "approved");
    assert_eq!(refusal.extra["decided_at"], "1970-01-01T00:00:00.004Z");
    assert_eq!(code(cast(&mut gate, &reject("ann"), MANY, 7)), Code::AlreadyDecided);
}

#[test]
fn d24_the_first_reject_decides() {
    let mut gate = gate("3 of role:operator");
    cast(&mut gate, &approve("ann"), MANY, 1).unwrap();
    cast(&mut gate, &reject("bob"), MANY, 2).unwrap();
    assert_eq!(gate.state, State::Rejected);
}

#[test]
fn d26_nobody_decides_on_what_they_submitted() {
    for own in [approve("sam"), reject("sam")] {
        assert_eq!(code(vote(&sensitive(), &own, 2, 1)), Code::SelfApproval);
    }
    assert!(vote(&gate("role:operator"), &approve("sam"), 2, 1).is_ok(), "allowed where nothing forbids it");
}

#[test]
fn d26_a_lone_person_is_asked_twice_and_types_the_id() {
    let mut gate = sensitive();
    let Verdict::Counted(_, waits) = cast(&mut gate, &approve("sam"), 1, 1).unwrap() else { panic!() };
    assert!(waits.confirm.is_some());
    // D24: without `confirm` the second one is the same vote again.
    assert!(matches!(cast(&mut gate, &approve("sam"), 1, 2).unwrap(), Verdict::Replayed(_)));
    let wrong = Ballot { confirm: Some("yes".to_owned()), ..approve("sam") };
    assert_eq!(code(cast(&mut gate, &wrong, 1, 3)), Code::ConfirmRequired);
    let typed = Ballot { confirm: Some(gate.id.to_string()), ..approve("sam") };
    let verdict = cast(&mut gate, &typed, 1, 4).unwrap();
    assert!(matches!(verdict, Verdict::Decided(_, End::Approve, Strength::Reduced)));
    assert!(gate.votes[1].confirmed);
}

#[test]
fn d26_the_reduction_ends_when_somebody_else_can_decide() {
    let mut gate = sensitive();
    cast(&mut gate, &approve("sam"), 1, 1).unwrap();
    let typed = Ballot { confirm: Some(gate.id.to_string()), ..approve("sam") };
    assert!(matches!(cast(&mut gate, &typed, 2, 2).unwrap(), Verdict::Replayed(_)));
    // The submitter's own approval, given while alone, no longer counts.
    let Verdict::Counted(_, waits) = cast(&mut gate, &approve("ann"), 3, 3).unwrap() else { panic!() };
    assert_eq!(waits.demands[0].count, 1);
    let last = cast(&mut gate, &approve("bob"), 3, 4).unwrap();
    assert!(matches!(last, Verdict::Decided(_, End::Approve, Strength::Full)));
}

#[test]
fn d26_without_a_reduction_a_confirmation_does_not_count() {
    let mut gate = gate("2 of role:operator");
    cast(&mut gate, &approve("sam"), 1, 1).unwrap();
    let typed = Ballot { confirm: Some(gate.id.to_string()), ..approve("sam") };
    assert!(matches!(cast(&mut gate, &typed, 1, 2).unwrap(), Verdict::Replayed(_)));
    assert_eq!(waiting_for(&gate, 1).demands[0].count, 1);
}

#[test]
fn c21_what_failed_its_checks_is_rejected_but_not_approved() {
    for (block, expected) in [
        (Block::ChecksFailed, Code::ChecksFailed),
        (Block::Unchecked, Code::ChecksFailed),
        (Block::Conflict, Code::WrongState),
        (Block::Unproven, Code::WrongState),
    ] {
        let gate = Gate { block: Some(block), ..gate("role:operator") };
        assert_eq!(code(vote(&gate, &approve("ann"), MANY, 1)), expected);
        assert!(matches!(vote(&gate, &reject("ann"), MANY, 1), Ok(Verdict::Decided(_, End::Reject, _))));
    }
}

#[test]
fn votes_and_their_words_are_limited() {
    let long = Ballot { comment: Some("x".repeat(MAX_COMMENT_BYTES + 1)), ..approve("ann") };
    assert_eq!(code(vote(&gate("role:operator"), &long, MANY, 1)), Code::Invalid);
    let mut full = gate("role:operator and identity:zoe");
    for n in 0..MAX_VOTES {
        cast(&mut full, &approve(&format!("p{n}")), MANY, 1).unwrap();
    }
    assert_eq!(code(cast(&mut full, &approve("one-more"), MANY, 1)), Code::WrongState);
}

#[test]
fn quorums_are_read_and_written() {
    for (text, canonical) in [
        ("role:operator", "1 of role:operator"),
        ("2 of role:operator and 1 of group:security", "2 of role:operator and 1 of group:security"),
        ("  1 of  identity:alice   or group:ops ", "1 of identity:alice or group:ops"),
    ] {
        assert_eq!(text.parse::<Quorum>().unwrap().to_string(), canonical);
    }
    for bad in ["", "operator", "role:king", "0 of role:operator", "21 of role:admin", "two of role:admin"] {
        assert!(bad.parse::<Quorum>().is_err(), "{bad}");
    }
    for bad in ["group:", "team:x", "role:operator and", "1 of", "identity:a b", "role:admin or"] {
        assert!(bad.parse::<Quorum>().is_err(), "{bad}");
    }
    let many = ["role:operator"; 9].join(" and ");
    assert!(many.parse::<Quorum>().is_err());
    assert!("x".repeat(1_001).parse::<Quorum>().is_err());
}

#[test]
fn c22_two_approvals_are_asked_of_any_quorum() {
    for (text, grown) in [
        ("role:operator", "2 of role:operator"),
        ("role:operator and group:security", "2 of role:operator and 1 of group:security"),
        ("3 of role:operator", "3 of role:operator"),
    ] {
        assert_eq!(text.parse::<Quorum>().unwrap().at_least(2).to_string(), grown);
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        (0usize..5).prop_map(|place| Who::Role(Role::ALL[place])),
        "[a-z0-9_-]{1,12}".prop_map(Who::Group),
        "[a-z0-9@._-]{1,12}".prop_map(Who::Identity),
    ]
}

proptest! {
    #[test]
    fn any_text_is_no_panic(text in "(role:operator|group:[a-z]| and | of | or |[0-9]|\\PC){0,12}") {
        if let Ok(quorum) = text.parse::<Quorum>() {
            prop_assert_eq!(quorum.to_string().parse::<Quorum>().unwrap(), quorum);
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        demands in prop::collection::vec((1u32..=20, prop::collection::vec(who(), 1..4)), 1..5)
    ) {
        let demands: Vec<String> =
            demands.into_iter().map(|(count, any_of)| Demand { count, any_of }.to_string()).collect();
        let text = demands.join(" and ");
        prop_assert_eq!(text.parse::<Quorum>().unwrap().to_string(), text);
    }

    /// D24, D26: whatever the order of votes, an identity counts once and the submitter never approves.
    #[test]
    fn any_votes_keep_the_rules(
        votes in prop::collection::vec((0usize..5, prop::bool::weighted(0.1), any::<bool>(), 0u32..4), 0..30)
    ) {
        let names = ["sam", "ann", "bob", "cid", "dan"];
        let mut gate = sensitive();
        for (who, rejects, types_id, humans) in votes {
            let side = if rejects { Side::Reject } else { Side::Approve };
            let confirm = types_id.then(|| gate.id.to_string());
            let was = gate.state;
            let verdict = cast(&mut gate, &Ballot { confirm, ..ballot(operator(names[who]), side) }, humans, 9);
            prop_assert!(!was.is_final() || !matches!(verdict, Ok(Verdict::Counted(..) | Verdict::Decided(..))));
            if let Ok(Verdict::Decided(vote, End::Approve, strength)) = verdict {
                let mut approvers: Vec<&str> = gate.votes.iter().map(|vote| vote.voter.identity.as_str()).collect();
                approvers.sort_unstable();
                approvers.dedup();
                let others = approvers.iter().filter(|name| **name != "sam").count();
                prop_assert!(others >= 2 || (strength == Strength::Reduced && humans <= 1 && vote.confirmed));
            }
        }
    }
}

#[test]
fn c23_who_decides_may_send_back_what_they_saw_and_no_vote_is_spent() {
    let gate = gate("role:operator");
    let sam = ballot(operator("sam"), Side::Reject);
    assert_eq!(vote::may_send_back(&gate, &sam, 1), Ok(()), "also who submitted it");
    let unseen = Ballot { subject_sha256: None, ..sam.clone() };
    assert_eq!(vote::may_send_back(&gate, &unseen, 1).unwrap_err().code, Code::SubjectRequired);
    let other = Ballot { subject_sha256: Some(OTHER.to_owned()), ..sam.clone() };
    assert_eq!(vote::may_send_back(&gate, &other, 1).unwrap_err().code, Code::SubjectChanged);
    let viewer = Voter { role: Role::Viewer, ..operator("vera") };
    let viewer = ballot(viewer, Side::Reject);
    assert_eq!(vote::may_send_back(&gate, &viewer, 1).unwrap_err().code, Code::NotADecider);
    let mut ended = gate;
    cast(&mut ended, &approve("ann"), MANY, 1).unwrap();
    assert_eq!(vote::may_send_back(&ended, &sam, 2).unwrap_err().code, Code::AlreadyDecided);
}

// D24: a moved base with the same diff keeps the approval, unless the new rules ask for more.
#[test]
fn d24_an_approval_is_kept_as_long_as_the_rules_ask_for_no_more() {
    let asks = |quorum: &str, self_approval, reduction| Asks {
        quorum: quorum.parse().unwrap(),
        self_approval,
        reduction,
    };
    let one = asks("role:operator", SelfApproval::Allowed, Reduction::Never);
    let two = asks("2 of role:operator", SelfApproval::Forbidden, Reduction::WhenAlone);
    let mut approved = gate("role:operator");
    cast(&mut approved, &approve("sam"), MANY, 1).unwrap();
    assert!(vote::still_approves(&approved.votes, &one, Some("sam")));
    assert!(!vote::still_approves(&approved.votes, &two, Some("sam")));
    let forbidden = Asks { self_approval: SelfApproval::Forbidden, ..one.clone() };
    assert!(!vote::still_approves(&approved.votes, &forbidden, Some("sam")));
    assert!(vote::still_approves(&approved.votes, &forbidden, Some("zoe")));
    let mut lone = sensitive();
    cast(&mut lone, &approve("sam"), 1, 1).unwrap();
    let typed = Ballot { confirm: Some(lone.id.to_string()), ..approve("sam") };
    assert!(matches!(
        cast(&mut lone, &typed, 1, 2),
        Ok(Verdict::Decided(_, End::Approve, Strength::Reduced))
    ));
    assert!(vote::still_approves(&lone.votes, &two, Some("sam")));
    let strict = Asks { reduction: Reduction::Never, ..two };
    assert!(!vote::still_approves(&lone.votes, &strict, Some("sam")));
    assert!(!vote::still_approves(&[], &one, None));
}
