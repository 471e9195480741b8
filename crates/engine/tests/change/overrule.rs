//! Rules that changed while a change waits: tightened ones reach it, and broken ones let nothing through.

use crate::yard::{RULES, Yard, green, landed};
use tiltyard_model::change::work::MergePayload;
use tiltyard_model::change::{State, Tier};
use tiltyard_model::gate::{Block, State as GateState};
use tiltyard_model::refusal::Code;
use tiltyard_model::repository::settings::{AutoMerge, Protected, ProtectedPath, Settings};
use tiltyard_model::task::State as TaskState;

const BROKEN: &str = "approvers = \"2 of role:operator\"\nprotectd = [\"billing/**\"]\n";

fn sensitive(path: &str) -> Settings {
    let rule = ProtectedPath { path: path.into(), tier: Tier::Sensitive, reason: None };
    Settings { protected: Some(vec![Protected::Rule(rule)]), ..Settings::default() }
}

// C20: a typo in the base's file takes away its checks and its approvers; nobody can approve in their place. Mended and
// looked at once more, the change is checked and weighed by what the file says.
#[tokio::test]
async fn c20_rules_that_cannot_be_read_let_nothing_through() {
    let yard = Yard::with(Some(BROKEN), Settings::default()).await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.check(|asked| green(asked, &["README.md"])).await;
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, Some(Block::Unchecked)));
    assert!(gate.about.reasons[0].contains("did you mean `protected`?"), "{:?}", gate.about.reasons);
    assert_eq!(yard.change(id).await.change.tier, Some(Tier::Sensitive));
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
    yard.register("app", Some(RULES), Settings::default()).await;
    assert_eq!(yard.state(id).await, State::Checking);
    yard.check(|asked| {
        assert_eq!(asked.checks.len(), 1, "the checks of the mended file");
        green(asked, &["src/main.rs"])
    })
    .await;
    assert_eq!((yard.state(id).await, yard.gate(id).await.gate.block), (State::Review, None));
}

// C20: the server's setting wins, also over a gate that was opened before it.
#[tokio::test]
async fn c20_a_tightened_setting_reaches_an_open_gate() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    let before = yard.gate(id).await.gate;
    yard.register("app", Some(RULES), Settings { fix_attempts: Some(1), ..Settings::default() }).await;
    assert_eq!(yard.gate(id).await.gate.id, before.id, "what judges nothing changes nothing");
    yard.register("app", Some(RULES), sensitive("src/**")).await;
    assert_eq!(yard.state(id).await, State::Checking);
    assert_eq!(yard.gate(id).await.gate.state, GateState::Superseded);
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    assert_eq!(yard.change(id).await.change.tier, Some(Tier::Sensitive));
    assert_eq!(yard.gate(id).await.gate.quorum.to_string(), "2 of role:operator");
}

// C20, D24: one in the merge queue is weighed anew; its approval is kept only when that still suffices.
#[tokio::test]
async fn c20_a_tightened_setting_reaches_the_merge_queue() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    let merge = yard.change(id).await.change.record.git.expect("is queued");
    let elsewhere = sensitive("billing/**");
    yard.register("app", Some(RULES), elsewhere).await;
    assert_eq!((yard.state(id).await, yard.rig.state(merge).await), (State::Checking, TaskState::Cancelled));
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    assert_eq!(yard.state(id).await, State::Queued, "the approval suffices for the rules as they are now");
    yard.register("app", Some(RULES), sensitive("src/**")).await;
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    assert_eq!(yard.state(id).await, State::Review, "two are asked for now");
}

// C20, C23: what would merge by itself waits for a person once the setting says so.
#[tokio::test]
async fn c23_an_automatic_merge_that_is_switched_off_waits_for_a_person() {
    let yard = Yard::new().await;
    yard.idea("fix the readme").await;
    let (_, change) = yard.propose("fix the readme").await;
    let id = change.change.id;
    let off = Settings { auto_merge: Some(AutoMerge::Off), ..Settings::default() };
    yard.check(|asked| green(asked, &["README.md"])).await;
    assert_eq!(yard.state(id).await, State::Queued);
    yard.register("app", Some(RULES), off).await;
    yard.check(|asked| green(asked, &["README.md"])).await;
    assert_eq!((yard.state(id).await, yard.gate(id).await.gate.block), (State::Review, None));
}

// C20: a setting that comes while the checks run counts for them; a merge that an agent has begun is not taken back.
#[tokio::test]
async fn c20_a_setting_that_comes_during_the_checks_asks_for_its_own() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    let taken = yard.take_git("git.check").await;
    yard.register("app", Some(RULES), sensitive("src/**")).await;
    let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    let answer = tiltyard_model::change::work::Fit::to_text(green(&asked, &["src/main.rs"]));
    yard.succeed(&taken, Some(answer)).await.expect("is taken");
    assert_eq!(yard.state(id).await, State::Checking, "the checks of the old setting prove nothing");
    yard.check(|asked| green(asked, &["README.md"])).await;
    assert_eq!(yard.state(id).await, State::Queued, "by itself");
    let taken = yard.take_git("git.merge").await;
    yard.register("app", Some(RULES), sensitive("README.md")).await;
    assert_eq!(yard.state(id).await, State::Merging);
    let asked: MergePayload = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    let answer = tiltyard_model::change::work::Fit::to_text(landed(&asked));
    yard.succeed(&taken, Some(answer)).await.expect("is taken");
    assert_eq!(yard.state(id).await, State::Merged);
}
