//! How risky it is, and what red checks and conflicts do.

use crate::yard::{RULES, Yard, checked, files, green, green_of, oid, operator, red, run, sha256};
use tiltyard_model::change::weigh::SecretFinding;
use tiltyard_model::change::work::{
    CheckResult, CheckStatus, Checked, Feedback, Files, MergeResult, Refused, Start,
};
use tiltyard_model::change::{State, Tier};
use tiltyard_model::gate::{Block, Side};
use tiltyard_model::refusal::Code;
use tiltyard_model::task::State as TaskState;

// C21: red checks go back to the same agent with their log, twice; then a gate opens that nobody can approve.
#[tokio::test]
async fn c21_red_checks_go_back_twice_and_then_cannot_be_approved() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    for attempt in 1..=2i64 {
        yard.check(red).await;
        assert_eq!((yard.state(id).await, yard.rig.state(task).await), (State::Open, TaskState::Ready));
        let ready = yard.rig.get(task).await.task;
        assert_eq!(ready.spec.extras.assign_to.as_deref(), Some("smith"), "the agent that made it");
        assert_eq!(ready.used, 0, "attempts are fresh");
        let (payload, again) = yard.propose("one").await;
        assert_eq!(again.change.id, id, "the change keeps its id");
        assert_eq!(payload.given.change, Some(id));
        assert!(matches!(&payload.given.start, Start::Earlier(handed) if handed.head == oid("one")));
        let Some(Feedback::Checks { generation, red }) = payload.given.feedback.last() else { panic!() };
        assert_eq!((*generation, red[0].name.as_str()), (attempt, "test"));
        assert_eq!(red[0].log, "the end of the log\n");
        assert_eq!(payload.given.feedback.len() as i64, attempt);
    }
    yard.check(red).await;
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, Some(Block::ChecksFailed)));
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
    let rejected = yard.decide(&operator("zoe"), id, Side::Reject, &sha256("one")).await;
    assert!(rejected.is_ok(), "it can be rejected all the same");
}

// C32: a conflict is reported with its files; the agent gets one attempt on the new base; then a person.
#[tokio::test]
async fn c32_a_conflict_goes_back_once_and_then_to_a_person() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    let conflict = || CheckResult::Conflict { base: oid("newer"), files: vec!["a.rs".into(), "b.rs".into()] };
    yard.check(|_| conflict()).await;
    assert_eq!(yard.state(id).await, State::Open);
    assert_eq!(yard.change(id).await.change.record.conflicts, ["a.rs", "b.rs"]);
    let (payload, _) = yard.propose("one").await;
    assert!(matches!(&payload.given.start, Start::Resolve(_)), "the new base is half merged in");
    assert!(matches!(&payload.given.feedback[..], [Feedback::Conflict { files, .. }] if files.len() == 2));
    yard.check(|_| conflict()).await;
    assert_eq!(yard.state(id).await, State::Conflicted);
    assert_eq!(yard.gate(id).await.gate.block, Some(Block::Conflict));
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::WrongState));
    let rejected = yard.decide(&operator("zoe"), id, Side::Reject, &sha256("one")).await;
    assert_eq!(rejected.expect("is counted").change.expect("has one").change.state, State::Rejected);
    let told: Vec<String> = yard.story().await;
    assert_eq!(told.iter().filter(|word| *word == "change.conflicted").count(), 2);
}

// C22: tiers with their reasons: file and rule.
#[tokio::test]
async fn c22_the_tier_follows_the_files_and_has_its_reasons() {
    let yard = Yard::with(Some(&RULES.replace("safe", "off")), Default::default()).await;
    for (title, path, tier, rule) in [
        ("docs", "README.md", Tier::Safe, "documentation_only"),
        ("code", "src/main.rs", Tier::Review, "untested"),
        ("ci", ".github/workflows/x.yml", Tier::Sensitive, "ci"),
    ] {
        yard.idea(title).await;
        let (_, change) = yard.propose(title).await;
        yard.check(|asked| green(asked, &[path])).await;
        let change = yard.change(change.change.id).await.change;
        assert_eq!(change.tier, Some(tier), "{title}");
        assert!(change.record.reasons.iter().any(|reason| reason.rule == rule), "{title}: {rule}");
    }
}

