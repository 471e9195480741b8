//! C30, C32: merging, outcome by outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tiltyard_agent::git::{CheckStatus, How, MergeOutcome, Method, RulesPin};

use crate::bench::{Plain, Waiting, test_that};
use crate::world::{World, head};

/// Every tree that `git log` of the target shows.
fn trees(world: &World, part: &str) -> BTreeSet<String> {
    world.git(part, &["log", "--format=%T", "main"]).lines().map(str::to_owned).collect()
}

// C30, C34: each method on a bare target: the log shows the base's trees and the tested one, nothing else.
#[tokio::test]
async fn c30_each_method_lands_only_tested_trees() {
    for (method, commits) in [(Method::Squash, 2), (Method::FastForward, 2)] {
        for base_moves in [false, true] {
            let world = World::with_bare();
            let mut waiting = Waiting::new(&world, "repos/app.git", |attempt| {
                attempt.write("README.md", "broken on the way\n");
                attempt.git(&["commit", "-qam", "work in progress"]);
                attempt.write("README.md", "hello\nbetter\n");
            })
            .await;
            waiting.job.method = method;
            if base_moves {
                world.commit("outside/desk", "meanwhile.txt", "x\n", "the base moves on");
                world.push();
            }
            let before = trees(&world, "repos/app.git");
            let base = head(&world, "repos/app.git");
            let merged = waiting.merged().await;
            assert_eq!(merged.how, How::Moved);
            assert_eq!(head(&world, "repos/app.git"), merged.commit.as_str());
            assert_eq!(world.git("repos/app.git", &["rev-parse", "main^{tree}"]), merged.tree.as_str());
            assert_eq!(merged.base_before.unwrap().as_str(), base);
            assert_eq!(merged.checks[0].status, CheckStatus::Passed);
            let new: BTreeSet<String> = trees(&world, "repos/app.git").difference(&before).cloned().collect();
            assert_eq!(
                new,
                BTreeSet::from([merged.tree.as_str().to_owned()]),
                "{method:?}: an untested tree in the log"
            );
            let count =
                world.git("repos/app.git", &["rev-list", "--count", "main"]).parse::<usize>().unwrap();
            assert_eq!(count, commits + usize::from(base_moves));
            let message = world.git("repos/app.git", &["log", "-1", "--format=%B", "main"]);
            assert!(
                message.contains("Fix the README") && message.contains("Tiltyard-Change: chg_1"),
                "{message}"
            );
        }
    }
}

// C30: a change of one commit that stands on the base lands as itself.
#[tokio::test]
async fn c30_a_fast_forward_lands_the_very_commit() {
    let world = World::with_bare();
    let mut waiting = Waiting::readme(&world, "repos/app.git").await;
    waiting.job.method = Method::FastForward;
    let merged = waiting.merged().await;
    assert_eq!(merged.commit, waiting.proposal.head);
}

// C30: a dirty non-bare target is refused, never overwritten; clean again, it merges.
#[tokio::test]
async fn c30_a_dirty_target_is_refused_and_never_overwritten() {
    let world = World::with_app();
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write("README.md", "hello\nbetter\n");
        attempt.write("new.txt", "theirs\n");
    });
    let waiting = waiting.await;
    let before = head(&world, "repos/app");
    let dirty = async |what: &str| {
        let runner = Plain::new();
        match waiting.merge_with(&runner).await.unwrap() {
            MergeOutcome::DirtyTarget { files } => (files, runner.runs.load(Ordering::SeqCst)),
            other => panic!("{what}: {other:?}"),
        }
    };
    world.write("repos/app/README.md", "my work\n");
    assert_eq!(dirty("edited").await, (vec!["README.md".to_owned()], 0), "told before the checks run");
    assert_eq!(world.read("repos/app/README.md"), "my work\n");
    world.git("repos/app", &["add", "README.md"]);
    assert_eq!(dirty("staged").await.0, ["README.md"]);
    world.git("repos/app", &["reset", "-q", "--hard"]);
    world.write("repos/app/new.txt", "mine\n");
    let (files, _) = dirty("untracked in the way").await;
    assert!(files[0].contains("new.txt"), "{files:?}");
    assert_eq!(world.read("repos/app/new.txt"), "mine\n");
    assert_eq!(world.read("repos/app/README.md"), "hello\n");
    std::fs::remove_file(world.path("repos/app/new.txt")).unwrap();
    world.write("repos/app/.git/MERGE_HEAD", format!("{before}\n"));
    assert_eq!(dirty("in a merge").await.0, [".git/MERGE_HEAD"]);
    std::fs::remove_file(world.path("repos/app/.git/MERGE_HEAD")).unwrap();
    assert_eq!(head(&world, "repos/app"), before);
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");

    // Touched, but the same: not dirty.
    world.write("repos/app/README.md", "hello\n");
    waiting.merged().await;
}

