//! C31, bad luck: what passes is told as passing, what was left behind goes, and nobody waits for nothing.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tiltyard_agent::git::{GitSettings, How, RefusedCode};

use crate::bench::{Plain, Waiting};
use crate::world::{World, head};

fn with_git(world: &World, script: &str) -> GitSettings {
    GitSettings { program: Some(world.script("odd-git/git", script)), ..GitSettings::default() }
}

fn mirror_of(world: &World) -> std::path::PathBuf {
    let mirrors = std::fs::read_dir(world.path("agent/mirrors")).unwrap().flatten();
    mirrors.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap()
}

// A lock, a full disk, a killed git: none of them means that there is no repository.
#[tokio::test]
async fn c31_trouble_that_may_pass_is_no_refusal() {
    let world = World::with_app();
    let source = world.source("repos/app");
    let mirror = world.mirrors().mirror(&source).await.unwrap();
    mirror.fetch().await.unwrap();
    world.commit("repos/app", "b", "b", "second");
    let lock = mirror_of(&world).join("refs/upstream/main.lock");
    std::fs::write(&lock, "").unwrap();
    let error = mirror.fetch().await.unwrap_err();
    assert!(error.refused().is_none() && error.to_string().contains("main.lock"), "{error}");
    std::fs::remove_file(&lock).unwrap();
    drop(mirror);

    for trouble in ["kill -9 $$", "echo 'fatal: write error: No space left on device' >&2; exit 128"] {
        let script = format!("case \"$*\" in *' fetch '*) {trouble};; esac; exec git \"$@\"");
        let mirror = world.mirrors_with(with_git(&world, &script)).mirror(&source).await.unwrap();
        let error = mirror.fetch().await.unwrap_err();
        assert!(error.refused().is_none(), "{trouble}: {error}");
    }
    std::fs::remove_dir_all(world.path("repos/app/.git")).unwrap();
    let error = world.mirrors().mirror(&source).await.unwrap().fetch().await.unwrap_err();
    assert_eq!(error.refused().expect("there is no repository").code, RefusedCode::Unreadable);
}

// One power cut must not brick a mirror: git never removes the locks of a git that was killed.
#[tokio::test]
async fn c31_locks_that_a_killed_agent_left_in_its_mirrors_go_at_the_start() {
    let world = World::with_app();
    let source = world.source("repos/app");
    world.mirrors().mirror(&source).await.unwrap().fetch().await.unwrap();
    let newest = world.commit("repos/app", "b", "b", "second");
    let mirror = mirror_of(&world);
    for lock in
        ["refs/upstream/main.lock", "packed-refs.lock", "shallow.lock", "objects/info/commit-graph.lock"]
    {
        std::fs::create_dir_all(mirror.join(lock).parent().unwrap()).unwrap();
        std::fs::write(mirror.join(lock), "").unwrap();
    }
    // A git of the killed agent that still runs is waited for, and ended when it does not end.
    let orphan = format!("--git-dir={}", mirror.display());
    let mut orphan = Command::new("git")
        .args([&orphan, "cat-file", "--batch"])
        .arg0("git")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has begun when it answers: before that, the kernel does not yet tell its words.
    orphan.stdin.as_mut().unwrap().write_all(b"nothing\n").unwrap();
    let mut answer = String::new();
    BufReader::new(orphan.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(answer, "nothing missing\n");
    let mirrors = world.mirrors();
    assert!(orphan.try_wait().unwrap().is_some(), "it still runs");
    assert_eq!(mirrors.mirror(&source).await.unwrap().fetch().await.unwrap().as_str(), newest);
    assert!(!mirror.join("packed-refs.lock").exists());
}

// C19: a shallow repository is refused with the reason, at once.
#[tokio::test]
async fn c19_a_shallow_repository_is_refused_with_the_reason() {
    let world = World::with_app();
    world.commit("repos/app", "b", "b", "second");
    let from = format!("file://{}", world.path("repos/app").display());
    for (part, options) in
        [("repos/shallow", &["--depth=1"][..]), ("repos/shallow.git", &["--depth=1", "--bare"])]
    {
        let place = world.path(part);
        let args = [&["clone", "-q"], options, &[from.as_str(), place.to_str().unwrap()]].concat();
        world.git(".", &args);
        let error = world.mirrors().probe(&world.source(part)).await.unwrap_err();
        let refused = error.refused().unwrap_or_else(|| panic!("{error}"));
        assert!(
            refused.code == RefusedCode::Unreadable && refused.reason.contains("--unshallow"),
            "{refused}"
        );
    }
}

// C31: what a hook of the target leaves running does not hold the merge.
#[tokio::test]
async fn c31_a_program_that_a_hook_leaves_behind_holds_no_merge() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let pid = world.path("pid");
    world.script(
        "repos/app.git/hooks/post-receive",
        &format!("setsid sh -c 'echo $$ > {}; exec sleep 120' &", pid.display()),
    );
    let began = Instant::now();
    let merged = waiting.merged().await;
    assert_eq!((merged.how, head(&world, "repos/app.git").as_str()), (How::Moved, merged.commit.as_str()));
    assert!(began.elapsed() < Duration::from_secs(60), "it waited for the hook's program");
    assert!(Command::new("kill").arg(world.read("pid").trim()).status().unwrap().success(), "it was ended");
}

// C31: many tasks that begin with one mirror at once do not meet in its files.
#[tokio::test]
async fn c31_tasks_that_begin_at_once_share_one_mirror() {
    let world = World::new();
    world.init("repos/app", &["--object-format=sha256"]);
    world.commit("repos/app", "a", "a", "a");
    let (mirrors, source) = (world.mirrors(), world.source("repos/app"));
    let begin = async || mirrors.mirror(&source).await?.fetch().await;
    for _ in 0..5 {
        let all = tokio::join!(begin(), begin(), begin(), begin(), begin(), begin());
        for answer in [all.0, all.1, all.2, all.3, all.4, all.5] {
            answer.unwrap();
        }
    }
}

// C30: a lock of the owner's is named, with what to do about it.
#[tokio::test]
async fn c30_a_stale_lock_of_the_target_is_named() {
    let world = World::with_app();
    let waiting = Waiting::readme(&world, "repos/app").await;
    world.write("repos/app/.git/index.lock", "");
    let error = waiting.merge_with(&Plain::new()).await.unwrap_err().to_string();
    assert!(error.contains("repos/app/.git/index.lock") && error.contains("remove it"), "{error}");
    std::fs::remove_file(world.path("repos/app/.git/index.lock")).unwrap();
    waiting.merged().await;
}
