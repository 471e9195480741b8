//! What happens next, built under `#[cfg(test)]` only.

use crate::change::step::*;
use crate::change::weigh::Weight;
use crate::change::{State, Tier};
use crate::gate::Block;
use crate::repository::rules::{BaseFile, Rules, effective};
use crate::repository::settings::{AutoMerge, Settings};
use proptest::prelude::*;

fn rules(auto_merge: AutoMerge) -> Rules {
    let settings = Settings { auto_merge: Some(auto_merge), ..Settings::default() };
    Rules { paths: Vec::new(), ..effective(&settings, &BaseFile::Absent) }
}

fn weight(tier: Tier) -> Weight {
    Weight { tier, reasons: Vec::new() }
}

fn red() -> Vec<RedCheck> {
    vec![RedCheck { name: "test".into(), log: "1 failed".into() }]
}

fn landing(tree: &str) -> Landing {
    Landing { commit: "c".into(), tree: tree.into(), checked_tree: "t".into() }
}

fn tries(fixes: u32, conflicts: u32, requeues: u32) -> Tries {
    Tries { fixes, conflicts, requeues }
}

#[test]
fn c23_tier_1_merges_by_itself_only_when_the_rules_say_safe() {
    for (auto_merge, tier, queued) in [
        (AutoMerge::Safe, Tier::Safe, true),
        (AutoMerge::Safe, Tier::Review, false),
        (AutoMerge::Safe, Tier::Sensitive, false),
        (AutoMerge::Off, Tier::Safe, false),
    ] {
        let rules = rules(auto_merge);
        let situation = Situation { rules: &rules, tries: Tries::default() };
        let step = after_checks(situation, Checked::Green, &weight(tier));
        assert_eq!(step == Step::Queue(Cause::Auto), queued, "{auto_merge:?} {tier:?}");
        if !queued {
            let Step::OpenGate { block: None, why } = step else { panic!("{step:?}") };
            assert_eq!(why.contains("auto_merge is off"), tier == Tier::Safe, "{why}");
        }
    }
}

// C20: with rules that nobody can read nothing lands, whoever approves and however green it is.
#[test]
fn c20_a_base_whose_rules_cannot_be_read_is_a_gate_that_nobody_approves() {
    let rules = Rules { fault: Some(".tiltyard.toml:3: no".into()), ..rules(AutoMerge::Safe) };
    let situation = Situation { rules: &rules, tries: Tries::default() };
    let step = after_checks(situation, Checked::Green, &weight(Tier::Sensitive));
    let Step::OpenGate { block, why } = step else { panic!("{step:?}") };
    assert!(block == Some(Block::Unchecked) && why.contains(".tiltyard.toml:3: no"), "{why}");
}

#[test]
fn c21_red_checks_go_back_twice_then_to_a_gate_that_cannot_be_approved() {
    let rules = rules(AutoMerge::Safe);
    let at = |fixes| Situation { rules: &rules, tries: tries(fixes, 0, 0) };
    let next = |fixes| after_checks(at(fixes), Checked::Red(red()), &weight(Tier::Review));
    assert_eq!(next(0), Step::Fix { attempt: 1, red: red() });
    assert_eq!(next(1), Step::Fix { attempt: 2, red: red() });
    let Step::OpenGate { block, why } = next(2) else { panic!() };
    assert_eq!((block, why.as_str()), (Some(Block::ChecksFailed), "red after 2 fixes: test"));
    let none = Rules { fix_attempts: 0, ..rules.clone() };
    let situation = Situation { rules: &none, tries: Tries::default() };
    let step = after_checks(situation, Checked::Red(red()), &weight(Tier::Review));
    assert!(matches!(step, Step::OpenGate { block: Some(Block::ChecksFailed), .. }));
}

#[test]
fn c30_red_checks_on_the_merged_tree_go_back_or_to_the_gate() {
    let rules = rules(AutoMerge::Safe);
    let at = |fixes| Situation { rules: &rules, tries: tries(fixes, 0, 0) };
    assert!(matches!(after_merge(at(1), Merged::Red(red())), Step::Fix { attempt: 2, .. }));
    assert!(matches!(after_merge(at(2), Merged::Red(red())), Step::OpenGate { .. }));
}

#[test]
fn c30_a_moved_base_gets_another_turn_but_not_for_ever() {
    let rules = rules(AutoMerge::Safe);
    let at = |requeues| Situation { rules: &rules, tries: tries(0, 0, requeues) };
    assert!(matches!(after_merge(at(0), Merged::BaseMoved), Step::Requeue { .. }));
    let last = after_merge(at(MAX_REQUEUES), Merged::BaseMoved);
    assert!(matches!(last, Step::OpenGate { block: None, .. }));
    let refused = after_merge(at(0), Merged::Refused("the tree is dirty".into()));
    let Step::OpenGate { block: None, why } = refused else { panic!() };
    assert!(why.contains("dirty"), "a person reads why, mends it and approves again");
}