// C30: dirt that comes while the checks run is seen too.
#[tokio::test]
async fn c30_work_that_begins_during_the_checks_is_kept() {
    let world = World::with_app();
    let waiting = Waiting::readme(&world, "repos/app").await;
    let file = world.path("repos/app/README.md");
    let runner = Plain::with(move || std::fs::write(&file, "just begun\n").unwrap());
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(
        matches!(&outcome, MergeOutcome::DirtyTarget { files } if files == &["README.md"]),
        "{outcome:?}"
    );
    assert_eq!(world.read("repos/app/README.md"), "just begun\n");
}

// C30: a push between our fetch and our move: compare-and-swap keeps the other's work, on every kind of target.
#[tokio::test]
async fn c30_a_base_that_moves_during_the_checks_is_not_lost() {
    let world = Arc::new(World::with_bare());
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let other = world.clone();
    let runner = Plain::with(move || {
        other.commit("outside/desk", "rival.txt", "x\n", "a rival");
        other.push();
    });
    let was = head(&world, "repos/app.git");
    let outcome = waiting.merge_with(&runner).await.unwrap();
    let now = head(&world, "repos/app.git");
    assert!(
        matches!(&outcome, MergeOutcome::BaseMoved { was: a, now: b } if a.as_str() == was && b.as_str() == now),
        "{outcome:?}"
    );
    assert_eq!(world.git("repos/app.git", &["log", "-1", "--format=%s", "main"]), "a rival");
    waiting.merged().await;
    assert_eq!(world.git("repos/app.git", &["log", "--format=%s", "main"]), "Fix the README\na rival\nfirst");

    let world = Arc::new(World::with_app());
    let waiting = Waiting::readme(&world, "repos/app").await;
    let other = world.clone();
    let runner = Plain::with(move || drop(other.commit("repos/app", "rival.txt", "x\n", "a rival")));
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::BaseMoved { .. }), "{outcome:?}");
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
    waiting.merged().await;
    assert_eq!(world.git("repos/app", &["log", "--format=%s", "main"]), "Fix the README\na rival\nfirst");
}

// C30, C32: what does not go leaves the target as it was.
#[tokio::test]
async fn c30_conflicts_and_failing_checks_leave_the_target_as_it_was() {
    let world = World::with_bare();
    let mut waiting = Waiting::readme(&world, "repos/app.git").await;
    let before = head(&world, "repos/app.git");
    waiting.job.checks.push(test_that("echo no, thanks; exit 1"));
    let MergeOutcome::ChecksFailed { checks, tree, .. } = waiting.merge().await else { panic!("merged") };
    assert_eq!(checks.len(), 2);
    assert_eq!((checks[1].status, checks[1].log_tail.as_str()), (CheckStatus::Failed, "no, thanks\n"));
    assert_eq!(head(&world, "repos/app.git"), before);
    assert!(!trees(&world, "repos/app.git").contains(tree.as_str()));

    waiting.job.checks.pop();
    world.commit("outside/desk", "README.md", "theirs\n", "a rival");
    world.push();
    let outcome = waiting.merge().await;
    assert!(
        matches!(&outcome, MergeOutcome::Conflict { files, .. } if files == &["README.md"]),
        "{outcome:?}"
    );
}

