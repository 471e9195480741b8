//! Ends other than a merge: cancelled, dead, an agent that is lost. The work is kept, and people see where it stands.

use crate::rig::spec;
use crate::yard::{Yard, agent, found, green, landed, operator, red, sha256};
use tiltyard_engine::act::Act;
use tiltyard_engine::change::send_back::{SendBack, send_back};
use tiltyard_engine::task::cancel::cancel;
use tiltyard_engine::task::edit::{Patch, add_dependency, edit};
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_engine::task::settle::{Report, settle};
use tiltyard_model::change::State;
use tiltyard_model::change::comment::Comment;
use tiltyard_model::change::work::{CheckStatus, Start};
use tiltyard_model::gate::{Block, State as GateState};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;

impl Yard {
    async fn cancel(&self, task: Id) {
        let deed = move |act: &mut Act<'_>| cancel(act, task, "no longer wanted").map(drop);
        self.act_as(&operator("ada"), deed).await.expect("is cancelled");
    }

    /// A person cannot call an internal task off, at once or by a deadline.
    async fn internal_stays(&self, task: Id) {
        let refused = self.act_as(&operator("ada"), move |act| cancel(act, task, "stuck").map(drop)).await;
        let refused = refused.expect_err("is refused");
        assert_eq!(refused.code, Code::WrongState);
        assert!(refused.message.contains("cancel the task of its change chg_"), "{}", refused.message);
        let limit = Patch { deadline: Some(Some(i64::MAX / 2)), ..Patch::default() };
        let refused = self.act_as(&operator("ada"), move |act| edit(act, task, &limit).map(drop)).await;
        assert_eq!(refused.expect_err("is refused").faults[0].field, "/deadline");
    }

    async fn retry(&self, task: Id) -> Result<(), Code> {
        let deed = move |act: &mut Act<'_>| retry(act, task, &Edit::default()).map(drop);
        self.act_as(&operator("ada"), deed).await.map_err(|refusal| refusal.code)
    }

    /// The machinery of the next internal task fails until it is given up.
    async fn wear_out(&self, kind: &str) -> Id {
        loop {
            let taken = self.take_git(kind).await;
            self.settle(&taken, Outcome::Failed, None).await.expect("is taken");
            if self.rig.state(taken.found.task.id).await == TaskState::Dead {
                return taken.found.task.id;
            }
            self.rig.pass_ms(301_000).await;
        }
    }
}

// C18: a cancelled task closes its change, its gate and its internal tasks.
#[tokio::test]
async fn c18_a_cancelled_task_closes_its_change_wherever_it_stands() {
    let yard = Yard::new().await;
    let review = yard.in_review("one").await.change;
    yard.cancel(review.task).await;
    let closed = yard.change(review.id).await.change;
    assert_eq!((closed.state, closed.record.reason.as_deref()), (State::Closed, Some("no longer wanted")));
    assert_eq!(yard.gate(review.id).await.gate.state, GateState::Cancelled);
    assert_eq!(yard.approve("zoe", review.id).await.err(), Some(Code::AlreadyDecided));
    yard.idea("two").await;
    let (_, checking) = yard.propose("two").await;
    let git = yard.change(checking.change.id).await.change.record.git.expect("is checked");
    yard.cancel(checking.change.task).await;
    assert_eq!(yard.state(checking.change.id).await, State::Closed);
    assert_eq!(yard.rig.state(git).await, TaskState::Cancelled);
    let queued = yard.in_review("three").await.change;
    yard.approve("zoe", queued.id).await.expect("is counted");
    let git = yard.change(queued.id).await.change.record.git.expect("is queued");
    yard.cancel(queued.task).await;
    assert_eq!(
        (yard.state(queued.id).await, yard.rig.state(git).await),
        (State::Closed, TaskState::Cancelled)
    );
    let story = yard.story().await;
    assert_eq!(story.iter().filter(|word| *word == "change.closed").count(), 3);
    assert!(yard.rig.acts_of("default").await.contains(&"change.closed".to_owned()));
}

// C18, D7: a change closes with its task also when that goes with a dependency, and comes back as a new one.
#[tokio::test]
async fn c18_a_task_that_is_cancelled_with_its_dependency_closes_its_change() {
    let yard = Yard::new().await;
    let sent_back = yard.in_review("one").await.change;
    let comments = vec![Comment { path: None, line: None, text: "better".into() }];
    let back = SendBack { change: sent_back.id, subject_sha256: sent_back.subject_sha256.clone(), comments };
    yard.act_as(&operator("zoe"), move |act| send_back(act, &back).map(drop)).await.expect("goes back");
    let base = yard.submit(spec("base")).await.expect("is taken in");
    let task = sent_back.task;
    let deed = move |act: &mut Act<'_>| add_dependency(act, task, base).map(drop);
    yard.act_as(&operator("ada"), deed).await.expect("waits for it");
    yard.cancel(base).await;
    assert_eq!(yard.rig.state(task).await, TaskState::Cancelled);
    assert_eq!(yard.state(sent_back.id).await, State::Closed);
    yard.retry(base).await.expect("runs again");
    assert_eq!(yard.rig.state(task).await, TaskState::Pending);
    let payload = yard.rig.get(task).await.task.spec.payload;
    assert!(!payload.contains("feedback\":[{"), "it begins anew: {payload}");
}

