//! C31: targets of every kind, their owners' hooks and configurations.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use tiltyard_agent::git::{GitError, GitSettings, How, MergeOutcome, RefusedCode};

use crate::bench::{Plain, Waiting};
use crate::repository::make_hostile;
use crate::world::{World, head};

// C31: a checked-out target is moved with its files; one that is not checked out is left alone.
#[tokio::test]
async fn c31_a_work_tree_is_updated_only_where_the_branch_is_checked_out() {
    let world = World::with_app();
    world.commit("repos/app", "old.txt", "old\n", "to be removed");
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write("README.md", "hello\nbetter\n");
        attempt.write("deep/new.txt", "new\n");
        std::fs::remove_file(attempt.file("old.txt")).unwrap();
    });
    let waiting = waiting.await;
    world.write("repos/app/untracked.txt", "mine\n");
    let merged = waiting.merged().await;
    assert_eq!(head(&world, "repos/app"), merged.commit.as_str());
    assert_eq!(world.read("repos/app/README.md"), "hello\nbetter\n");
    assert_eq!(world.read("repos/app/deep/new.txt"), "new\n");
    assert!(!world.path("repos/app/old.txt").exists());
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "?? untracked.txt");
    assert_eq!(world.git("repos/app", &["reflog", "-1", "--format=%gs"]), "tiltyard: merge");
    world.git("repos/app", &["fsck", "--strict"]);

    world.git("repos/app", &["checkout", "-q", "-b", "desk"]);
    world.write("repos/app/README.md", "in the middle of something\n");
    let second =
        Waiting::in_mirror(&world, &waiting.mirror, "chg_2", |attempt| attempt.write("second.txt", "2\n"))
            .await;
    let merged = second.merged().await;
    assert_eq!(head(&world, "repos/app"), merged.commit.as_str());
    assert_eq!(world.read("repos/app/README.md"), "in the middle of something\n");
    assert!(!world.path("repos/app/second.txt").exists());
}

// C31: a linked work tree is where the branch is checked out.
#[tokio::test]
async fn c31_a_linked_work_tree_is_moved_too() {
    let world = World::with_app();
    world.git("repos/app", &["checkout", "-q", "-b", "desk"]);
    world.git("repos/app", &["worktree", "add", "-q", "../linked", "main"]);
    let waiting = Waiting::readme(&world, "repos/app").await;
    waiting.merged().await;
    assert_eq!(world.read("repos/linked/README.md"), "hello\nbetter\n");
    assert_eq!(world.read("repos/app/README.md"), "hello\n");
    assert_eq!(world.git("repos/linked", &["status", "--porcelain"]), "");

    // Registered by the linked work tree's own path, it is the same repository.
    let waiting = Waiting::new(&world, "repos/linked", |attempt| attempt.write("b", "b")).await;
    waiting.merged().await;
    assert!(world.path("repos/linked/b").exists());

    // Out of the roots it is not touched.
    world.git("repos/app", &["worktree", "remove", "../linked"]);
    world.git("repos/app", &["worktree", "add", "-q", "../../outside/linked", "main"]);
    let waiting = Waiting::new(&world, "repos/app", |attempt| attempt.write("c", "c")).await;
    assert_eq!(waiting.refused().await.0, RefusedCode::OutsideRoots);
}

// SEC16: an untracked link in the target does not lead our files out of it.
#[tokio::test]
async fn sec16_a_link_in_the_target_is_not_followed_out() {
    let world = World::with_app();
    let waiting = Waiting::new(&world, "repos/app", |attempt| attempt.write("assets/file.txt", "x\n")).await;
    symlink(world.path("outside"), world.path("repos/app/assets")).unwrap();
    let outcome = waiting.merge().await;
    assert!(matches!(outcome, MergeOutcome::DirtyTarget { .. }), "{outcome:?}");
    assert!(!world.path("outside/file.txt").exists());
    assert!(world.path("repos/app/assets").is_symlink());
}

// C30: somebody rebases the branch: it looks free, and is not.
#[tokio::test]
async fn c30_a_branch_that_is_being_rebased_is_refused() {
    let world = World::with_app();
    let waiting = Waiting::readme(&world, "repos/app").await;
    world.git("repos/app", &["checkout", "-q", "--detach"]);
    world.write("repos/app/.git/rebase-merge/head-name", "refs/heads/main\n");
    let (code, reason) = waiting.refused().await;
    assert_eq!(code, RefusedCode::Unfinished);
    assert!(reason.contains("rebased"), "{reason}");
}

// Issue 2: hooks of the target are its owner's: they say no in their own words, or hang and are ended.
#[tokio::test]
async fn c30_a_hook_of_the_target_that_says_no_is_told_in_its_words() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let before = head(&world, "repos/app.git");
    world.script("repos/app.git/hooks/pre-receive", "echo 'policy: no merges on Fridays' >&2; exit 1");
    let (code, reason) = waiting.refused().await;
    assert_eq!(code, RefusedCode::TargetRefused);
    assert!(reason.contains("no merges on Fridays") && reason.contains("hook declined"), "{reason}");
    assert_eq!(head(&world, "repos/app.git"), before);
    world.script("repos/app.git/hooks/pre-receive", "exit 0");
    waiting.merged().await;
}

