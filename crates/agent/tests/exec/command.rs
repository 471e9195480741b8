//! C10: tasks of the kind `command`, from the payload to the outcome.

use crate::rig::{HostRig, carry_out, command, host};
use serde_json::{Value, json};
use std::time::Duration;
use tiltyard_agent::executor::Assignment;
use tiltyard_agent::host::{Done, Keeping};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::outcome::{Retry, Verdict};
use tiltyard_agent::process::Stop;
use tiltyard_agent::stop::StopReason;

/// Runs one command on a host of its own.
async fn outcome(payload: Value) -> (Done, String) {
    let folder = tempfile::tempdir().expect("a folder");
    carry_out(&host(folder.path(), HostRig::default()), command("task_a", &payload)).await
}

fn result(done: &Done) -> Value {
    match done.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Succeeded { result }) => {
            result.as_ref().map_or(Value::Null, |json| serde_json::from_str(json.get()).expect("is JSON"))
        }
        other => panic!("expected success, got {other:?}"),
    }
}

fn failure(done: &Done) -> (String, Retry) {
    match done.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Failed { error, retry }) => (error.clone(), *retry),
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[tokio::test]
async fn c10_exit_code_0_succeeds_and_output_is_the_log() {
    let (done, log) =
        outcome(json!({ "argv": ["sh", "-c", "echo hello; echo problem >&2; echo bye"] })).await;
    assert_eq!(result(&done), Value::Null);
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["bye", "hello", "problem"]);
    assert!(matches!(done.keeping, Keeping::OnDisk));
    assert_eq!((done.stop, done.log.expect("is kept").kept_bytes), (Stop::Confirmed, log.len() as u64));
}

#[tokio::test]
async fn c10_everything_of_the_payload_reaches_the_program() {
    let script = "read line; echo \"$line|$GREETING|${HOME-no home}|$(basename $PWD)\"";
    let env = json!({ "GREETING": "grüße", "HOME": null });
    let (done, log) =
        outcome(json!({ "argv": script, "shell": true, "env": env, "stdin": "from outside\n" })).await;
    assert_eq!((result(&done), log.as_str()), (Value::Null, "from outside|grüße|no home|work\n"));
    let (done, log) = outcome(json!({ "argv": ["pwd"], "cwd": "/tmp" })).await;
    assert_eq!((result(&done), log.as_str()), (Value::Null, "/tmp\n"));
}

#[tokio::test]
async fn c10_the_result_is_a_json_last_line_or_the_output_file() {
    let (done, _) = outcome(json!({ "argv": "echo working; echo '{\"sum\": 3}'", "shell": true })).await;
    assert_eq!(result(&done), json!({ "sum": 3 }));
    let script = "echo '{\"from\": \"file\"}' > $TILTYARD_OUTPUT; echo '{\"from\": \"line\"}'";
    let (done, _) = outcome(json!({ "argv": script, "shell": true })).await;
    assert_eq!(result(&done), json!({ "from": "file" }));
    // As careful programs write: beside it, then in its place.
    let script = "echo '[1]' > $TILTYARD_OUTPUT.new && mv $TILTYARD_OUTPUT.new $TILTYARD_OUTPUT";
    let (done, _) = outcome(json!({ "argv": script, "shell": true })).await;
    assert_eq!(result(&done), json!([1]));
}

#[tokio::test]
async fn c10_a_result_that_cannot_be_taken_is_an_error_that_says_so() {
    let script = "head -c 70000 /dev/zero | tr '\\0' 1 > $TILTYARD_OUTPUT";
    let (done, _) = outcome(json!({ "argv": script, "shell": true })).await;
    assert!(failure(&done).0.contains("the file $TILTYARD_OUTPUT has more than 65536 bytes"), "{done:?}");
    let script = "printf '{\"x\": \"'; head -c 70000 /dev/zero | tr '\\0' x; printf '\"}'";
    let (done, _) = outcome(json!({ "argv": script, "shell": true })).await;
    assert!(
        failure(&done).0.contains("the last line of standard output has more than 65536 bytes"),
        "{done:?}"
    );
    let (done, _) = outcome(json!({ "argv": "echo nonsense > $TILTYARD_OUTPUT", "shell": true })).await;
    assert!(failure(&done).0.contains("is no JSON"), "{done:?}");
    let (done, _) = outcome(json!({ "argv": "ln -s /etc/passwd $TILTYARD_OUTPUT", "shell": true })).await;
    assert!(failure(&done).0.contains("cannot read $TILTYARD_OUTPUT: it is a link"), "{done:?}");
}

#[tokio::test]
async fn c10_a_failure_says_the_exit_code_and_the_last_complaint() {
    let (done, _) =
        outcome(json!({ "argv": "echo fine; echo 'no such table' >&2; exit 3", "shell": true })).await;
    assert_eq!(failure(&done), ("exit code 3: no such table".to_owned(), Retry::Useful));
    let (done, _) = outcome(json!({ "argv": "kill -SEGV $$", "shell": true })).await;
    assert_eq!(failure(&done).0, "ended by signal 11 (SEGV)");
    let (done, _) = outcome(json!({ "argv": ["no-such-program-here"] })).await;
    assert!(failure(&done).0.contains("`no-such-program-here` is not installed on this host"), "{done:?}");
    let (done, _) = outcome(json!({ "argv": "not a list" })).await;
    assert_eq!(failure(&done).1, Retry::Useless);
}

