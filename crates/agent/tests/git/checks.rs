//! C21: checks on the change merged onto its current base.

use std::sync::atomic::Ordering;

use tiltyard_agent::git::{
    CheckOutcome, CheckSpec, CheckStatus, RefusedCode, RulesPin, WorkClones, rules_digest,
};

use crate::bench::{Plain, Waiting, test_that};
use crate::repository::make_hostile;
use crate::world::World;

fn spec(name: &str, argv: &[&str], timeout_ms: u64) -> CheckSpec {
    CheckSpec { name: name.to_owned(), argv: argv.iter().map(|arg| (*arg).to_owned()).collect(), timeout_ms }
}

// C21: onto the current base, in a clean clone, output and duration kept; the subject is the one that D24 binds.
#[tokio::test]
async fn c21_checks_see_the_change_on_its_current_base() {
    let world = World::with_app();
    let mut waiting = Waiting::readme(&world, "repos/app").await;
    let moved = world.commit("repos/app", "meanwhile.txt", "x\n", "the base moves on");
    waiting.job.checks = vec![
        test_that(
            "grep -q better README.md && test -f meanwhile.txt && echo well && git log --format=%s | head -1",
        ),
        spec("count", &["sh", "-c", "echo broken >&2; exit 3"], 5_000),
    ];
    let checked = waiting.checked().await;
    assert_eq!(checked.base.as_str(), moved);
    assert_eq!(checked.merge_base, waiting.proposal.base);
    assert_eq!(
        checked.diff_sha256, waiting.proposal.diff.sha256,
        "a moved base with the same diff keeps the approval"
    );
    assert_eq!(checked.files, waiting.proposal.files);
    assert_eq!(checked.checks[0].status, CheckStatus::Passed);
    assert_eq!(checked.checks[0].log_tail, "well\nFix the README\n");
    assert_eq!((checked.checks[1].status, checked.checks[1].exit), (CheckStatus::Failed, Some(3)));
    assert_eq!(checked.checks[1].log_tail, "broken\n");
    assert_eq!(checked.green, None);
    assert_eq!(std::fs::read_dir(world.path("agent/checks")).unwrap().count(), 0, "check clones go");
    assert_eq!(world.git("repos/app", &["rev-parse", "main"]), moved, "checking moves nothing");
}

// Issue 2: a missing binary, a check that hangs, a check that is killed: states that a person understands.
#[tokio::test]
async fn c21_a_check_that_hangs_or_is_missing_is_told_as_such() {
    let world = World::with_app();
    let mut waiting = Waiting::readme(&world, "repos/app").await;
    waiting.job.checks = vec![
        spec("hangs", &["sleep", "600"], 200),
        spec("missing", &["no-such-program-anywhere"], 5_000),
        spec("killed", &["sh", "-c", "kill -9 $$"], 5_000),
        spec("empty", &[], 5_000),
        spec("fine", &["true"], 5_000),
    ];
    let checked = waiting.checked().await;
    let told: Vec<CheckStatus> = checked.checks.iter().map(|report| report.status).collect();
    use CheckStatus::{Failed, Missing, Passed, TimedOut};
    assert_eq!(told, [TimedOut, Missing, Failed, Missing, Passed]);
    assert!(checked.checks[0].log_tail.contains("ended after 200 ms"));
    assert!(checked.checks[0].duration_ms >= 200);
    assert_eq!(checked.green, None);
    assert_eq!(serde_json::to_value(&checked.checks[0]).unwrap()["status"], "timed_out");
}

// C32: told with the files. And what the base holds already is no change any more.
#[tokio::test]
async fn c32_a_conflict_is_told_with_its_files() {
    let world = World::with_app();
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write("README.md", "mine\n");
        attempt.write("other.txt", "fine\n");
    });
    let waiting = waiting.await;
    let base = world.commit("repos/app", "README.md", "theirs\n", "a rival");
    let outcome = waiting.check_with(&Plain::new()).await.unwrap();
    let CheckOutcome::Conflict { base: told, files } = outcome else { panic!("{outcome:?}") };
    assert_eq!((told.as_str(), files), (base.as_str(), vec!["README.md".to_owned()]));
    world.write("repos/app/other.txt", "fine\n");
    world.commit("repos/app", "README.md", "mine\n", "the same by hand");
    let outcome = waiting.check_with(&Plain::new()).await.unwrap();
    assert!(matches!(outcome, CheckOutcome::Contained { .. }), "{outcome:?}");
}

