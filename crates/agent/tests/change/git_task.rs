//! C19, C21, C30, C34: the internal tasks, from their payloads to their results.

use crate::rig::{CHANGE, PATIENCE, Rig, failure};
use serde_json::{Value, json};
use tiltyard_agent::process::Stop;
use tiltyard_agent::stop::StopReason;
use tiltyard_wire::work::{
    CHECK_KIND, CLEAN_KIND, ChangeResult, CheckResult, CheckStatus, How, MERGE_KIND, MergeResult, PROBE_KIND,
    ProbeResult, TargetKind,
};

fn checks(script: &str) -> Value {
    json!([{ "name": "unit", "argv": ["/bin/sh", "-ec", script], "timeout_ms": 60_000 }])
}

fn merge(rig: &Rig, proposal: &ChangeResult, script: &str, green: &Value) -> Value {
    let mut payload = rig.check(proposal, &checks(script));
    payload["subject_sha256"] = json!(proposal.diff.sha256);
    payload["green"] = green.clone();
    payload
}

#[tokio::test]
async fn c19_probe_tells_what_a_repository_is_or_why_it_cannot_be_used() {
    let rig = Rig::new().await;
    rig.world.commit("repos/app", ".tiltyard.toml", "merge = \"squash\"\n", "rules");
    let probe = |repository: Value| json!({ "repository": repository });
    match rig.answer(PROBE_KIND, &probe(rig.repository())).await {
        ProbeResult::Found { head, target, rules, dirty, .. } => {
            assert_eq!((head, target, dirty), (rig.head(), TargetKind::CheckedOut, Vec::<String>::new()));
            assert_eq!(rules.and_then(|rules| rules.text).as_deref(), Some("merge = \"squash\"\n"));
        }
        other @ ProbeResult::Refused(_) => panic!("{other:?}"),
    }
    let (mut branch, mut outside, mut hostile) = (rig.repository(), rig.repository(), rig.repository());
    branch["branch"] = json!("gone");
    outside["path"] = json!(rig.world.path("outside"));
    hostile["branch"] = json!("--upload-pack=x");
    for (repository, word) in [(branch, "no_branch"), (outside, "outside_roots"), (hostile, "bad_location")] {
        match rig.answer(PROBE_KIND, &probe(repository)).await {
            ProbeResult::Refused(refused) => assert_eq!(refused.code, word, "{}", refused.reason),
            other @ ProbeResult::Found { .. } => panic!("{word}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn c21_checks_run_on_the_merged_tree_and_their_logs_are_kept() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    rig.world.commit("repos/app", "other.txt", "other\n", "the base moves");
    let payload = rig.check(&proposal, &checks("cat README.md other.txt; test -z \"$TILTYARD_TASK\""));
    let (done, log) = rig.perform(CHECK_KIND, 1, &payload).await;
    let CheckResult::Checked(checked) =
        serde_json::from_str(&crate::rig::result(&done, &log)).expect("is an answer")
    else {
        panic!("was not checked")
    };
    assert_eq!(checked.base, rig.head());
    assert_eq!(
        (checked.checks[0].status, checked.checks[0].log_tail.as_str()),
        (CheckStatus::Passed, "louder\nother\n")
    );
    assert_eq!(checked.diff_sha256, proposal.diff.sha256, "the same diff on another base");
    assert!(checked.green.is_some() && log.contains("[tiltyard] check: /bin/sh -ec"), "{log}");
}

#[tokio::test]
async fn c21_red_missing_and_late_checks_are_told_apart() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let several = json!([
        { "name": "red", "argv": ["/bin/sh", "-c", "echo no; exit 7"], "timeout_ms": 60_000 },
        { "name": "missing", "argv": ["no-such-program"], "timeout_ms": 60_000 },
        { "name": "late", "argv": ["sleep", "1000"], "timeout_ms": 300 },
        { "name": "killed", "argv": ["/bin/sh", "-c", "kill -9 $$"], "timeout_ms": 60_000 },
        { "name": "last", "argv": ["true"], "timeout_ms": 60_000 },
    ]);
    let CheckResult::Checked(checked) = rig.answer(CHECK_KIND, &rig.check(&proposal, &several)).await else {
        panic!("was not checked")
    };
    let told: Vec<_> = checked.checks.iter().map(|check| (check.status, check.exit)).collect();
    let wanted = [
        (CheckStatus::Failed, Some(7)),
        (CheckStatus::Missing, None),
        (CheckStatus::TimedOut, None),
        (CheckStatus::Failed, None),
        (CheckStatus::Passed, Some(0)),
    ];
    assert_eq!(told, wanted);
    assert_eq!(checked.green, None);
}

// A check that hangs ends with the task that it belongs to, and nothing of it stays.
#[tokio::test]
async fn d4_a_cancelled_check_ends_for_real() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let mut running =
        rig.accept(CHECK_KIND, 1, &rig.check(&proposal, &checks("echo begun; sleep 1000"))).await;
    while !running.log.next().await.expect("reads").expect("goes on").text.contains("begun") {}
    let key = rig.host.slots().held()[0].key.clone();
    rig.host.slots().stop(&key, StopReason::Cancelled);
    let done =
        tokio::time::timeout(PATIENCE, running.done).await.expect("ends in time").expect("does not break");
    assert_eq!((done.outcome, done.stop), (None, Stop::Confirmed));
}

#[tokio::test]
async fn c30_a_merge_moves_the_target_and_proves_it_and_clean_forgets() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let payload = merge(&rig, &proposal, "grep -q louder README.md", &Value::Null);
    let MergeResult::Merged(merged) = rig.answer(MERGE_KIND, &payload).await else {
        panic!("was not merged")
    };
    assert_eq!((merged.how, merged.commit.as_str()), (How::Moved, rig.head().as_str()));
    assert_eq!((merged.checked_tree.as_ref(), merged.checks.len()), (Some(&merged.tree), 1));
    assert_eq!(rig.world.read("repos/app/README.md"), "louder\n");
    // Asked again after a crash: told from the target itself.
    let MergeResult::Merged(again) = rig.answer(MERGE_KIND, &payload).await else { panic!("was not merged") };
    assert_eq!((again.how, again.commit), (How::Found, merged.commit.clone()));
    let end = json!({ "how": "merged", "commit": merged.commit });
    let clean = json!({ "change": CHANGE, "repository": rig.repository(), "end": end });
    let (done, _) = rig.perform(CLEAN_KIND, 1, &clean).await;
    assert!(done.outcome.is_some_and(|told| format!("{:?}", told.verdict).starts_with("Succeeded")));
}