// C24: a secret is tier 3 and never merges by itself, whoever of the two scans found it.
#[tokio::test]
async fn c24_a_secret_is_sensitive_whoever_found_it() {
    let yard = Yard::new().await;
    let secret = || SecretFinding { file: "README.md".into(), line: 3, kind: "aws_access_key".into() };
    yard.idea("one").await;
    let (_, first) = yard.propose("one").await;
    yard.check(|asked| {
        let checked = checked(asked, &["README.md"], CheckStatus::Passed);
        let diff_sha256 = sha256("one");
        CheckResult::Checked(Box::new(Checked { secrets: vec![secret()], diff_sha256, ..checked }))
    })
    .await;
    yard.idea("two").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let mut result = yard.proposal(&taken, "two").await;
    result.secrets = vec![secret()];
    yard.succeed(&taken, Some(serde_json::to_string(&result).expect("writes"))).await.expect("is taken");
    let second = yard.rig.get(taken.found.task.id).await.task.change.expect("has a change");
    yard.check(|asked| green(asked, &["README.md"])).await;
    for id in [first.change.id, second] {
        let change = yard.change(id).await.change;
        assert_eq!((change.state, change.tier), (State::Review, Some(Tier::Sensitive)));
        assert_eq!(change.record.reasons[0].rule, "secret");
    }
}

// Files beyond what a result can list are not waved through: one of them may be anything.
#[tokio::test]
async fn files_that_nobody_listed_are_sensitive() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(|asked| {
        let checked = checked(asked, &[], CheckStatus::Passed);
        let files = Files { more: 5, ..files(&["README.md"]) };
        CheckResult::Checked(Box::new(Checked { files, diff_sha256: sha256("one"), ..checked }))
    })
    .await;
    let change = yard.change(change.change.id).await.change;
    assert_eq!((change.state, change.tier), (State::Review, Some(Tier::Sensitive)));
}

// D24: what people are shown is what the commits say: an agent that shows another diff is not believed.
#[tokio::test]
async fn d24_a_diff_that_is_not_that_of_the_commits_goes_back() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(|asked| green_of(asked, &["README.md"], "something else")).await;
    assert_eq!(yard.state(change.change.id).await, State::Open);
    let (payload, _) = yard.propose("one").await;
    let Some(Feedback::Checks { red, .. }) = payload.given.feedback.last() else { panic!() };
    assert_eq!(red[0].name, "diff");
}

// What cannot be checked is a matter for people, with the reason.
#[tokio::test]
async fn a_change_that_cannot_be_checked_is_blocked_with_the_reason() {
    let yard = Yard::new().await;
    for (title, answer) in [("bad bundle", None), ("other head", Some(oid("something else")))] {
        yard.idea(title).await;
        let (_, change) = yard.propose(title).await;
        let id = change.change.id;
        yard.check(|asked| match answer {
            None => {
                CheckResult::Refused(Refused { code: "bad_bundle".into(), reason: "it is cut off".into() })
            }
            Some(head) => {
                let checked = checked(asked, &["README.md"], CheckStatus::Passed);
                CheckResult::Checked(Box::new(Checked { head, diff_sha256: sha256(title), ..checked }))
            }
        })
        .await;
        assert_eq!(yard.gate(id).await.gate.block, Some(Block::Unchecked), "{title}");
        assert_eq!(yard.state(id).await, State::Review);
        assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
    }
}

// C22: what the target held was never weighed for a landing; when the target has taken it back, it does not land.
#[tokio::test]
async fn c22_what_was_never_weighed_does_not_land() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(|_| CheckResult::Contained { base: oid("newer") }).await;
    let id = change.change.id;
    assert_eq!(yard.change(id).await.change.tier, Some(Tier::Review));
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(|asked| {
        let argv: Vec<&[String]> = asked.check.checks.iter().map(|check| check.argv.as_slice()).collect();
        assert_eq!(argv, [["false".to_owned()]], "a check that nothing passes");
        let checks = vec![run(CheckStatus::Failed)];
        MergeResult::ChecksFailed { base: oid("reverted"), tree: oid("tree"), checks }
    })
    .await;
    assert_eq!(yard.state(id).await, State::Checking);
    yard.check(|asked| green(asked, &["deploy/auth.rs"])).await;
    assert_eq!(yard.state(id).await, State::Review, "it is sensitive, and one has approved");
    assert_eq!(yard.change(id).await.change.tier, Some(Tier::Sensitive));
}

// C34: the target holds it already: people have that proven, nothing is merged behind their back.
#[tokio::test]
async fn c34_a_change_that_the_target_holds_already_asks_before_it_is_recorded() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(|_| CheckResult::Contained { base: oid("newer") }).await;
    let id = change.change.id;
    assert_eq!((yard.state(id).await, yard.gate(id).await.gate.block), (State::Review, None));
}
