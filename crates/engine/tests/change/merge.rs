//! From a proposal to a merge, and what can come between.

use crate::rig::spec;
use crate::yard::{
    RULES, SMITH, Yard, decision, green, green_of, idea, landed, oid, operator, red, rules_file, run,
};
use serde_json::Value;
use tiltyard_model::change::State;
use tiltyard_model::change::work::{CheckStatus, How, MergePayload, MergeResult, Merged, Refused};
use tiltyard_model::gate::{Block, Side};
use tiltyard_model::refusal::Code;
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;

// C18, C23, C30, C34, D51: a safe change merges by itself; each step has its event, and what waited for it goes on only
// after the merge.
#[tokio::test]
async fn c23_a_safe_change_merges_by_itself_and_dependents_start_after_the_merge() {
    let yard = Yard::new().await;
    let task = yard.idea("fix the readme").await;
    let mut after = spec("after the merge");
    after.depends_on = vec![task];
    let dependent = yard.submit(after).await.expect("is taken in");
    let (payload, change) = yard.propose("fix the readme").await;
    assert_eq!((payload.given.repository.name.as_str(), payload.given.change), ("app", None));
    assert_eq!((change.change.state, yard.rig.state(task).await), (State::Checking, TaskState::Waiting));
    let id = change.change.id;
    yard.check(|asked| {
        assert_eq!((asked.change, asked.checks.len()), (id, 1));
        assert_eq!(asked.rules_sha256, Some(rules_file(RULES).sha256));
        green(asked, &["README.md"])
    })
    .await;
    assert_eq!(yard.state(id).await, State::Queued);
    assert_eq!(yard.rig.state(dependent).await, TaskState::Pending);
    let taken = yard.take_git("git.merge").await;
    assert_eq!(yard.state(id).await, State::Merging);
    let asked: MergePayload = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    assert_eq!(asked.subject_sha256, change.change.subject_sha256.clone().expect("has one"));
    assert!(asked.green.is_some(), "the checks that passed need not run again on the same tree");
    yard.succeed(&taken, Some(serde_json::to_string(&landed(&asked)).expect("writes"))).await.expect("taken");
    let merged = yard.change(id).await.change;
    assert_eq!((merged.state, yard.rig.state(task).await), (State::Merged, TaskState::Succeeded));
    assert_eq!(merged.record.merge.expect("has its proof").how, How::Moved);
    assert_eq!(yard.rig.state(dependent).await, TaskState::Ready);
    let story = ["change.opened", "change.checking", "change.queued", "change.merging", "change.merged"];
    assert_eq!(yard.story().await, story);
    let moves = ["submitted", "leased", "waiting", "succeeded"];
    let told: Vec<_> = yard.rig.story(task).await.into_iter().filter(|word| moves.contains(word)).collect();
    assert_eq!(told, moves, "one event a move");
    let clean = yard.take("git").await.expect("the mirror may forget it now");
    assert_eq!(clean.found.task.spec.kind, "git.clean");
}

// D52: an act with an effect outside has its intent on disk before, its outcome after, and one act id.
#[tokio::test]
async fn d52_a_merge_has_its_intent_before_and_its_outcome_after() {
    let yard = Yard::new().await;
    yard.idea("fix the readme").await;
    yard.propose("fix the readme").await;
    yard.check(|asked| green(asked, &["README.md"])).await;
    let merges = |chain: Vec<tiltyard_model::audit::Entry>| {
        let merges = chain.into_iter().filter(|entry| entry.action == "change.merged");
        merges.map(|entry| entry.detail).collect::<Vec<_>>()
    };
    assert!(merges(yard.rig.chain("default").await).is_empty(), "nobody has it yet");
    let taken = yard.take_git("git.merge").await;
    let intent = merges(yard.rig.chain("default").await);
    assert_eq!((intent.len(), &intent[0]["phase"]), (1, &Value::from("intent")));
    let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    yard.succeed(&taken, Some(serde_json::to_string(&landed(&asked)).expect("writes"))).await.expect("taken");
    let both = merges(yard.rig.chain("default").await);
    assert_eq!((both.len(), &both[1]["phase"]), (2, &Value::from("outcome")));
    assert_eq!(both[0]["act_id"], both[1]["act_id"]);
    assert!(both[0]["act_id"].as_str().expect("an id").starts_with("act_"));
    let acts = yard.rig.acts_of("default").await;
    assert_eq!(acts[2..], ["change.auto_approved", "change.merged", "change.merged"]);
}

// C30: one merge at a time for a target, in the order of approval.
#[tokio::test]
async fn c30_merges_go_one_at_a_time_in_the_order_of_approval() {
    let yard = Yard::new().await;
    let (first, second) = (yard.in_review("one").await.change.id, yard.in_review("two").await.change.id);
    yard.approve("zoe", second).await.expect("is counted");
    yard.approve("zoe", first).await.expect("is counted");
    let taken = yard.take_git("git.merge").await;
    assert_eq!((yard.state(second).await, yard.state(first).await), (State::Merging, State::Queued));
    assert!(yard.take("git").await.is_none(), "the other one waits for its turn");
    let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    yard.succeed(&taken, Some(serde_json::to_string(&landed(&asked)).expect("writes"))).await.expect("taken");
    yard.merge(landed).await;
    assert_eq!((yard.state(second).await, yard.state(first).await), (State::Merged, State::Merged));
}