#[tokio::test]
async fn c30_a_hook_of_the_target_that_hangs_is_ended_and_leaves_no_lock() {
    let world = World::with_bare();
    let settings = GitSettings { timeout: Some(Duration::from_secs(4)), ..GitSettings::default() };
    let mirror = world.mirrors_with(settings).mirror(&world.source("repos/app.git")).await.unwrap();
    let waiting =
        Waiting::in_mirror(&world, &mirror, "chg_1", |attempt| attempt.write("README.md", "hello\nbetter\n"))
            .await;
    world.script("repos/app.git/hooks/pre-receive", "exec sleep 600");
    let error = waiting.merge_with(&Plain::new()).await.unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    assert_eq!(world.git("repos/app.git", &["rev-list", "--count", "main"]), "1");
    std::fs::remove_file(world.path("repos/app.git/hooks/pre-receive")).unwrap();
    waiting.merged().await;
}

// Issue 2: a hostile configuration and hostile hooks in a target with a work tree run nothing of ours.
#[tokio::test]
async fn c30_a_hostile_target_runs_nothing() {
    for checked_out in [true, false] {
        let world = World::with_app();
        world.commit("repos/app", ".gitattributes", "* filter=evil diff=evil merge=evil\n", "attributes");
        if !checked_out {
            world.git("repos/app", &["checkout", "-q", "-b", "desk"]);
        }
        make_hostile(&world, "repos/app");
        for name in
            ["pre-receive", "update", "post-receive", "post-update", "push-to-checkout", "proc-receive"]
        {
            world.script(&format!("repos/app/.git/hooks/{name}"), &world.chirp());
            world.script(&format!("evil/hooks/{name}"), &world.chirp());
        }
        let waiting = Waiting::readme(&world, "repos/app").await;
        let merged = waiting.merged().await;
        assert!(
            !world.canary().exists(),
            "something of the target was executed (checked out: {checked_out})"
        );
        let head = std::fs::read_to_string(world.path("repos/app/.git/refs/heads/main")).unwrap();
        assert_eq!(head.trim(), merged.commit.as_str());
        let text = if checked_out { "hello\nbetter\n" } else { "hello\n" };
        assert_eq!(world.read("repos/app/README.md"), text);
    }
}

// Issue 2: in a bare target the hooks run, being its owner's policy; its configuration still runs nothing of ours.
#[tokio::test]
async fn c30_of_a_bare_target_only_the_hooks_run() {
    let world = World::with_bare();
    let evil = world.script("evil/hook", &world.chirp());
    let evil = evil.to_str().unwrap();
    let names = [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.askPass",
        "filter.evil.clean",
        "credential.helper",
    ];
    for name in names.iter().chain(&["uploadpack.packObjectsHook", "diff.external", "merge.evil.driver"]) {
        world.git("repos/app.git", &["config", name, evil]);
    }
    let seen = world.path("seen");
    world.script("repos/app.git/hooks/post-receive", &format!("env > {}", seen.display()));
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    waiting.merged().await;
    assert!(!world.canary().exists());
    let environment = world.read("seen");
    assert!(
        !environment.contains("TILTYARD") && !environment.contains("GIT_ALLOW_PROTOCOL"),
        "{environment}"
    );
}

// C30: a lock that somebody holds is not a refusal: it may be free the next moment.
#[tokio::test]
async fn c30_a_locked_branch_is_tried_again_later() {
    for part in ["repos/app", "repos/app.git"] {
        let world = if part.ends_with(".git") { World::with_bare() } else { World::with_app() };
        let waiting = Waiting::readme(&world, part).await;
        let inner = if part.ends_with(".git") { part.to_owned() } else { format!("{part}/.git") };
        world.write(&format!("{inner}/refs/heads/main.lock"), "");
        let error = waiting.merge_with(&Plain::new()).await.unwrap_err();
        assert!(error.refused().is_none() && error.to_string().contains("lock"), "{error}");
        std::fs::remove_file(world.path(&format!("{inner}/refs/heads/main.lock"))).unwrap();
        assert_eq!(world.git(part, &["rev-list", "--count", "main"]), "1");
        waiting.merged().await;
    }
}

