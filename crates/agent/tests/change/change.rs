//! C11: an idea becomes a proposal, or a failed attempt that says why.

use crate::rig::{CHANGE, GRACES, PATIENCE, Rig, failure, result, task_of};
use crate::world::World;
use serde_json::json;
use std::time::Duration;
use tiltyard_agent::executor::change::CHANGE_KIND;
use tiltyard_agent::git::cleanup::MAX_KEPT_CLONES;
use tiltyard_agent::host::Done;
use tiltyard_agent::outcome::{Outcome, Retry, Verdict};
use tiltyard_agent::process::{Graces, RunAs, Stop};
use tiltyard_agent::stop::StopReason;
use tiltyard_wire::model::change::diff::Status;
use tiltyard_wire::work::{ChangeResult, Unchanged};

async fn fails(rig: &Rig, script: &str) -> String {
    let (done, _) = rig.perform(CHANGE_KIND, 1, &rig.idea(script)).await;
    assert!(rig.shelf.things().is_empty(), "nothing was uploaded");
    failure(&done)
}

#[tokio::test]
async fn c11_a_program_edits_a_clone_and_what_it_did_is_proposed() {
    let rig = Rig::new().await;
    let script =
        "echo louder > README.md; git add .; git commit -qm 'louder'; echo new > new.txt; pwd; git status -s";
    let (done, log) = rig.perform(CHANGE_KIND, 1, &rig.idea(script)).await;
    let proposal: ChangeResult = serde_json::from_str(&result(&done, &log)).expect("is a proposal");
    assert_eq!(proposal.base, rig.head());
    let files: Vec<_> = proposal.files.listed.iter().map(|file| (file.path.as_str(), file.status)).collect();
    assert_eq!(files, [("README.md", Status::Modified), ("new.txt", Status::Added)]);
    let subjects: Vec<_> = proposal.commits.iter().map(|commit| commit.subject.as_str()).collect();
    assert_eq!(subjects, ["Say hello louder", "louder"], "what was left uncommitted is committed");
    assert!(log.contains("?? new.txt"), "what the program says is the log: {log}");
    let things = rig.shelf.things();
    let names: Vec<_> = things.iter().map(|thing| thing.name.as_str()).collect();
    assert_eq!(names, ["change.diff", "change.bundle"]);
    assert!(things.iter().all(|thing| thing.task == task_of(CHANGE_KIND) && thing.generation == 1));
    assert_eq!((&things[0].sha256, &things[1].sha256), (&proposal.diff.sha256, &proposal.bundle.sha256));
    let diff = String::from_utf8_lossy(&things[0].bytes).into_owned();
    assert!(diff.contains("+louder") && diff.contains("+new"), "{diff}");
    assert_eq!(rig.world.read("repos/app/README.md"), "hello\n", "the repository itself is not touched");
}

#[tokio::test]
async fn c11_the_program_is_told_what_is_wanted_in_files_and_variables() {
    let rig = Rig::new().await;
    let script = r#"cat "$TILTYARD_PROMPT_FILE"; printf %s "$TILTYARD_PROMPT" | cmp - "$TILTYARD_PROMPT_FILE"
        echo "[$TILTYARD_CRITERIA] [$TILTYARD_TASK.$TILTYARD_GENERATION] [$TILTYARD_REPOSITORY]"
        test "$TILTYARD_BASE" = "$(git rev-parse HEAD)"; git branch --show-current; echo x > x"#;
    let (done, log) = rig.perform(CHANGE_KIND, 1, &rig.idea(script)).await;
    result(&done, &log);
    for part in [
        "# Say hello louder\n\nSay hello louder.\n",
        "## It is right when\n\n- It is louder\n",
        &format!("[It is louder] [{}.1] [app]\n", task_of(CHANGE_KIND)),
        &format!("tiltyard/{}-say-hello-louder\n", task_of(CHANGE_KIND)),
    ] {
        assert!(log.contains(part), "{part:?} is not in {log}");
    }
}

