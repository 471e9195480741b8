//! SEC16: the work folder: private, one agent's, and nothing in it leads out of it.

use crate::rig::{self, Lifeline, agent};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::workspace::{Workspace, WorkspaceError};

fn key(task: &str) -> AttemptKey {
    AttemptKey::new(task, 1).expect("is a key")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[test]
fn sec16_folders_are_private_from_the_first_moment_and_made_so_when_they_are_not() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("agent/work");
    std::fs::create_dir_all(&root).expect("makes folders");
    std::fs::set_permissions(&root, Permissions::from_mode(0o755)).expect("sets the mode");
    let workspace = Workspace::open(&root).expect("opens");
    let folder = workspace.create(&key("task_a")).expect("makes");
    for path in [workspace.root(), folder.path(), &folder.work()] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
}

#[test]
fn sec16_a_folder_has_one_agent() {
    let home = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::open(home.path()).expect("opens");
    assert!(matches!(Workspace::open(home.path()), Err(WorkspaceError::InUse(_))));
    drop(workspace);
    Workspace::open(home.path()).expect("opens again");
}

#[test]
fn sec16_removing_follows_no_link_and_leaves_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let precious = home.path().join("precious");
    std::fs::create_dir(&precious).expect("makes a folder");
    std::fs::write(precious.join("file"), "x").expect("writes");
    let workspace = Workspace::open(&home.path().join("work")).expect("opens");
    let folder = workspace.create(&key("task_a")).expect("makes");
    symlink(&precious, folder.work().join("link")).expect("links");
    symlink("/", folder.work().join("root")).expect("links");
    let closed = folder.work().join("cache");
    std::fs::create_dir(&closed).expect("makes a folder");
    std::fs::write(closed.join("file"), "x").expect("writes");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o500)).expect("sets the mode");
    folder.remove().expect("removes");
    assert!(!folder.path().exists() && precious.join("file").exists());
    folder.remove().expect("twice is no error");
}

#[test]
fn sec16_a_result_that_is_a_link_or_a_pipe_is_not_read() {
    let home = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::open(home.path()).expect("opens");
    let folder = workspace.create(&key("task_a")).expect("makes");
    assert_eq!(folder.output(10).expect("looks"), None);
    std::fs::write(folder.output_file(), "0123456789abcdef").expect("writes");
    assert_eq!(folder.output(10).expect("looks").as_deref(), Some(&b"0123456789a"[..]));
    std::fs::remove_file(folder.output_file()).expect("removes");
    symlink("/etc/passwd", folder.output_file()).expect("links");
    assert!(folder.output(10).is_err());
    std::fs::remove_file(folder.output_file()).expect("removes");
    let made = std::process::Command::new("mkfifo").arg(folder.output_file()).status().expect("mkfifo runs");
    assert!(made.success() && folder.output(10).is_err());
    let out = folder.output_file().parent().expect("has one").to_owned();
    std::fs::remove_dir_all(&out).expect("removes");
    symlink("/etc", &out).expect("links");
    assert!(folder.output(10).is_err());
}

#[tokio::test]
async fn sec16_leftovers_are_known_by_name_and_strangers_are_left_alone() {
    let home = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::open(home.path()).expect("opens");
    for task in ["task_b", "task_a"] {
        workspace.create(&key(task)).expect("makes");
    }
    std::fs::create_dir(home.path().join("somebody's")).expect("makes a folder");
    let leftovers = workspace.leftovers().expect("lists");
    let keys: Vec<&AttemptKey> = leftovers.iter().map(|leftover| leftover.folder().key()).collect();
    assert_eq!(keys, [&key("task_a"), &key("task_b")]);
    assert!(leftovers[0].ended(Duration::ZERO).await.expect("tries the lock"), "nothing ever ran there");
}

#[test]
fn c3_a_new_agent_knows_when_the_programs_of_the_old_one_have_ended() {
    let home = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::open(home.path()).expect("opens");
    let folder = workspace.create(&key("task_a")).expect("makes");
    let lifeline = Lifeline::new();
    let script =
        format!("trap '' TERM; exec 3>{}; echo ready >&3; sleep 1000; sleep 1000", lifeline.path.display());
    let mut old = agent(&folder.held_file(), &home.path().join("hidden"), &script, &[]);
    assert_eq!(lifeline.line(), "ready");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = |limit| {
        let leftovers = workspace.leftovers().expect("lists");
        runtime.block_on(leftovers[0].ended(limit)).expect("tries the lock")
    };
    assert!(!ended(Duration::ZERO), "the old agent lives, and so does its program");
    let busy = workspace.create(&key("task_a")).expect_err("the folder is in use");
    assert!(busy.to_string().contains("is still held"), "{busy}");
    old.kill().expect("KILL is sent");
    old.wait().expect("is dead");
    assert!(ended(rig::PATIENCE));
    lifeline.all_gone();
}