// C30: the base moved under a merge: its turn comes again, the approval is kept, and each try has its own outcome.
#[tokio::test]
async fn c30_a_moved_base_gives_another_turn_and_keeps_the_approval() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|_| MergeResult::BaseMoved { was: oid("base"), now: oid("newer") }).await;
    assert_eq!(yard.state(id).await, State::Queued);
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
    let chain = yard.rig.chain("default").await;
    let ends: Vec<_> = chain.iter().filter(|entry| entry.action == "change.merged").collect();
    let results: Vec<&str> = ends.iter().map(|entry| entry.result.as_str()).collect();
    assert_eq!(results, ["pending", "failed", "pending", "ok"]);
    assert_ne!(ends[0].detail["act_id"], ends[2].detail["act_id"]);
}

#[tokio::test]
async fn c30_a_base_that_moves_for_ever_is_a_matter_for_people() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    for _ in 0..=tiltyard_model::change::step::MAX_REQUEUES {
        yard.merge(|_| MergeResult::BaseMoved { was: oid("base"), now: oid("newer") }).await;
    }
    assert_eq!(yard.state(id).await, State::Review);
    assert!(yard.gate(id).await.about.reasons[0].contains("moved"));
}

// C30: checks that fail on what would land send it back to its agent; nothing landed.
#[tokio::test]
async fn c30_red_checks_on_what_would_land_go_back_to_the_agent() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|_| MergeResult::ChecksFailed {
        base: oid("newer"),
        tree: oid("broken"),
        checks: vec![run(CheckStatus::Failed)],
    })
    .await;
    let change = yard.change(id).await.change;
    assert_eq!((change.state, yard.rig.state(change.task).await), (State::Open, TaskState::Ready));
    assert!(change.record.merge.is_none());
}

// C30: a dirty target is refused, never overwritten: people see why, clean up, and approve again.
#[tokio::test]
async fn c30_a_dirty_target_is_told_and_approved_again_once_it_is_clean() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|_| MergeResult::DirtyTarget { files: vec!["notes.txt".into()] }).await;
    let gate = yard.gate(id).await;
    assert!(gate.about.reasons[0].contains("notes.txt"), "{:?}", gate.about.reasons);
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, None));
    yard.approve("zoe", id).await.expect("is a new gate");
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
    // C33: what stopped it before is in the record, and is not its end.
    assert_eq!(yard.change(id).await.change.record.reason, None);
}

// C32, D26: whoever approved it is asked again about what was made of a conflict, and told why.
#[tokio::test]
async fn c32_what_was_done_again_after_a_conflict_says_so() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|_| MergeResult::Conflict { base: oid("newer"), files: vec!["a.rs".into()] }).await;
    yard.propose("other").await;
    yard.check(|asked| crate::yard::green_of(asked, &["src/main.rs"], "other")).await;
    let reasons = yard.gate(id).await.about.reasons;
    let why = "done again after a conflict in a.rs, so its approval is void; tier 2: review";
    assert_eq!((reasons[0].as_str(), yard.state(id).await), (why, State::Review));
    assert_eq!(yard.change(id).await.change.record.reason.as_deref(), Some(why));
}

#[tokio::test]
async fn a_target_that_refuses_is_told_with_its_reason() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    let refused = Refused { code: "target_refused".into(), reason: "the hook says no on Fridays".into() };
    yard.merge(|_| MergeResult::Refused(refused)).await;
    assert!(yard.gate(id).await.about.reasons[0].contains("no on Fridays"));
    assert_eq!(yard.state(id).await, State::Review);
}

// C34: merged only when the target is proven to hold what was checked.
#[tokio::test]
async fn c34_without_the_proof_it_is_not_merged() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|asked| match landed(asked) {
        MergeResult::Merged(merged) => MergeResult::Merged(Merged { tree: oid("another"), ..merged }),
        other => other,
    })
    .await;
    let change = yard.change(id).await.change;
    assert_eq!((change.state, change.record.merge), (State::Review, None));
    assert_eq!(yard.rig.state(change.task).await, TaskState::Waiting);
    assert_eq!(yard.gate(id).await.gate.block, Some(Block::Unproven));
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::WrongState));
}

// C34: what a person merged elsewhere is noticed, and proven by what is in the target.
#[tokio::test]
async fn c34_a_merge_by_a_person_elsewhere_is_reconciled() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|asked| match landed(asked) {
        MergeResult::Merged(merged) => {
            MergeResult::Merged(Merged { checked_tree: None, base: None, how: How::SameDiff, ..merged })
        }
        other => other,
    })
    .await;
    let change = yard.change(id).await.change;
    assert_eq!(change.state, State::Merged);
    assert_eq!(change.record.merge.expect("has its proof").how, How::SameDiff);
}