// C34: a merge that is under way when its task is cancelled tells the truth in the end.
#[tokio::test]
async fn c34_a_merge_under_way_is_not_denied_by_a_cancel() {
    let yard = Yard::new().await;
    for lands in [true, false] {
        let change = yard.in_review(if lands { "one" } else { "two" }).await.change;
        yard.approve("zoe", change.id).await.expect("is counted");
        let taken = yard.take_git("git.merge").await;
        yard.cancel(change.task).await;
        assert_eq!(yard.state(change.id).await, State::Merging, "nobody knows yet");
        assert_eq!(yard.retry(change.task).await, Err(Code::WrongState));
        if lands {
            let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
            let result = serde_json::to_string(&landed(&asked)).expect("writes");
            yard.succeed(&taken, Some(result)).await.expect("is taken");
            assert_eq!(yard.state(change.id).await, State::Merged);
        } else {
            let moved = r#"{"outcome":"base_moved","was":"a","now":"b"}"#.to_owned();
            yard.succeed(&taken, Some(moved)).await.expect("is taken");
            assert_eq!(yard.state(change.id).await, State::Closed);
        }
        assert_eq!(yard.rig.state(change.task).await, TaskState::Cancelled);
    }
}

// C34: nobody knows what a lost agent has done: the change says so, and is not merged behind a cancel.
#[tokio::test]
async fn c34_a_cancelled_merge_whose_agent_is_lost_says_that_nobody_knows() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    yard.approve("zoe", change.id).await.expect("is counted");
    let taken = yard.take_git("git.merge").await;
    yard.cancel(change.task).await;
    yard.rig.pass_ms(31_000).await;
    let closed = yard.change(change.id).await.change;
    assert_eq!(closed.state, State::Closed);
    let reason = closed.record.reason.expect("says why");
    assert!(reason.starts_with("no longer wanted") && reason.contains("look whether"), "{reason}");
    assert_eq!(yard.rig.state(taken.found.task.id).await, TaskState::Cancelled);
}

// A task that died in a later attempt closes its change; retried, it makes a new one.
#[tokio::test]
async fn a_dead_task_closes_its_change_and_a_retry_makes_another() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, first) = yard.propose("one").await;
    yard.check(crate::yard::red).await;
    let taken = yard.take("default").await.expect("is back");
    let report = Report {
        id: task,
        generation: taken.found.task.generation,
        outcome: Outcome::Failed,
        result: None,
        error: Some("it gave up".into()),
        retryable: false,
    };
    yard.act_as(&agent("smith"), move |act| settle(act, &report)).await.expect("is taken");
    assert_eq!(yard.rig.state(task).await, TaskState::Dead);
    assert_eq!(yard.state(first.change.id).await, State::Closed);
    yard.retry(task).await.expect("runs again");
    let (payload, second) = yard.propose("one").await;
    assert_eq!(
        (payload.given.start, payload.given.change, payload.given.feedback.len()),
        (Start::Base, None, 0)
    );
    assert_ne!(second.change.id, first.change.id);
    assert_eq!(yard.rig.get(task).await.task.change, Some(second.change.id));
}

/// What an agent reports whose program answered a proposal that came back with nothing.
fn nothing() -> Option<String> {
    Some(r#"{"unchanged":"its program left its earlier proposal as it was"}"#.to_owned())
}

// C21: a fix attempt that changes nothing is not tried again: people see the check that is red, and nobody approves.
#[tokio::test]
async fn c21_a_fix_that_changes_nothing_opens_the_gate_with_the_red_check() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.check(red).await;
    let taken = yard.take("default").await.expect("is back");
    yard.succeed(&taken, nothing()).await.expect("is taken");
    assert_eq!(yard.rig.state(task).await, TaskState::Waiting);
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, Some(Block::ChecksFailed)));
    let why = "still red: test; its program left its earlier proposal as it was";
    assert_eq!(gate.about.reasons[0], why);
    assert_eq!(yard.change(id).await.change.record.reason.as_deref(), Some(why));
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
    let told = yard.rig.act(move |act| tiltyard_engine::task::why::why(act, task)).await.expect("says why");
    assert!(told.reasons[0].text.contains("still red: test"), "{}", told.reasons[0].text);
    let again = yard.succeed(&taken, nothing()).await.expect("is answered again");
    assert!(again.replayed, "E8: the same report is answered once more");
}