// C20: a change is judged by the rules of its base: when those changed, nothing runs before they are read anew.
#[tokio::test]
async fn c20_rules_that_changed_on_the_base_are_told_before_anything_runs() {
    let world = World::with_app();
    let mut waiting =
        Waiting::new(&world, "repos/app", |attempt| attempt.write(".tiltyard.toml", "[risk]\n")).await;
    waiting.job.rules = RulesPin::File { sha256: None };
    let checked = waiting.checked().await;
    assert_eq!(checked.rules, None, "the change's own rules are not its judge");
    world.commit("repos/app", ".tiltyard.toml", "strict = true\n", "rules");
    let runner = Plain::new();
    let outcome = waiting.check_with(&runner).await.unwrap();
    assert!(
        matches!(&outcome, CheckOutcome::RulesChanged { rules: Some(text), .. } if text == "strict = true\n"),
        "{outcome:?}"
    );
    assert_eq!(runner.runs.load(Ordering::SeqCst), 0);
    let other =
        Waiting::in_mirror(&world, &waiting.mirror, "chg_2", |attempt| attempt.write("README.md", "x\n"))
            .await;
    let mut other = other;
    other.job.rules = RulesPin::File { sha256: Some(rules_digest("strict = true\n")) };
    assert_eq!(other.checked().await.rules.as_deref(), Some("strict = true\n"));
}

// C21: hooks and repository-supplied configuration are off, also when the change brings them.
#[tokio::test]
async fn c21_nothing_that_a_change_brings_runs_by_itself() {
    let world = World::with_app();
    make_hostile(&world, "repos/app");
    let chirp = world.chirp();
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
        attempt.write(".gitconfig", format!("[core]\n\tfsmonitor = {chirp}\n"));
        attempt.write(
            ".gitmodules",
            format!("[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c '{chirp}'\n\tupdate = checkout\n"),
        );
        attempt.write(".githooks/post-checkout", format!("#!/bin/sh\n{chirp}\n"));
        attempt.write("README.md", "hello\nbetter\n");
    });
    let checked = waiting.await.checked().await;
    assert_eq!(checked.checks[0].status, CheckStatus::Passed);
    assert!(!world.canary().exists(), "something of the change was executed");
}

// C21: one check clone after the other, each clean; a sealed folder does not stay.
#[tokio::test]
async fn c21_a_check_leaves_nothing_to_the_next_run() {
    let world = World::with_app();
    let mut waiting = Waiting::readme(&world, "repos/app").await;
    let dirty =
        "test ! -e left && mkdir left && touch left/x && chmod 500 left && echo evil > .git/hooks-were-here";
    waiting.job.checks = vec![test_that(dirty)];
    assert!(waiting.checked().await.green.is_some());
    assert!(waiting.checked().await.green.is_some(), "the second run met the first one's leftovers");
    std::fs::create_dir_all(world.path("agent/checks/check-left/tree")).unwrap();
    world.write("agent/checks/bundle-left", "half of one");
    WorkClones::sweep_checks(&world.path("agent/checks")).unwrap();
    assert_eq!(std::fs::read_dir(world.path("agent/checks")).unwrap().count(), 0);
}

// C21: a check that is called off leaves no clone behind, whatever its program made of it.
#[tokio::test]
async fn c21_a_check_that_is_called_off_leaves_no_clone() {
    let world = World::with_app();
    let mut waiting = Waiting::readme(&world, "repos/app").await;
    let begun = world.path("begun");
    let script =
        format!("mkdir left && touch left/x && chmod 500 left && touch {} && sleep 600", begun.display());
    waiting.job.checks = vec![test_that(&script)];
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let until = async |done: &dyn Fn() -> bool| {
        while !done() {
            assert!(std::time::Instant::now() < patience, "it takes too long");
            tokio::task::yield_now().await;
        }
    };
    let (runner, has_begun) = (Plain::new(), || begun.exists());
    tokio::select! {
        outcome = waiting.check_with(&runner) => panic!("{outcome:?}"),
        () = until(&has_begun) => {}
    }
    let checks = world.path("agent/checks");
    until(&|| std::fs::read_dir(&checks).unwrap().count() == 0).await;
}

// C21: a bundle of lies ends as a refusal and not as an error that is tried for ever.
#[tokio::test]
async fn c21_a_bad_bundle_is_an_outcome() {
    let world = World::with_app();
    let mut waiting = Waiting::readme(&world, "repos/app").await;
    waiting.job.incoming.sha256 = Some("0".repeat(64));
    let outcome = waiting.check_with(&Plain::new()).await.unwrap();
    assert!(
        matches!(&outcome, CheckOutcome::Refused(refused) if refused.code == RefusedCode::BadBundle),
        "{outcome:?}"
    );
    let text = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<CheckOutcome>(&text).unwrap(), outcome);
}