// C20, D24: the base has other rules by now: it is weighed anew, and the approval for the same diff is kept as long as
// the new rules ask for no more.
#[tokio::test]
async fn c20_changed_rules_are_weighed_anew_and_the_approval_is_kept() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    let other = "[[checks]]\nname = \"test\"\nargv = [\"false\"]\n";
    let changed =
        |text: &str| MergeResult::RulesChanged { base: oid("newer"), rules: Some(rules_file(text)) };
    yard.merge(|_| changed(other)).await;
    assert_eq!(yard.state(id).await, State::Checking);
    yard.check(|asked| {
        assert_eq!(asked.checks[0].argv, ["false"], "the checks of the newest base");
        green(asked, &["src/main.rs"])
    })
    .await;
    assert_eq!(yard.state(id).await, State::Queued);
    let strict = format!("approvers = \"2 of role:operator\"\n{other}");
    yard.merge(|_| changed(&strict)).await;
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    assert_eq!(yard.state(id).await, State::Review, "two are asked for now");
    assert_eq!(yard.gate(id).await.gate.quorum.to_string(), "2 of role:operator");
}

// C20: a change is judged by the rules of its base, also when they came after it was proposed.
#[tokio::test]
async fn c20_the_checks_are_chosen_by_the_rules_of_the_newest_base() {
    let yard = Yard::with(None, Default::default()).await;
    yard.idea("fix the readme").await;
    let (_, change) = yard.propose("fix the readme").await;
    yard.check(|asked| {
        assert_eq!((asked.checks.len(), asked.rules_sha256.as_ref()), (0, None));
        tiltyard_model::change::work::CheckResult::RulesChanged {
            base: oid("newer"),
            rules: Some(rules_file(RULES)),
        }
    })
    .await;
    assert_eq!(yard.state(change.change.id).await, State::Checking);
    yard.check(|asked| {
        assert_eq!(asked.rules_sha256, Some(rules_file(RULES).sha256));
        green(asked, &["README.md"])
    })
    .await;
    assert_eq!(yard.state(change.change.id).await, State::Queued);
}

// C21: checks of the merged tree keep their output and duration, newest first; all of it is on the change's page (C33).
#[tokio::test]
async fn c33_the_page_of_a_change_has_all_that_happened_to_it() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(red).await;
    yard.propose("one, better").await;
    yard.check(|asked| green_of(asked, &["src/main.rs"], "one, better")).await;
    let id = change.change.id;
    let decision = decision(id, Side::Approve, &crate::yard::sha256("one, better"));
    yard.decide_as(&operator("zoe"), decision).await.expect("is counted");
    yard.merge(landed).await;
    let whole = yard.rig.read(move |rows| tiltyard_engine::change::read::whole(rows, &operator("ada"), id));
    let whole = whole.await.expect("reads");
    assert_eq!((whole.task.expect("is there").task.id, whole.attempts.len()), (task, 2));
    let heads: Vec<&str> = whole.proposals.iter().map(|one| one.heads.head.as_str()).collect();
    assert_eq!(heads, [oid("one, better"), oid("one")]);
    let runs: Vec<_> = whole.checks.iter().map(|round| (round.generation, round.runs[0].status)).collect();
    assert_eq!(runs, [(2, CheckStatus::Passed), (1, CheckStatus::Failed)]);
    assert_eq!((whole.checks[0].runs[0].duration_ms, whole.checks[0].runs[0].log_tail.len()), (40, 19));
    assert_eq!(whole.gates[0].gate.votes[0].voter.identity, "zoe");
    assert!(whole.found.change.record.merge.is_some());
    assert!(!whole.found.change.record.reasons.is_empty());
}

// C31: a target that is out of reach is tried again with a back-off and blocks no other.
#[tokio::test]
async fn c31_a_target_out_of_reach_is_tried_again_and_blocks_no_other() {
    let yard = Yard::new().await;
    yard.register("lib", Some(RULES), Default::default()).await;
    let first = yard.in_review("one").await.change.id;
    let mut other = idea("two");
    other.payload = other.payload.replace("\"app\"", "\"lib\"");
    yard.submit(other).await.expect("is taken in");
    let (_, second) = yard.propose("two").await;
    yard.check(|asked| green(asked, &["README.md"])).await;
    yard.approve("zoe", first).await.expect("is counted");
    let taken = yard.take_git("git.merge").await;
    yard.settle(&taken, Outcome::Failed, None).await.expect("is taken");
    assert_eq!(yard.state(second.change.id).await, State::Queued, "it is tried again");
    yard.merge(landed).await;
    assert_eq!(yard.state(first).await, State::Merged);
    yard.rig.pass_ms(2_000).await;
    yard.hello(SMITH).await;
    yard.merge(landed).await;
    assert_eq!(yard.state(second.change.id).await, State::Merged);
}
