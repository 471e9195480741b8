//! D21: what a command is handed and what is taken of it, from the shelf and to it.

use crate::rig::{GRACES, PATIENCE};
use crate::shelf::Shelf;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::executor::command::{COMMAND_KIND, CommandExecutor};
use tiltyard_agent::executor::{Assignment, Executors};
use tiltyard_agent::host::{Host, HostSettings};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::outcome::{Retry, Verdict};
use tiltyard_agent::process::Launcher;
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;

const TASK: &str = "task_01h2xcejqtf2nbrexx3vqjhp41";

fn host(folder: &Path, executor: CommandExecutor) -> Arc<Host> {
    let settings = HostSettings {
        seal: tiltyard_agent::outbox::SealKey::default(),
        folder: folder.join("agent"),
        slots: 2,
        launcher: Launcher::new(PathBuf::from(env!("CARGO_BIN_EXE_agent-stub")), vec!["exec-shim".into()]),
        hide: Vec::new(),
        user: None,
        graces: GRACES,
        log_limits: LogLimits::default(),
        executors: Executors::default().with(COMMAND_KIND, executor),
    };
    Host::open(settings).expect("opens").0
}

/// Runs a shell script with these other members of the payload; how it ended, and its log.
async fn run_by(
    executor: CommandExecutor,
    script: &str,
    members: Value,
    timeout: Option<Duration>,
) -> (Verdict, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut payload = json!({ "argv": ["/bin/sh", "-ec", script] });
    for (name, value) in members.as_object().expect("is an object") {
        payload[name] = value.clone();
    }
    let assignment = Assignment {
        key: AttemptKey::new(TASK, 3).expect("is a key"),
        kind: COMMAND_KIND.to_owned(),
        title: "A command".to_owned(),
        payload: serde_json::value::to_raw_value(&payload).expect("is JSON"),
        timeout,
    };
    let mut running = host(folder.path(), executor).accept(assignment).await.expect("takes it");
    let mut log = String::new();
    while let Some(chunk) = running.log.next().await.expect("reads") {
        log.push_str(&chunk.text);
    }
    let done =
        tokio::time::timeout(PATIENCE, running.done).await.expect("ends in time").expect("does not break");
    (done.outcome.expect("is told").verdict, log)
}

async fn run(shelf: &Shelf, script: &str, members: Value) -> (Verdict, String) {
    run_by(CommandExecutor::new(shelf.client()), script, members, None).await
}

/// What lies on the shelf: of which output, under which name, which bytes.
fn kept(shelf: &Shelf) -> Vec<(String, String, String)> {
    let told = |thing: crate::shelf::Thing| {
        let text = String::from_utf8_lossy(&thing.bytes).into_owned();
        assert_eq!((thing.task.as_str(), thing.generation), (TASK, 3));
        (thing.output.unwrap_or_default(), thing.name, text)
    };
    shelf.things().into_iter().map(told).collect()
}