// C31: a remote by push; out of reach it is an error that may pass, and nothing is decided.
#[tokio::test]
async fn c31_a_remote_is_moved_by_push_with_a_lease() {
    let world = Arc::new(World::with_bare());
    let ssh = world.script("bin/ssh", "test ! -e \"$(dirname \"$0\")/down\" || { echo 'host is down' >&2; exit 255; }\nfor last; do :; done\nexec sh -c \"$last\"");
    let settings = GitSettings { ssh_command: Some(ssh.into_os_string()), ..GitSettings::default() };
    let address = format!("ssh://forge.example{}", world.path("repos/app.git").display());
    let mirrors = world.mirrors_with(settings);
    let mirror = mirrors.mirror(&world.source_at(&address)).await.unwrap();
    let waiting =
        Waiting::in_mirror(&world, &mirror, "chg_1", |attempt| attempt.write("README.md", "hello\nbetter\n"))
            .await;
    world.write("bin/down", "");
    let error = waiting.merge_with(&Plain::new()).await.unwrap_err();
    assert!(error.refused().is_none() && error.to_string().contains("host is down"), "{error}");
    std::fs::remove_file(world.path("bin/down")).unwrap();

    let other = world.clone();
    let runner = Plain::with(move || {
        other.commit("outside/desk", "rival.txt", "x\n", "a rival");
        other.push();
    });
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::BaseMoved { .. }), "{outcome:?}");
    let merged = waiting.merged().await;
    assert_eq!(head(&world, "repos/app.git"), merged.commit.as_str());
}

// C30: the server is cut off in the middle of a push: nothing is decided until the target was read back.
#[tokio::test]
async fn c31_a_cut_connection_after_the_push_is_found_out_later() {
    let world = World::with_bare();
    let script =
        "test ! -e \"$(dirname \"$0\")/down\" || exit 255\nfor last; do :; done\nexec sh -c \"$last\"";
    let down = world.path("bin/down");
    world.script("repos/app.git/hooks/post-receive", &format!("touch {}; kill -9 $PPID", down.display()));
    let ssh = world.script("bin/ssh", script);
    let settings = GitSettings { ssh_command: Some(ssh.into_os_string()), ..GitSettings::default() };
    let address = format!("ssh://forge.example{}", world.path("repos/app.git").display());
    let mirror = world.mirrors_with(settings).mirror(&world.source_at(&address)).await.unwrap();
    let waiting =
        Waiting::in_mirror(&world, &mirror, "chg_1", |attempt| attempt.write("README.md", "hello\nbetter\n"))
            .await;
    let error = waiting.merge_with(&Plain::new()).await.unwrap_err();
    assert!(error.refused().is_none(), "{error}");
    std::fs::remove_file(down).unwrap();
    let merged = waiting.merged().await;
    assert_eq!(merged.how, How::Found);
    assert_eq!(world.git("repos/app.git", &["rev-list", "--count", "main"]), "2");
    assert_eq!(head(&world, "repos/app.git"), merged.commit.as_str());
}

// C31: files of every kind land as they are.
#[tokio::test]
async fn c31_odd_files_land_as_they_are() {
    let world = World::with_app();
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write("new\nline", "x\n");
        attempt.write("-rf", "x\n");
        attempt.write("quo\"te", "x\n");
        attempt.write("binary.dat", [0_u8, 1, 2, 255].repeat(100_000));
        symlink("/etc/passwd", attempt.file("link")).unwrap();
        std::fs::rename(attempt.file("README.md"), attempt.file("READ ME.md")).unwrap();
        attempt.write("README.md", "hello\nagain\n");
    });
    waiting.await.merged().await;
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
    assert!(world.path("repos/app/link").is_symlink());
    assert_eq!(world.read("repos/app/new\nline"), "x\n");
    assert_eq!(std::fs::metadata(world.path("repos/app/binary.dat")).unwrap().len(), 400_000);
}

// C31: Git LFS needs a filter, and none is ever run: where files are moved too, that is refused with a sentence.
#[tokio::test]
async fn c31_a_checkout_with_git_lfs_is_refused() {
    const LFS: &str = "*.bin filter=lfs diff=lfs merge=lfs -text\n";
    let world = World::with_app();
    let waiting = Waiting::new(&world, "repos/app", |attempt| attempt.write(".gitattributes", LFS)).await;
    let (code, reason) = waiting.refused().await;
    assert!(code == RefusedCode::UnsupportedCheckout && reason.contains("Git LFS"), "{reason}");
    world.commit("repos/app", ".gitattributes", LFS, "large files elsewhere");
    let error = world.mirrors().probe(&world.source("repos/app")).await.unwrap_err();
    assert_eq!(error.refused().expect("is refused").code, RefusedCode::UnsupportedCheckout);
    world.git("repos/app", &["checkout", "-q", "-b", "desk"]);
    world.mirrors().probe(&world.source("repos/app")).await.expect("no files are moved there");
}

// C31: sha256 all the way.
#[tokio::test]
async fn c31_a_sha256_repository_is_merged_into() {
    let world = World::new();
    world.init("repos/app", &["--object-format=sha256"]);
    world.commit("repos/app", "README.md", "hello\n", "first");
    let waiting = Waiting::readme(&world, "repos/app").await;
    assert_eq!(waiting.merged().await.commit.as_str().len(), 64);
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
}