// D26, C20: what was agreed is what lands, or nothing does.
#[tokio::test]
async fn c30_another_subject_or_other_rules_do_not_land() {
    let world = World::with_bare();
    let mut waiting = Waiting::readme(&world, "repos/app.git").await;
    let agreed = waiting.job.subject_sha256.replace("0".repeat(64)).unwrap();
    let outcome = waiting.merge().await;
    assert!(
        matches!(&outcome, MergeOutcome::SubjectChanged { diff_sha256 } if *diff_sha256 == agreed),
        "{outcome:?}"
    );
    waiting.job.subject_sha256 = Some(agreed);
    waiting.job.rules = RulesPin::File { sha256: Some("0".repeat(64)) };
    let outcome = waiting.merge().await;
    assert!(matches!(outcome, MergeOutcome::RulesChanged { rules: None, .. }), "{outcome:?}");
    assert_eq!(world.git("repos/app.git", &["rev-list", "--count", "main"]), "1");
}

// C30: checks are not run again only on the very same tree with the very same checks.
#[tokio::test]
async fn c30_green_covers_the_same_tree_and_the_same_checks_only() {
    let world = World::with_bare();
    let mut waiting = Waiting::readme(&world, "repos/app.git").await;
    let green = waiting.checked().await.green.unwrap();
    waiting.job.green = Some(green.clone());
    let runner = Plain::new();
    let mut other = waiting.job.checks.clone();
    other.push(test_that("true"));
    assert!(green.covers(&green.tree, &waiting.job.checks));
    assert!(!green.covers(&green.tree, &other));
    world.commit("outside/desk", "meanwhile.txt", "x\n", "another tree");
    world.push();
    waiting.job.checks = vec![test_that("test ! -f meanwhile.txt")];
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::ChecksFailed { .. }), "an old green was believed: {outcome:?}");
    waiting.job.checks = vec![test_that("test -f meanwhile.txt")];
    waiting.job.green = waiting.checked().await.green;
    let runner = Plain::new();
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::Merged(_)), "{outcome:?}");
    assert_eq!(runner.runs.load(Ordering::SeqCst), 0);
}

// C30: killed between the files and the branch: the next try finishes what it began.
#[tokio::test]
async fn c30_a_move_that_was_killed_half_way_is_finished() {
    let world = World::with_app();
    let waiting = Waiting::readme(&world, "repos/app").await;
    let before = head(&world, "repos/app");
    let first = waiting.merged().await;
    world.git("repos/app", &["update-ref", "refs/heads/main", &before]);
    assert_ne!(world.git("repos/app", &["status", "--porcelain"]), "");
    let second = waiting.merged().await;
    assert_eq!((second.how, &second.commit), (How::Moved, &first.commit));
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
}

// C30: one merge at a time, each on the newest base: both land, in one line.
#[tokio::test]
async fn c30_merges_of_one_target_go_one_after_the_other() {
    let world = World::with_bare();
    let one = Waiting::new(&world, "repos/app.git", |attempt| attempt.write("one.txt", "1\n")).await;
    let two =
        Waiting::in_mirror(&world, &one.mirror, "chg_2", |attempt| attempt.write("two.txt", "2\n")).await;
    let (first, second) = tokio::join!(one.merged(), two.merged());
    assert_eq!((first.how, second.how), (How::Moved, How::Moved));
    assert_eq!(second.base_before.unwrap(), first.commit);
    assert_eq!(world.git("repos/app.git", &["rev-list", "--count", "--min-parents=2", "main"]), "0");
}
