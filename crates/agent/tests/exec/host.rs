//! C3: the whole host: what it takes, what it holds, and what the next process finds.

use crate::rig::{HostRig, carry_out, command, host, stub};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::executor::{Assignment, Executor, Executors, Job, Performing};
use tiltyard_agent::host::AcceptError;
use tiltyard_agent::outcome::Verdict;
use tiltyard_agent::process::Stop;
use tiltyard_agent::slots::{Held, Intake, Phase, SlotRefusal};
use tiltyard_agent::stop::StopReason;

/// How long an earlier process's programs are waited for.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn c3_an_outcome_is_held_until_it_is_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), HostRig::default());
    let (done, _) = carry_out(&host, command("task_a", &json!({ "argv": ["echo", "hello"] }))).await;
    let outcome = done.outcome.expect("is told");
    assert_eq!(host.outbox().waiting(), [outcome]);
    assert_eq!(host.slots().held(), [Held { key: done.key.clone(), phase: Phase::Finished }]);
    assert_eq!(host.slots().free(), 2);
    let mut log = host.log_of(&done.key).expect("looks").expect("is there");
    assert_eq!(log.next().await.expect("reads").expect("is there").text, "hello\n");
    host.settled(&done.key).await.expect("forgets it");
    host.settled(&done.key).await.expect("twice is no error");
    assert_eq!((host.outbox().waiting().len(), host.slots().held().len()), (0, 0));
    assert!(host.log_of(&done.key).expect("looks").is_none());
}

#[tokio::test]
async fn d31_what_runs_is_not_forgotten_and_not_taken_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), HostRig::default());
    let slow = command("task_a", &json!({ "argv": "echo begun; sleep 1000", "shell": true }));
    let mut running = host.accept(slow.clone()).await.expect("takes it");
    running.log.next().await.expect("reads").expect("is there");
    host.settled(&slow.key).await.expect("is no error");
    assert_eq!(host.slots().held().len(), 1);
    let twice = host.accept(slow.clone()).await.expect_err("is here");
    assert!(matches!(twice, AcceptError::Slot(SlotRefusal::Repeated(_))));
    // The lease was lost and the task given to this agent again: the old attempt ends first.
    let next = Assignment { key: AttemptKey::new("task_a", 2).expect("is a key"), ..slow.clone() };
    let older = host.accept(next.clone()).await.expect_err("is here");
    assert!(matches!(older, AcceptError::Slot(SlotRefusal::Older(_))));
    let done = running.done.await.expect("does not break");
    assert!(done.outcome.is_none() && done.stop == Stop::Confirmed);
    let again = host.accept(next.clone()).await.expect("takes it");
    host.slots().stop(&next.key, StopReason::Dropped);
    again.done.await.expect("does not break");
}

// O2: SIGTERM drains: nothing new is started, what does not end in time goes back uncounted.
#[tokio::test]
async fn o2_a_drain_gives_back_what_does_not_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), HostRig::default());
    let slow = command("task_a", &json!({ "argv": "echo begun; sleep 1000", "shell": true }));
    let mut running = host.accept(slow).await.expect("takes it");
    running.log.next().await.expect("reads").expect("is there");
    host.slots().set_intake(Intake::Draining);
    let other = host.accept(command("task_b", &json!({ "argv": ["true"] }))).await.expect_err("is draining");
    assert!(matches!(other, AcceptError::Slot(SlotRefusal::Draining)));
    host.slots().stop_all(StopReason::ShuttingDown);
    host.slots().idle().await;
    let done = running.done.await.expect("does not break");
    assert_eq!(done.outcome.map(|outcome| outcome.verdict), Some(Verdict::Released));
}

#[tokio::test]
async fn c10_a_kind_that_nobody_here_knows_is_refused_and_takes_no_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), HostRig::default());
    let strange = Assignment { kind: "dance".to_owned(), ..command("task_a", &json!({})) };
    let error = host.accept(strange).await.expect_err("is unknown");
    assert_eq!(error.to_string(), "this agent does no tasks of the kind `dance`: it knows command");
    assert_eq!(host.slots().free(), 2);
}

struct Clumsy;

impl Executor for Clumsy {
    fn execute<'a>(&'a self, _: Job<'a>) -> Performing<'a> {
        Box::pin(async { panic!("dropped the ball") })
    }
}

#[tokio::test]
async fn c3_an_executor_that_breaks_has_failed_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let executors = Executors::default().with("clumsy", Clumsy);
    let host = host(folder.path(), HostRig { executors, slots: 1, ..HostRig::default() });
    for task in ["task_a", "task_b"] {
        let clumsy = Assignment { kind: "clumsy".to_owned(), ..command(task, &json!({})) };
        let (done, _) = carry_out(&host, clumsy).await;
        let Some(Verdict::Failed { error, .. }) = done.outcome.map(|outcome| outcome.verdict) else {
            panic!()
        };
        assert!(error.contains("the agent's own code broke"), "{error}");
    }
}

/// An agent with one task; returns once it has said `word`.
fn agent_until(folder: &Path, script: &str, word: &str) -> Child {
    let mut command = Command::new(stub());
    command.arg("work").arg(folder.join("agent")).arg(script).stdout(Stdio::piped());
    let mut agent = command.spawn().expect("the stub starts");
    let mut said = BufReader::new(agent.stdout.take().expect("is piped")).lines();
    assert!(said.any(|line| line.expect("is text") == word));
    agent
}

#[tokio::test]
async fn c3_an_outcome_survives_its_agent_killed_with_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut agent = agent_until(folder.path(), "echo hello; echo '{\"n\": 1}'", "done");
    agent.kill().expect("KILL is sent");
    agent.wait().expect("is dead");
    let host = host(folder.path(), HostRig::default());
    let found = host.recover(LIMIT).await.expect("looks");
    let key = AttemptKey::new("task_kept", 3).expect("is a key");
    let [outcome] = found.outcomes.as_slice() else { panic!("{found:?}") };
    assert!(outcome.key == key && matches!(&outcome.verdict, Verdict::Succeeded { result: Some(_) }));
    assert_eq!(host.slots().held(), [Held { key: key.clone(), phase: Phase::Finished }]);
    assert_eq!((found.ended.len(), found.alive.len(), found.stuck.len()), (0, 0, 0));
    let mut log = host.log_of(&key).expect("looks").expect("is there");
    assert_eq!(log.next().await.expect("reads").expect("is there").text, "hello\n{\"n\": 1}\n");
    host.settled(&key).await.expect("forgets it");
    assert!(host.recover(LIMIT).await.expect("looks").outcomes.is_empty());
}

#[tokio::test]
async fn c3_a_new_agent_holds_nothing_before_the_old_one_s_programs_have_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let flag = folder.path().join("begun");
    let script = format!("trap '' TERM; : > {}; sleep 1000; sleep 1000", flag.display());
    let mut command = Command::new(stub());
    let mut agent = command.arg("work").arg(folder.path().join("agent")).arg(script).spawn().expect("starts");
    while !flag.exists() {
        tokio::task::yield_now().await;
    }
    agent.kill().expect("KILL is sent");
    agent.wait().expect("is dead");
    let host = host(folder.path(), HostRig::default());
    let found = host.recover(Duration::ZERO).await.expect("looks");
    let key = AttemptKey::new("task_kept", 3).expect("is a key");
    assert_eq!((found.alive, found.ended), (vec![key.clone()], vec![]));
    let found = host.recover(LIMIT).await.expect("looks");
    assert_eq!((found.alive, found.ended), (vec![], vec![key]));
    assert_eq!(host.slots().held(), []);
}