// "Done" is checked, not believed: an empty diff is a failed attempt whatever the exit code.
#[tokio::test]
async fn c11_nothing_done_is_a_failed_attempt() {
    let rig = Rig::new().await;
    assert!(fails(&rig, "true").await.contains("nothing was done"));
    let back_and_forth = "echo x > README.md; git commit -qam x; git revert --no-edit HEAD > /dev/null";
    assert!(fails(&rig, back_and_forth).await.contains("nothing was done"));
}

#[tokio::test]
async fn c11_a_program_that_says_it_did_not_has_failed() {
    let rig = Rig::new().await;
    let denied = r#"echo x > x; echo '{"is_error": false, "permission_denials": [{"tool_name": "Bash"}]}'"#;
    assert!(fails(&rig, denied).await.contains("tool calls of the program were denied"));
    let skipped = r#"echo x > x; echo '{"skipped_checks": ["unit"]}' > "$TILTYARD_OUTPUT""#;
    assert!(fails(&rig, skipped).await.contains("skipped checks: unit"));
}

// C11: a claim counts at any length, over several lines, and beside another result.
#[tokio::test]
async fn c11_a_denied_call_is_not_overlooked_for_its_length_or_place() {
    let rig = Rig::new().await;
    let denied = r#"{"permission_denials": [{"tool_name": "Write", "tool_input": "'"$(head -c 200000 /dev/zero | tr '\0' x)"'"}]}"#;
    let long = format!("echo x > x; echo '{denied}'");
    assert!(fails(&rig, &long).await.contains("were denied"));
    let pretty = "echo x > x; printf '{\\n  \"is_error\": true,\\n  \"result\": \"no turns\"\\n}\\n'";
    assert!(fails(&rig, pretty).await.contains("no turns"));
    let beside = format!("{pretty}; echo '{{}}' > \"$TILTYARD_OUTPUT\"");
    assert!(fails(&rig, &beside).await.contains("no turns"));
    let file = format!("echo x > x; echo '{denied}' > \"$TILTYARD_OUTPUT\"; echo all done");
    assert!(fails(&rig, &file).await.contains("were denied"));
}

// D4, C11: what may still change the clone is told, and the clone is not taken.
#[tokio::test]
async fn d4_a_change_is_not_taken_while_something_of_its_program_may_live() {
    let graces = Graces { leftover_ms: 0, confirm_ms: 0, ..GRACES };
    let rig = Rig::with_graces(World::with_app(), None, graces).await;
    let stays = "echo x > x; (trap '' TERM; exec setsid sleep 100) > /dev/null 2>&1 &";
    let (done, _) = rig.perform(CHANGE_KIND, 1, &rig.idea(stays)).await;
    assert!(failure(&done).contains("could not be ended"), "{done:?}");
    assert!(matches!(done.stop, Stop::Unconfirmed { .. }) && rig.shelf.things().is_empty());
}

// The work of a failed attempt is kept for a look, and the person told where.
#[tokio::test]
async fn c11_a_failed_program_is_a_failed_attempt_and_its_clone_is_kept() {
    let rig = Rig::new().await;
    let error = fails(&rig, "echo half > half.txt; echo no more >&2; exit 3").await;
    assert!(error.starts_with("exit code 3: no more\n"), "{error}");
    let place = error.rsplit_once(": ").expect("names a place").1;
    assert_eq!(std::fs::read_to_string(format!("{place}/tree/half.txt")).expect("is kept"), "half\n");
    assert!(place.contains("/clones/kept/"), "{place}");
    assert!(error.contains(&format!("kept until {MAX_KEPT_CLONES} more attempts have failed")), "{error}");
}