fn texts(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

fn failure(verdict: Verdict) -> String {
    match verdict {
        Verdict::Failed { error, retry: Retry::Useful } => error,
        other => panic!("expected a failure, got {other:?}"),
    }
}

// D21: a stage's outputs are artifacts; they are there before it has succeeded.
#[tokio::test]
async fn d21_outputs_are_handed_in() {
    let shelf = Shelf::start().await;
    shelf.turn_away(2);
    let script =
        "mkdir -p out; printf draft > out/draft.md; printf '{\"a\": 1}' > plan.json; echo '{\"n\":2}'";
    let outputs = json!({
        "draft": { "file": "out/draft.md", "media_type": "text/markdown" }, "plan": { "json": "plan.json" },
        "said": { "stdout": "json" }, "text": { "stdout": "text" }, "result": { "schema": {} },
    });
    let (verdict, log) = run(&shelf, script, json!({ "outputs": outputs })).await;
    let Verdict::Succeeded { result } = verdict else { panic!("{verdict:?} {log}") };
    assert_eq!(result.expect("the last line").get(), "{\"n\":2}");
    let all = [
        ("draft", "draft.md", "draft"),
        ("plan", "plan.json", "{\"a\": 1}"),
        ("said", "said.json", "{\"n\":2}\n"),
        ("text", "text.txt", "{\"n\":2}\n"),
    ];
    assert_eq!(kept(&shelf), texts(&all));
}

// D22: a failed stage keeps its own outputs, as far as they are there.
#[tokio::test]
async fn d22_what_a_failed_program_leaves_is_kept() {
    let shelf = Shelf::start().await;
    let outputs =
        json!({ "report": { "file": "report" }, "other": { "file": "other" }, "odd": { "json": "odd" } });
    let script = "printf half > report; printf '{' > odd; echo 'no such table' >&2; exit 3";
    let (verdict, log) = run(&shelf, script, json!({ "outputs": outputs })).await;
    assert_eq!(failure(verdict), "exit code 3: no such table");
    assert_eq!(kept(&shelf), texts(&[("report", "report", "half")]));
    assert!(log.contains("not kept: the output `odd`: odd is no JSON") && !log.contains("other"), "{log}");

    let (verdict, _) = run_by(
        CommandExecutor::new(shelf.client()),
        "printf late > other; sleep 1000",
        json!({ "outputs": outputs }),
        Some(Duration::from_millis(300)),
    )
    .await;
    assert!(matches!(&verdict, Verdict::TimedOut { error } if error.contains("the 300 ms")), "{verdict:?}");
    assert_eq!(kept(&shelf)[1..], texts(&[("other", "other", "late")]));
}

#[tokio::test]
async fn d21_an_output_that_is_not_there_or_not_what_it_is_to_be_is_a_failure() {
    let shelf = Shelf::start().await;
    let outputs = json!({ "a": { "file": "a" }, "b": { "json": "b" }, "c": { "stdout": "text" }, "d": { "file": "d" } });
    let script = "echo nonsense > b; head -c 1048577 /dev/zero | tr '\\0' x; mkdir d";
    let error = failure(run(&shelf, script, json!({ "outputs": outputs })).await.0);
    for words in [
        "exit code 0, but the output `a`: the program left no file a in its folder",
        "the output `b`: b is no JSON",
        "the output `c`: standard output has 1048577 bytes, more than the 1048576 of a document",
        "the output `d`: d: it is no plain file",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(shelf.things().is_empty());
    let exact = "head -c 1048576 /dev/zero | tr '\\0' x";
    let (verdict, _) = run(&shelf, exact, json!({ "outputs": { "c": { "stdout": "text" } } })).await;
    assert!(matches!(verdict, Verdict::Succeeded { .. }));
    assert_eq!(shelf.things()[0].bytes.len(), 1_048_576);
}

// SEC16: a link that a program leaves where its output should be shows nobody what the agent can read.
#[tokio::test]
async fn sec16_a_link_is_no_output() {
    let shelf = Shelf::start().await;
    let outputs = json!({ "a": { "file": "a" }, "b": { "json": "way/passwd" }, "c": { "file": "pipe" } });
    let script = "ln -s /etc/passwd a; ln -s /etc way; mkfifo pipe";
    let error = failure(run(&shelf, script, json!({ "outputs": outputs })).await.0);
    assert_eq!(error.matches("links are not followed").count(), 2, "{error}");
    assert!(error.contains("the output `c`: pipe: it is no plain file"), "{error}");
    assert!(shelf.things().is_empty());
}

#[tokio::test]
async fn d21_a_program_finds_what_it_is_handed() {
    let shelf = Shelf::start().await;
    let ((first, digest), (second, _)) = (shelf.lay(b"from the first"), shelf.lay(b"to be read"));
    let members = json!({
        "stdin_artifact": second,
        "files": {
            "in/first": { "artifact": first, "sha256": digest, "size": 14, "media_type": "text/plain", "name": "x" },
            "in/plan.json": { "steps": [1, 2] }, "note": "a text\n",
        },
    });
    let (verdict, log) =
        run(&shelf, "cat in/first; echo; cat in/plan.json; echo; cat note; cat", members).await;
    assert!(matches!(verdict, Verdict::Succeeded { .. }), "{verdict:?}");
    assert_eq!(log, "from the first\n{\"steps\":[1,2]}\na text\nto be read");
}

fn file(id: &str, sha256: &str) -> Value {
    json!({ "artifact": id, "sha256": sha256, "size": 1, "media_type": "text/plain", "name": "x" })
}

// SEC4: an agent may reach several scopes; a program is handed what its task's scope has, whatever its payload names.
#[tokio::test]
async fn sec4_a_program_is_handed_nothing_of_another_scope() {
    let shelf = Shelf::start().await;
    let (own, own_digest) = shelf.lay(b"of this scope");
    let (other, digest) = shelf.lay_elsewhere(b"of another scope");
    assert!(shelf.client().text(Request::<call::ArtifactGet>::new().place(&other)).await.is_ok());
    for members in [
        json!({ "files": { "a": file(&other, &digest) } }),
        json!({ "stdin_artifact": other }),
        json!({ "stdin_artifact": file(&other, &digest) }),
    ] {
        let (verdict, log) = run(&shelf, "cat a -", members).await;
        let error = failure(verdict);
        assert!(error.contains(&format!("cannot fetch {other}")) && log.is_empty(), "{error} {log}");
    }
    let members = json!({ "files": { "a": file(&own, &own_digest) }, "stdin_artifact": own });
    let (verdict, log) = run(&shelf, "cat a -", members).await;
    assert!(matches!(verdict, Verdict::Succeeded { .. }), "{verdict:?}");
    assert_eq!(log, "of this scopeof this scope");
    let (_, log) = run(&shelf, "cat a", json!({ "files": { "a": { "artifact": own } } })).await;
    assert_eq!(log, json!({ "artifact": own }).to_string(), "what only looks like a file is JSON");
}

// D21: bytes are what their digest says, or the program does not start.
#[tokio::test]
async fn d21_what_is_fetched_is_verified_before_the_start() {
    let shelf = Shelf::start().await;
    let (id, digest) = shelf.lay(b"as it was stored");
    let wrong = file(&id, &"0".repeat(64));
    let error = failure(run(&shelf, "echo ran", json!({ "files": { "a": wrong } })).await.0);
    assert!(error.contains(&format!("cannot fetch {id} for a")) && error.contains(&digest), "{error}");
    shelf.spoil();
    for members in [json!({ "files": { "a": file(&id, &digest) } }), json!({ "stdin_artifact": id })] {
        let (verdict, log) = run(&shelf, "echo ran", members).await;
        let error = failure(verdict);
        assert!(error.contains("its bytes have the digest") && log.is_empty(), "{error}");
    }
    let gone = json!({ "stdin_artifact": "art_01h2xcejqtf2nbrexx3vqj9999" });
    assert!(failure(run(&shelf, "echo ran", gone).await.0).contains("not_found"));
    let clash = json!({ "files": { "a": "x", "a/b": "y" } });
    assert!(failure(run(&shelf, "echo ran", clash).await.0).contains("cannot place a/b for the program"));
}

#[tokio::test]
async fn c10_an_agent_without_a_server_says_that_it_has_none() {
    let outputs = json!({ "outputs": { "a": { "file": "a" } } });
    let (verdict, log) = run_by(CommandExecutor::default(), "echo ran", outputs, None).await;
    assert!(
        matches!(&verdict, Verdict::Failed { retry: Retry::Useless, error } if error.contains("no way")),
        "{verdict:?}"
    );
    assert_eq!(log, "");
}