// C30: a proposal that the mirror has needs no second journey.
#[tokio::test]
async fn c30_a_bundle_is_fetched_once() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let check = rig.check(&proposal, &checks("true"));
    let payload = merge(&rig, &proposal, "true", &Value::Null);
    assert!(matches!(rig.answer(CHECK_KIND, &check).await, CheckResult::Checked(_)));
    rig.shelf.burn();
    assert!(matches!(rig.answer(MERGE_KIND, &payload).await, MergeResult::Merged(_)));
}

#[tokio::test]
async fn c34_what_is_not_proven_is_not_forgotten() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let end = json!({ "how": "merged", "commit": proposal.head });
    let clean = json!({ "change": CHANGE, "repository": rig.repository(), "end": end });
    let (done, _) = rig.perform(CLEAN_KIND, 1, &clean).await;
    assert!(failure(&done).contains("does not hold"));
}

#[tokio::test]
async fn c30_a_green_tree_is_not_checked_twice_and_a_dirty_target_is_refused() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    // Passes once only.
    let once = format!("mkdir {}", rig.world.path("outside/once").display());
    let CheckResult::Checked(checked) = rig.answer(CHECK_KIND, &rig.check(&proposal, &checks(&once))).await
    else {
        panic!("was not checked")
    };
    let green = serde_json::to_value(checked.green.expect("is green")).expect("is JSON");
    let payload = merge(&rig, &proposal, &once, &green);
    rig.world.write("repos/app/README.md", "work of a person\n");
    match rig.answer(MERGE_KIND, &payload).await {
        MergeResult::DirtyTarget { files } => assert_eq!(files, ["README.md"]),
        other => panic!("{other:?}"),
    }
    rig.world.git("repos/app", &["checkout", "-q", "README.md"]);
    let MergeResult::Merged(merged) = rig.answer(MERGE_KIND, &payload).await else {
        panic!("was not merged")
    };
    assert_eq!(merged.checks, []);
}