// C23: what a person sent back and nobody touched comes before them again, checked anew; it does not land by itself.
#[tokio::test]
async fn c23_what_was_sent_back_and_left_alone_is_asked_again() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    let subject_sha256 = yard.change(id).await.change.subject_sha256;
    let comments = vec![Comment { path: None, line: None, text: "louder".into() }];
    let back = SendBack { change: id, subject_sha256, comments };
    yard.act_as(&operator("zoe"), move |act| send_back(act, &back).map(drop)).await.expect("goes back");
    let taken = yard.take("default").await.expect("is back");
    yard.succeed(&taken, nothing()).await.expect("is taken");
    assert_eq!(yard.state(id).await, State::Checking);
    // Documentation alone is tier 1, and the rules let tier 1 merge by itself.
    yard.check(|asked| green(asked, &["README.md"])).await;
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, None));
    assert!(gate.about.reasons[0].contains("sent back, but its program left"), "{:?}", gate.about.reasons);
    yard.approve("zoe", id).await.expect("is a new gate");
    yard.merge(landed).await;
    assert_eq!((yard.state(id).await, yard.rig.state(task).await), (State::Merged, TaskState::Succeeded));
}

// C11: before anything is proposed, nothing is a failed attempt; an agent that says otherwise is refused.
#[tokio::test]
async fn c11_nothing_is_no_answer_to_a_new_idea() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let refusal = yard.succeed(&taken, nothing()).await.expect_err("is refused");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/result"));
}

// D10: the letter of a task whose fix failed altogether tells the check that was red.
#[tokio::test]
async fn d10_the_letter_of_a_failed_fix_names_the_red_check() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    yard.check(red).await;
    let taken = yard.take("default").await.expect("is back");
    let report = Report {
        id: task,
        generation: taken.found.task.generation,
        outcome: Outcome::Failed,
        result: None,
        error: Some("exit code 1".into()),
        retryable: false,
    };
    yard.act_as(&agent("smith"), move |act| settle(act, &report)).await.expect("is taken");
    let reason = yard.change(change.change.id).await.change.record.reason.expect("says why");
    assert_eq!(reason, "the task is dead (its change had come back: red: test)");
    let told = yard.rig.act(move |act| tiltyard_engine::task::why::why(act, task)).await.expect("says why");
    let end = "the last error: exit code 1 (its change had come back: red: test)";
    assert!(told.reasons[0].text.ends_with(end), "{}", told.reasons[0].text);
    let letter = move |rows: &tiltyard_store::Rows| {
        tiltyard_store::dead_letter::page(
            rows,
            &Default::default(),
            tiltyard_store::dead_letter::Window { below: i64::MAX, offset: 0, limit: 9 },
        )
        .map_err(tiltyard_engine::act::refusal_of)
    };
    let letters = yard.rig.read(letter).await.expect("reads");
    assert_eq!(letters[0].error, "exit code 1 (its change had come back: red: test)");
}

// C21: a check whose program is not there is broken, not red: it costs no attempt, and nobody lands what it did not see.
#[tokio::test]
async fn c21_a_missing_check_program_is_told_at_once() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.check(|asked| crate::yard::answer(asked, &["src/main.rs"], CheckStatus::Missing)).await;
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, Some(Block::Unchecked)));
    let why = &gate.about.reasons[0];
    assert!(
        why.starts_with("the check test is broken: its program `true` is not on the agent's machine"),
        "{why}"
    );
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
}

// C21: the agent of the last proposal has no claim to a task that a person retries, nor to one when it has gone.
#[tokio::test]
async fn c21_work_does_not_wait_for_an_agent_that_nobody_named() {
    let yard = Yard::new().await;
    let assigned = async |task| yard.rig.get(task).await.task.spec.extras.assign_to;
    let task = yard.idea("one").await;
    yard.propose("one").await;
    yard.check(red).await;
    assert_eq!(assigned(task).await.as_deref(), Some("smith"), "the same agent mends it");
    yard.cancel(task).await;
    yard.retry(task).await.expect("runs again");
    assert_eq!(assigned(task).await, None, "the submitter named nobody");
    yard.propose("one").await;
    yard.check(red).await;
    assert_eq!(assigned(task).await.as_deref(), Some("smith"));
    yard.rig.pass_ms(31_000).await;
    let silent = yard.rig.act(tiltyard_engine::agent::notice_silence).await.expect("looks");
    assert!(silent <= 1);
    yard.memory().await;
    assert_eq!(assigned(task).await, None, "its agent has gone");
    yard.hello("other").await;
    assert!(yard.take_as("other", "default").await.is_some());
}