#[tokio::test]
async fn c10_a_timeout_is_its_own_outcome() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = command("task_a", &json!({ "argv": "echo begun; sleep 1000 & sleep 1000", "shell": true }));
    let slow = Assignment { timeout: Some(Duration::from_millis(200)), ..slow };
    let (done, log) = carry_out(&host(folder.path(), HostRig::default()), slow).await;
    let Some(Verdict::TimedOut { error }) = done.outcome.map(|outcome| outcome.verdict) else {
        panic!("{log}")
    };
    assert!(error.contains("longer than the 200 ms"), "{error}");
    assert_eq!((done.stop, log.as_str()), (Stop::Confirmed, "begun\n"));
}

#[tokio::test]
async fn d4_a_cancelled_attempt_has_no_outcome_and_a_confirmed_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), HostRig::default());
    let slow = command(
        "task_a",
        &json!({ "argv": "trap '' TERM; echo begun; sleep 1000; sleep 1000", "shell": true }),
    );
    let key = slow.key.clone();
    let mut running = host.accept(slow).await.expect("takes it");
    assert_eq!(running.log.next().await.expect("reads").expect("is there").text, "begun\n");
    host.slots().stop(&key, StopReason::Cancelled);
    let done = running.done.await.expect("does not break");
    assert!(done.outcome.is_none() && matches!(done.keeping, Keeping::Nothing));
    assert_eq!(
        (done.stop, host.slots().held().len(), host.outbox().waiting().len()),
        (Stop::Confirmed, 0, 0)
    );
    host.settled(&key).await.expect("forgets it");
    assert!(host.log_of(&key).expect("looks").is_none(), "its folder went");
}

#[tokio::test]
async fn c10_a_log_beyond_its_limit_keeps_head_and_tail() {
    let folder = tempfile::tempdir().expect("a folder");
    let log_limits = LogLimits { head_bytes: 100_000, tail_bytes: 50_000 };
    let host = host(folder.path(), HostRig { log_limits, ..HostRig::default() });
    let noisy =
        command("task_a", &json!({ "argv": "seq -w 1 500000; echo '{\"at\": \"end\"}'", "shell": true }));
    let (done, log) = carry_out(&host, noisy).await;
    assert_eq!(result(&done), json!({ "at": "end" }));
    let whole = 500_000 * 7 + "{\"at\": \"end\"}\n".len();
    assert!(log.starts_with("000001\n000002\n") && log.ends_with("500000\n{\"at\": \"end\"}\n"));
    let left_out = done.log.expect("is kept").left_out_bytes;
    let mark = format!("\n[tiltyard] {left_out} bytes of output are left out here\n");
    let (head, tail) = log.split_once(&mark).expect("the mark is there");
    assert_eq!(head.len() + tail.len() + usize::try_from(left_out).expect("fits"), whole);
    assert!(head.len() <= 100_000 && tail.len() <= 50_000);
    assert!(tail.as_bytes()[6] == b'\n', "the tail begins with a whole line");
}

#[tokio::test]
async fn c10_a_program_that_never_falls_silent_is_ended_in_time_and_its_log_stays_small() {
    let folder = tempfile::tempdir().expect("a folder");
    let log_limits = LogLimits { head_bytes: 1_000, tail_bytes: 1_000 };
    let host = host(folder.path(), HostRig { log_limits, ..HostRig::default() });
    let noisy = command("task_a", &json!({ "argv": "yes & yes >&2", "shell": true }));
    let (done, log) =
        carry_out(&host, Assignment { timeout: Some(Duration::from_millis(300)), ..noisy }).await;
    assert!(matches!(done.outcome.map(|outcome| outcome.verdict), Some(Verdict::TimedOut { .. })));
    assert!(
        done.stop == Stop::Confirmed && log.len() < 2_300 && done.log.expect("is kept").left_out_bytes > 0
    );
    let files = std::fs::read_dir(folder.path().join("agent/work/task_a.1")).expect("is there").flatten();
    let bytes: u64 = files
        .filter_map(|file| file.metadata().ok())
        .filter(|file| file.is_file())
        .map(|file| file.len())
        .sum();
    assert!(bytes < 2_300, "{bytes} bytes on disk");
}

#[tokio::test]
async fn c10_output_that_is_no_text_does_no_harm() {
    let (done, log) =
        outcome(json!({ "argv": "printf 'a\\377\\303'; printf '\\244b\\000\\n'", "shell": true })).await;
    assert_eq!((result(&done), log.as_str()), (Value::Null, "a\u{FFFD}äb\0\n"));
}

#[tokio::test]
async fn c6_a_command_sees_neither_configuration_nor_other_attempts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("config")).expect("makes a folder");
    std::fs::write(folder.path().join("config/token"), "secret").expect("writes");
    let host = host(folder.path(), HostRig::default());
    let (done, _) = carry_out(&host, command("task_other", &json!({ "argv": ["touch", "mine"] }))).await;
    assert_eq!(result(&done), Value::Null);
    let script = format!(
        "cat {0}/config/token; cat {0}/agent/work/task_other.1/log; cat {0}/agent/outbox/*; echo x > y && cat y",
        folder.path().display()
    );
    std::fs::write(folder.path().join("agent/work/task_other.1/log"), "secret").expect("writes");
    let (done, log) = carry_out(&host, command("task_a", &json!({ "argv": script, "shell": true }))).await;
    assert_eq!(result(&done), Value::Null);
    if log.contains("cannot hide") {
        println!("skipped: this kernel has no Landlock, and this user may not mount");
        return;
    }
    assert!(
        !log.contains("secret") && !log.contains("sha256") && log.lines().any(|line| line == "x"),
        "{log}"
    );
}