#[tokio::test]
async fn c30_what_is_not_as_agreed_does_not_land() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let before = rig.head();
    let red = merge(&rig, &proposal, "exit 1", &Value::Null);
    assert!(matches!(rig.answer(MERGE_KIND, &red).await, MergeResult::ChecksFailed { .. }));
    let mut other = merge(&rig, &proposal, "true", &Value::Null);
    other["subject_sha256"] = json!("0".repeat(64));
    assert!(matches!(rig.answer(MERGE_KIND, &other).await, MergeResult::SubjectChanged { .. }));
    assert_eq!(rig.head(), before);
    rig.world.commit("repos/app", "README.md", "theirs\n", "theirs");
    let conflict = rig.answer(MERGE_KIND, &merge(&rig, &proposal, "true", &Value::Null)).await;
    assert!(matches!(conflict, MergeResult::Conflict { files, .. } if files == ["README.md"]));
    rig.world.commit("repos/app", ".tiltyard.toml", "merge = \"squash\"\n", "rules");
    let rules = rig.answer(CHECK_KIND, &rig.check(&proposal, &checks("true"))).await;
    assert!(matches!(rules, CheckResult::RulesChanged { rules: Some(_), .. }));
}

#[tokio::test]
async fn c21_a_bundle_that_is_not_what_was_announced_is_refused() {
    let rig = Rig::new().await;
    let proposal = rig.propose("echo louder > README.md").await;
    let mut payload = rig.check(&proposal, &checks("true"));
    payload["proposal"]["bundle"] = serde_json::to_value(rig.shelf.stored(&proposal.diff)).expect("is JSON");
    match rig.answer(CHECK_KIND, &payload).await {
        CheckResult::Refused(refused) => assert_eq!(refused.code, "bad_bundle"),
        other => panic!("{other:?}"),
    }
    payload["proposal"]["bundle"]["id"] = json!("art_01h2xcejqtf2nbrexx3vqj9999");
    let (done, _) = rig.perform(CHECK_KIND, 2, &payload).await;
    assert!(failure(&done).contains("cannot fetch the bundle"));
}

// D4: "nothing of it runs" is said of gits too, and of what they have started.
#[tokio::test]
async fn d4_a_cancelled_merge_has_ended_when_it_says_so() {
    let rig = Rig::of(crate::world::World::with_bare(), None).await;
    let repository = json!({
        "scope": "default", "name": "app", "path": rig.world.path("repos/app.git"), "branch": "main",
    });
    let mut idea = rig.idea("echo louder > README.md");
    idea["given"]["repository"] = repository.clone();
    let (done, log) = rig.perform(tiltyard_agent::executor::change::CHANGE_KIND, 1, &idea).await;
    let proposal: ChangeResult =
        serde_json::from_str(&crate::rig::result(&done, &log)).expect("is a proposal");
    let pid = rig.world.path("pid");
    let stubborn =
        format!("trap '' TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 1; done", pid.display());
    rig.world.script("repos/app.git/hooks/pre-receive", &stubborn);
    let mut payload = merge(&rig, &proposal, "true", &Value::Null);
    payload["repository"] = repository;
    let running = rig.accept(MERGE_KIND, 1, &payload).await;
    let patience = std::time::Instant::now() + PATIENCE;
    while !pid.exists() {
        assert!(std::time::Instant::now() < patience, "the hook was never run");
        tokio::task::yield_now().await;
    }
    let key = rig.host.slots().held()[0].key.clone();
    rig.host.slots().stop(&key, StopReason::Cancelled);
    let done =
        tokio::time::timeout(PATIENCE, running.done).await.expect("ends in time").expect("does not break");
    assert_eq!((done.outcome, done.stop), (None, Stop::Confirmed));
    let hook = format!("/proc/{}/stat", std::fs::read_to_string(pid).expect("is there").trim());
    let state = std::fs::read_to_string(hook).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "the hook lives on: {state}");
}