#[test]
fn c32_a_conflict_goes_to_the_agent_once_then_to_a_person() {
    let rules = rules(AutoMerge::Safe);
    let files = vec!["a.txt".to_owned()];
    let first = after_checks(
        Situation { rules: &rules, tries: Tries::default() },
        Checked::Conflict(files.clone()),
        &weight(Tier::Review),
    );
    assert_eq!(first, Step::Conflict { files: files.clone(), then: AfterConflict::Attempt });
    assert_eq!(first.lead(State::Checking).unwrap(), State::Open);
    let used = Tries::default().after(&first);
    let second = after_merge(Situation { rules: &rules, tries: used }, Merged::Conflict(files.clone()));
    assert_eq!(second, Step::Conflict { files, then: AfterConflict::Person });
    assert_eq!(second.lead(State::Merging).unwrap(), State::Conflicted);
}

#[test]
fn c34_merged_only_when_the_target_holds_what_was_checked() {
    let rules = rules(AutoMerge::Safe);
    let situation = Situation { rules: &rules, tries: Tries::default() };
    assert_eq!(after_merge(situation, Merged::Landed(landing("t"))), Step::Land(landing("t")));
    let other = after_merge(situation, Merged::Landed(landing("u")));
    assert!(matches!(other, Step::OpenGate { block: Some(Block::Unproven), .. }));
    let nothing = Landing { tree: String::new(), checked_tree: String::new(), ..landing("t") };
    assert!(!nothing.is_proven());
}

#[test]
fn c18_a_person_who_sends_back_gives_all_tries_anew() {
    assert_eq!(tries(2, 1, 9).after(&after_decision(Decided::SentBack)), Tries::default());
    assert_eq!(after_decision(Decided::Approved), Step::Queue(Cause::Approved));
    assert_eq!(after_decision(Decided::Rejected), Step::Reject);
    assert_eq!(after_decision(Decided::SentBack).lead(State::Conflicted).unwrap(), State::Open);
}

fn any_tries() -> impl Strategy<Value = Tries> {
    (0u32..25, 0u32..3, 0u32..12).prop_map(|(fixes, conflicts, requeues)| tries(fixes, conflicts, requeues))
}

proptest! {
    /// Whatever comes out of checks and merges, its step is legal from the state in which it can come.
    #[test]
    fn every_step_is_legal_where_it_happens(tries in any_tries(), which in 0usize..8, tier in 0usize..3) {
        let rules = rules(AutoMerge::Safe);
        let situation = Situation { rules: &rules, tries };
        let files = || vec!["a".to_owned()];
        let (state, step) = match which {
            0 => (State::Checking, after_checks(situation, Checked::Green, &weight(Tier::ALL[tier]))),
            1 => (State::Checking, after_checks(situation, Checked::Red(red()), &weight(Tier::Review))),
            2 => (State::Checking, after_checks(situation, Checked::Conflict(files()), &weight(Tier::Review))),
            3 => (State::Merging, after_merge(situation, Merged::Landed(landing("t")))),
            4 => (State::Merging, after_merge(situation, Merged::BaseMoved)),
            5 => (State::Merging, after_merge(situation, Merged::Red(red()))),
            6 => (State::Merging, after_merge(situation, Merged::Conflict(files()))),
            _ => (State::Merging, after_merge(situation, Merged::Refused("no".into()))),
        };
        prop_assert!(step.lead(state).is_ok(), "{state:?} {step:?}");
    }

    /// C21, C32: without a person a change cannot go round for ever.
    #[test]
    fn every_road_ends_at_a_person_or_in_the_target(bad in prop::collection::vec(0usize..4, 200)) {
        let rules = rules(AutoMerge::Safe);
        let (mut state, mut tries) = (State::Open, Tries::default());
        let mut steps = 0;
        for luck in bad {
            let situation = Situation { rules: &rules, tries };
            let step = match (state, luck) {
                (State::Open, _) => {
                    state = State::Checking;
                    continue;
                }
                (State::Queued, _) => {
                    state = State::Merging;
                    continue;
                }
                (State::Checking, 0) => after_checks(situation, Checked::Red(red()), &weight(Tier::Safe)),
                (State::Checking, 1) => {
                    after_checks(situation, Checked::Conflict(Vec::new()), &weight(Tier::Safe))
                }
                (State::Checking, _) => after_checks(situation, Checked::Green, &weight(Tier::Safe)),
                (State::Merging, 0) => after_merge(situation, Merged::Red(red())),
                (State::Merging, 1) => after_merge(situation, Merged::Conflict(Vec::new())),
                (State::Merging, _) => after_merge(situation, Merged::BaseMoved),
                _ => break,
            };
            steps += 1;
            tries = tries.after(&step);
            state = step.lead(state).unwrap();
        }
        prop_assert!(steps <= 60, "{steps} steps, still {state:?}");
    }
}
