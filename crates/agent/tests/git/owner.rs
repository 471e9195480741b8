//! C30: the files of a checked-out target are their owner's, whatever happens while a change is on its way.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tiltyard_agent::git::{GitSettings, How, MergeOutcome};

use crate::bench::{Plain, Waiting};
use crate::world::{World, head};

async fn dirty(waiting: &Waiting) -> Vec<String> {
    match waiting.merge().await {
        MergeOutcome::DirtyTarget { files } => files,
        other => panic!("{other:?}"),
    }
}

// C30: git thinks little of ignored files; their owner does not.
#[tokio::test]
async fn c30_ignored_files_of_the_owner_are_never_overwritten() {
    let world = World::with_app();
    world.write("repos/app/folder/tracked", "x\n");
    world.commit("repos/app", ".gitignore", ".env\nbuild\ncache\nnotes\n", "what is ignored");
    let waiting = Waiting::new(&world, "repos/app", |attempt| {
        attempt.write(".env", "theirs\n");
        attempt.write("build", "a file, where the owner has a folder\n");
        attempt.write("cache/x", "a folder, where the owner has a file\n");
        std::fs::remove_dir_all(attempt.file("folder")).unwrap();
        attempt.write("folder", "a file, where a tracked folder is\n");
        attempt.git(&["add", "-A", "-f"]);
        attempt.git(&["commit", "-q", "-m", "all of it"]);
    });
    let waiting = waiting.await;
    let owned =
        [(".env", ".env"), ("build/out", "build/out"), ("cache", "cache"), ("folder/notes", "folder/notes")];
    for (file, told) in owned {
        world.write(&format!("repos/app/{file}"), "mine\n");
        assert_eq!(dirty(&waiting).await, [told], "{file}");
        assert_eq!(world.read(&format!("repos/app/{file}")), "mine\n");
        assert_eq!(world.read("repos/app/folder/tracked"), "x\n");
        std::fs::remove_file(world.path(&format!("repos/app/{file}"))).unwrap();
    }
    waiting.merged().await;
    assert_eq!(world.read("repos/app/.env"), "theirs\n");
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
}

// C30, C31: the target is looked at when it is moved, not as it was before the checks.
#[tokio::test]
async fn c30_an_owner_who_leaves_the_branch_during_the_checks_keeps_files_and_index() {
    let world = Arc::new(World::with_app());
    let waiting = Waiting::readme(&world, "repos/app").await;
    let other = world.clone();
    let runner = Plain::with(move || drop(other.git("repos/app", &["checkout", "-q", "-b", "feature"])));
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(&outcome, MergeOutcome::Merged(merged) if merged.how == How::Moved), "{outcome:?}");
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
    assert_eq!(world.read("repos/app/README.md"), "hello\n");
    assert_eq!(world.git("repos/app", &["log", "-1", "--format=%s", "main"]), "Fix the README");
}

#[tokio::test]
async fn c30_an_owner_who_comes_to_the_branch_during_the_checks_has_its_files() {
    let world = Arc::new(World::with_app());
    world.git("repos/app", &["checkout", "-q", "-b", "desk"]);
    let waiting = Waiting::readme(&world, "repos/app").await;
    let other = world.clone();
    let runner = Plain::with(move || drop(other.git("repos/app", &["checkout", "-q", "main"])));
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(matches!(&outcome, MergeOutcome::Merged(merged) if merged.how == How::Moved), "{outcome:?}");
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
    assert_eq!(world.read("repos/app/README.md"), "hello\nbetter\n");
}

// C30: a rebase that begins during the checks has the branch, though it looks free.
#[tokio::test]
async fn c30_a_rebase_that_begins_during_the_checks_is_not_disturbed() {
    let world = Arc::new(World::with_app());
    let waiting = Waiting::readme(&world, "repos/app").await;
    let (other, before) = (world.clone(), head(&world, "repos/app"));
    let runner = Plain::with(move || {
        other.git("repos/app", &["checkout", "-q", "--detach"]);
        other.write("repos/app/.git/rebase-merge/head-name", "refs/heads/main\n");
    });
    let outcome = waiting.merge_with(&runner).await.unwrap();
    assert!(
        matches!(&outcome, MergeOutcome::Refused(refused) if refused.reason.contains("rebased")),
        "{outcome:?}"
    );
    assert_eq!(head(&world, "repos/app"), before);
}

// C30: a move that fails half-way (a full disk) is ours to take back, and not dirt of the owner's.
#[tokio::test]
async fn c30_a_move_that_fails_half_way_is_taken_back() {
    let world = World::with_app();
    world.commit("repos/app", "gone.txt", "old\n", "to be removed");
    let full = "case \"$*\" in *'read-tree -m -u'*) trap '' XFSZ; ulimit -f 64;; esac; exec git \"$@\"";
    let settings = |world: &World| GitSettings {
        program: Some(world.script("full-disk/git", full)),
        ..GitSettings::default()
    };
    let mirror = world.mirrors_with(settings(&world)).mirror(&world.source("repos/app")).await.unwrap();
    let mut waiting = Waiting::in_mirror(&world, &mirror, "chg_1", |attempt| {
        attempt.write("README.md", "hello\nbetter\n");
        attempt.write("deep/new.txt", "new\n");
        std::fs::remove_file(attempt.file("gone.txt")).unwrap();
        attempt.write("z-large", "0123456789".repeat(100_000));
    })
    .await;
    let before = head(&world, "repos/app");
    let error = waiting.merge_with(&Plain::new()).await.unwrap_err();
    assert!(error.refused().is_none() && error.to_string().contains("z-large"), "{error}");
    assert_eq!(head(&world, "repos/app"), before);
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
    assert_eq!(
        (world.read("repos/app/README.md"), world.read("repos/app/gone.txt")),
        ("hello\n".into(), "old\n".into())
    );
    assert!(!world.path("repos/app/deep").exists() && !world.path("repos/app/z-large").exists());

    drop(mirror);
    waiting.mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    waiting.merged().await;
    assert_eq!(world.git("repos/app", &["status", "--porcelain"]), "");
}

// C30: an edit of the same size in the very second in which the index was written.
#[tokio::test]
async fn c30_an_edit_in_the_same_second_as_the_index_is_seen() {
    let world = World::with_app();
    let file = world.path("repos/app/README.md");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let at = |text: &str| {
        std::fs::write(&file, text).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        std::fs::metadata(&file).unwrap().ctime()
    };
    // The kernel's own time stamp must be the same too, so both writes have to fall into one second.
    let mut number = 0;
    loop {
        let first = at(&format!("first {number:04}\n"));
        world.git("repos/app", &["commit", "-qam", "first"]);
        if at(&format!("other {number:04}\n")) == first {
            break;
        }
        number += 1;
        assert!(number < 100, "two writes never fell into one second");
    }
    let index = world.path("repos/app/.git/index");
    File::options().write(true).open(index).unwrap().set_modified(long_ago).unwrap();
    let seen = world.try_git("repos/app", &["--no-optional-locks", "status", "--porcelain"]).stdout;
    assert_eq!(String::from_utf8_lossy(&seen), " M README.md\n", "the trap is not set");
    let probe = world.mirrors().probe(&world.source("repos/app")).await.unwrap();
    assert_eq!(probe.dirty, ["README.md"]);
}