#[tokio::test]
async fn c11_what_no_agent_can_do_is_refused_for_good() {
    let rig = Rig::new().await;
    let mut known = rig.idea("true");
    known["program"] = json!("claude");
    let mut none = rig.idea("true");
    none.as_object_mut().expect("is an object").remove("program");
    let mut outside = rig.idea("true");
    outside["given"]["repository"]["path"] = json!(rig.world.path("outside"));
    for (payload, words) in [
        (known, "knows no program `claude`"),
        (none, "names no program"),
        (outside, "outside the folders"),
        (json!({ "repository": 1 }), "not that of the kind `change`"),
    ] {
        let (done, _) = rig.perform(CHANGE_KIND, 1, &payload).await;
        match done.outcome.map(|Outcome { verdict, .. }| verdict) {
            Some(Verdict::Failed { error, retry: Retry::Useless }) => {
                assert!(error.contains(words), "{error}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
}

// Sent back: the next attempt goes on from the earlier head, and is told why.
#[tokio::test]
async fn c18_a_change_that_is_sent_back_goes_on_from_where_it_was() {
    let rig = Rig::new().await;
    let first = rig.propose("echo louder > README.md").await;
    let mut again = rig.idea(
        r#"grep -q louder README.md; cat "$TILTYARD_PROMPT_FILE"; echo "last: $TILTYARD_FEEDBACK"; echo LOUDER > README.md"#,
    );
    again["given"]["change"] = json!(CHANGE);
    again["given"]["start"] = json!({ "from": "earlier" });
    let start = again["given"]["start"].as_object_mut().expect("is an object");
    start.extend(rig.handed(&first).as_object().expect("is an object").clone());
    let comment = json!({ "path": "README.md", "line": 1, "text": "louder still" });
    again["given"]["feedback"] =
        json!([{ "kind": "comments", "generation": 1, "by": "ada", "comments": [comment] }]);
    let (done, log) = rig.perform(CHANGE_KIND, 2, &again).await;
    let second: ChangeResult = serde_json::from_str(&result(&done, &log)).expect("is a proposal");
    assert!(log.contains("### Attempt 1: ada sent it back\n\n- README.md:1: louder still\n"), "{log}");
    assert!(log.contains("last: \n### Attempt 1: ada sent it back"), "{log}");
    assert_eq!(second.commits.len(), 2, "the earlier commit is still there");
    assert_eq!(second.commits[1].id, first.head);
    // C21: nothing new is told as that, and not as an attempt that failed.
    again["program"] = json!(["true"]);
    let (done, log) = rig.perform(CHANGE_KIND, 3, &again).await;
    let left: Unchanged = serde_json::from_str(&result(&done, &log)).expect("says so");
    assert_eq!(left.unchanged, "its program left its earlier proposal as it was");
    again["program"] = json!(["/bin/sh", "-c", "echo hello > README.md"]);
    let (done, log) = rig.perform(CHANGE_KIND, 4, &again).await;
    let left: Unchanged = serde_json::from_str(&result(&done, &log)).expect("says so");
    assert_eq!(left.unchanged, "its program took back all that it had proposed before");
}

// C32: conflicts are marked in the files, and a marker that is left is a matter for a person.
#[tokio::test]
async fn c32_conflicts_are_resolved_by_a_program() {
    let rig = Rig::new().await;
    let first = rig.propose("echo mine > README.md").await;
    rig.world.commit("repos/app", "README.md", "theirs\n", "theirs");
    let mut again = rig.idea(
        r#"test "$TILTYARD_CONFLICTS" = README.md; grep -q '<<<<<<<' README.md; echo both > README.md"#,
    );
    again["given"]["change"] = json!(CHANGE);
    let mut start = rig.handed(&first);
    start["from"] = json!("resolve");
    again["given"]["start"] = start;
    again["given"]["feedback"] = json!([{ "kind": "conflict", "generation": 1, "files": ["README.md"] }]);
    let (done, log) = rig.perform(CHANGE_KIND, 2, &again).await;
    let second: ChangeResult = serde_json::from_str(&result(&done, &log)).expect("is a proposal");
    assert_eq!(second.base, rig.head());
    again["program"] = json!(["/bin/sh", "-c", "echo x > x"]);
    let (done, log) = rig.perform(CHANGE_KIND, 3, &again).await;
    let left: Unchanged = serde_json::from_str(&result(&done, &log)).expect("says so");
    assert!(left.unchanged.contains("conflict markers were left"));
}

// A server that is being restarted does not cost a program's work.
#[tokio::test]
async fn c3_an_upload_waits_for_a_server_that_is_away() {
    let rig = Rig::new().await;
    rig.shelf.turn_away(7);
    let proposal = rig.propose("echo x > x").await;
    assert_eq!(rig.shelf.things()[0].sha256, proposal.diff.sha256);
}

#[tokio::test]
async fn c24_a_secret_is_found_before_anything_leaves_the_machine() {
    let rig = Rig::new().await;
    let proposal = rig.propose("printf 'aws_access_key_id = %s%s\\n' AKIA QYLPMN5HFIQR7XYA > keys.ini").await;
    assert_eq!(proposal.secrets.len(), 1, "{:?}", proposal.secrets);
    assert_eq!((proposal.secrets[0].file.as_str(), proposal.secrets[0].line), ("keys.ini", 1));
}

/// Starts a change whose program says that it runs, and never ends.
async fn endless(rig: &Rig, timeout: Option<Duration>) -> tiltyard_agent::host::Running {
    let idea = rig.idea("echo begun; sleep 1000");
    let mut running = rig.accept_within(CHANGE_KIND, 1, &idea, timeout).await;
    running.log.next().await.expect("reads").expect("says something");
    running
}

async fn ended(running: tiltyard_agent::host::Running) -> Done {
    tokio::time::timeout(PATIENCE, running.done).await.expect("ends in time").expect("does not break")
}

#[tokio::test]
async fn d4_a_cancelled_change_ends_and_leaves_no_clone() {
    let rig = Rig::new().await;
    let running = endless(&rig, None).await;
    let key = rig.host.slots().held()[0].key.clone();
    rig.host.slots().stop(&key, StopReason::Cancelled);
    let done = ended(running).await;
    assert_eq!((done.outcome, done.stop), (None, Stop::Confirmed));
    let left: Vec<_> = std::fs::read_dir(rig.world.path("agent/clones")).expect("lists").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn d2_a_change_that_takes_too_long_has_timed_out() {
    let rig = Rig::new().await;
    let done = ended(endless(&rig, Some(Duration::from_secs(2))).await).await;
    assert!(matches!(done.outcome.map(|told| told.verdict), Some(Verdict::TimedOut { .. })));
}

// C6: another user runs the program, in a clone that it can write, without seeing what else the agent has.
#[tokio::test]
async fn c6_another_user_can_work_in_the_clone() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can change the user");
        return;
    }
    let nobody = RunAs { uid: 65534, gid: 65534 };
    let rig = Rig::of(World::with_app(), Some(nobody)).await;
    let script = r#"id -u; cat "$TILTYARD_PROMPT_FILE" > /dev/null; echo mine > mine.txt; git add .; git commit -qm mine
        ls ../../../mirrors && exit 1; echo '{}' > "$TILTYARD_OUTPUT""#;
    let (done, log) = rig.perform(CHANGE_KIND, 1, &rig.idea(script)).await;
    let proposal: ChangeResult = serde_json::from_str(&result(&done, &log)).expect("is a proposal");
    assert!(log.starts_with("65534\n"), "{log}");
    assert_eq!(proposal.files.listed[0].path, "mine.txt");
    let checks =
        json!([{ "name": "write", "argv": ["/bin/sh", "-ec", "id -u; echo y > y"], "timeout_ms": 60_000 }]);
    let (done, log) = rig.perform("git.check", 1, &rig.check(&proposal, &checks)).await;
    assert!(result(&done, &log).contains("\"passed\"") && log.contains("65534"), "{log}");
}