// Checks whose machinery fails again and again leave a gate with the reason; their task can be retried.
#[tokio::test]
async fn checks_that_cannot_run_wait_for_a_person_who_retries_them() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    let git = yard.wear_out("git.check").await;
    let gate = yard.gate(id).await;
    assert_eq!((yard.state(id).await, gate.gate.block), (State::Review, Some(Block::Unchecked)));
    assert!(gate.about.reasons[0].contains("git is out of reach"), "{:?}", gate.about.reasons);
    assert_eq!(yard.approve("zoe", id).await.err(), Some(Code::ChecksFailed));
    yard.retry(git).await.expect("they run again");
    assert_eq!(
        (yard.state(id).await, yard.gate(id).await.gate.state),
        (State::Checking, GateState::Superseded)
    );
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    assert_eq!(yard.state(id).await, State::Review);
    yard.approve("zoe", id).await.expect("is counted");
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
}

// A merge whose machinery fails again and again leaves a gate with the reason; an approval tries again.
#[tokio::test]
async fn a_merge_that_cannot_run_waits_for_a_person_who_approves_again() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    let git = yard.wear_out("git.merge").await;
    assert_eq!((yard.state(id).await, yard.gate(id).await.gate.block), (State::Review, None));
    assert_eq!(yard.retry(git).await, Err(Code::WrongState), "the change is approved again instead");
    yard.approve("zoe", id).await.expect("is a new gate");
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
}

// C34: nobody would know what the agent of a merge that was called off has done, so a person cancels the change's own
// task; checks and looks at a repository are waited for as well.
#[tokio::test]
async fn c34_an_internal_task_is_not_called_off_by_itself() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.internal_stays(change.change.record.git.expect("is checked")).await;
    assert_eq!(yard.state(id).await, State::Checking);
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    yard.approve("zoe", id).await.expect("is counted");
    yard.internal_stays(yard.change(id).await.change.record.git.expect("is queued")).await;
    let taken = yard.take_git("git.merge").await;
    yard.internal_stays(taken.found.task.id).await;
    assert_eq!(yard.state(id).await, State::Merging);
    yard.cancel(change.change.task).await;
    assert_eq!(yard.state(id).await, State::Merging, "until its agent has told");
}

// D3, D52: the agent of a merge is lost in the middle: the merge is done again, each try with its intent and outcome.
#[tokio::test]
async fn a_lost_agent_does_the_same_merge_again() {
    let yard = Yard::new().await;
    let id = yard.in_review("one").await.change.id;
    yard.approve("zoe", id).await.expect("is counted");
    let lost = yard.take_git("git.merge").await;
    yard.rig.pass_ms(31_000).await;
    yard.hello("smith").await;
    assert_eq!(yard.rig.state(lost.found.task.id).await, TaskState::Ready);
    let late = yard.succeed(&lost, Some("null".into())).await.expect_err("is stale");
    assert_eq!(late.code, Code::StaleGeneration);
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
    let chain = yard.rig.chain("default").await;
    let ends: Vec<_> = chain.iter().filter(|entry| entry.action == "change.merged").collect();
    let results: Vec<&str> = ends.iter().map(|entry| entry.result.as_str()).collect();
    assert_eq!(results, ["pending", "failed", "pending", "ok"]);
    assert!(ends[1].detail["why"].as_str().expect("a reason").contains("lost"));
}

// A result that nobody can read is not believed.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_matter_for_people() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let taken = yard.take_git("git.check").await;
    yard.succeed(&taken, Some(r#"{"outcome":"fine"}"#.into())).await.expect("is taken");
    assert_eq!(yard.gate(change.change.id).await.gate.block, Some(Block::Unchecked));
    assert_eq!(yard.change(change.change.id).await.change.subject_sha256, Some(sha256("one")));
}

// C19: a repository with unfinished changes is kept; one that went away with its ideas is told.
#[tokio::test]
async fn c19_a_repository_in_use_is_kept() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let delete = |act: &mut Act<'_>| tiltyard_engine::repository::delete(act, "default", "app");
    let refusal = yard.act_as(&operator("ada"), delete).await.expect_err("is in use");
    assert_eq!((refusal.code, &refusal.extra["change"]), (Code::InUse, &change.id.to_string().into()));
    yard.cancel(change.task).await;
    yard.idea("two").await;
    yard.act_as(&operator("ada"), delete).await.expect("is forgotten");
    let (_, orphan) = yard.propose("two").await;
    assert_eq!(
        (orphan.change.state, yard.gate(orphan.change.id).await.gate.block),
        (State::Review, Some(Block::Unchecked))
    );
    assert!(matches!(found(None), tiltyard_model::change::work::ProbeResult::Found { .. }));
}
