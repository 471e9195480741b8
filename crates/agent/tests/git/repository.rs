//! Registering a repository: the probe and the private mirror.

use std::time::Duration;

use tiltyard_agent::git::{Git, GitError, GitSettings, RefusedCode, TargetKind};

use crate::world::{World, branch};

fn code(error: &GitError) -> RefusedCode {
    error.refused().unwrap_or_else(|| panic!("not a refusal: {error}")).code
}

// C19: what is registered is shown as it is: head, rules, kind, dirt.
#[tokio::test]
async fn c19_a_probe_tells_what_a_repository_is() {
    let world = World::with_app();
    world.write("repos/app/.tiltyard.toml", "[[checks]]\nname = \"t\"\n");
    let head = world.commit("repos/app", "x", "x", "rules");
    let mirrors = world.mirrors();
    let probe = mirrors.probe(&world.source("repos/app")).await.unwrap();
    assert_eq!(probe.head.as_str(), head);
    assert_eq!(probe.tree.as_str(), world.git("repos/app", &["rev-parse", "HEAD^{tree}"]));
    assert_eq!(probe.kind, TargetKind::CheckedOut);
    assert_eq!(probe.rules.as_deref(), Some("[[checks]]\nname = \"t\"\n"));
    assert!(probe.dirty.is_empty());

    world.write("repos/app/README.md", "edited\n");
    world.write("repos/app/unknown", "git does not know it, so it is no dirt\n");
    assert_eq!(mirrors.probe(&world.source("repos/app")).await.unwrap().dirty, ["README.md"]);
    world.git("repos/app", &["checkout", "-q", "-f", "-b", "other"]);
    assert_eq!(mirrors.probe(&world.source("repos/app")).await.unwrap().kind, TargetKind::Plain);

    let bare = World::with_bare();
    let probe = bare.mirrors().probe(&bare.source("repos/app.git")).await.unwrap();
    assert_eq!((probe.kind, probe.rules), (TargetKind::Bare, None));
}

// C19: refused with the reason, each by a stable code.
#[tokio::test]
async fn c19_what_cannot_be_registered_is_refused_with_the_reason() {
    let world = World::with_app();
    let mirrors = world.mirrors();
    world.init("outside/secret", &[]);
    world.commit("outside/secret", "a", "a", "a");
    world.init("repos/empty", &[]);
    world.write("repos/folder/file", "no repository");
    let probe = async |part: &str| mirrors.probe(&world.source(part)).await.unwrap_err();

    assert_eq!(code(&probe("outside/secret").await), RefusedCode::OutsideRoots);
    assert_eq!(code(&probe("repos/nothing").await), RefusedCode::Unreadable);
    assert_eq!(code(&probe("repos/folder").await), RefusedCode::Unreadable);
    assert_eq!(code(&probe("repos/empty").await), RefusedCode::NoBranch);
    let mut source = world.source("repos/app");
    source.branch = branch("release");
    let error = mirrors.probe(&source).await.unwrap_err();
    assert_eq!(code(&error), RefusedCode::NoBranch);
    assert!(error.to_string().contains("`release`"), "{error}");

    // A `.git` file, a link, and a work tree of a repository elsewhere do not lead out of the roots.
    let elsewhere = world.path("outside/secret/.git");
    world.write("repos/pointer/.git", format!("gitdir: {}\n", elsewhere.display()));
    assert_eq!(code(&probe("repos/pointer").await), RefusedCode::OutsideRoots);
    std::os::unix::fs::symlink(world.path("outside/secret"), world.path("repos/link")).unwrap();
    assert_eq!(code(&probe("repos/link").await), RefusedCode::OutsideRoots);
    std::fs::create_dir(world.path("repos/half")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, world.path("repos/half/.git")).unwrap();
    assert_eq!(code(&probe("repos/half").await), RefusedCode::OutsideRoots);
}

// C19, C20: the rules are text of the base, never what a link in it points to.
#[tokio::test]
async fn c20_rules_are_read_from_the_commit_and_not_through_a_link() {
    let world = World::with_app();
    world.write("outside/secret", "the password\n");
    std::os::unix::fs::symlink(world.path("outside/secret"), world.path("repos/app/.tiltyard.toml")).unwrap();
    world.commit("repos/app", "x", "x", "a link");
    let mirrors = world.mirrors();
    let error = mirrors.probe(&world.source("repos/app")).await.unwrap_err();
    assert_eq!(code(&error), RefusedCode::RulesUnreadable);

    std::fs::remove_file(world.path("repos/app/.tiltyard.toml")).unwrap();
    world.commit("repos/app", ".tiltyard.toml", &"#".repeat(300_000), "too large");
    assert_eq!(
        code(&mirrors.probe(&world.source("repos/app")).await.unwrap_err()),
        RefusedCode::RulesUnreadable
    );
    std::fs::write(world.path("repos/app/.tiltyard.toml"), [0xff, 0xfe]).unwrap();
    world.commit("repos/app", "x", "y", "no text");
    assert_eq!(
        code(&mirrors.probe(&world.source("repos/app")).await.unwrap_err()),
        RefusedCode::RulesUnreadable
    );
}

// C19, issue 2: a hostile `.git/config` in a registered repository runs nothing of ours.
#[tokio::test]
async fn c19_a_hostile_configuration_is_never_executed_by_a_probe() {
    let world = World::with_app();
    world.write("repos/app/.gitattributes", "* filter=evil diff=evil merge=evil\n");
    world.commit("repos/app", "a.txt", "a\n", "attributes");
    make_hostile(&world, "repos/app");
    world.write("repos/app/README.md", "edited, so that a clean filter would have to run\n");
    let probe = world.mirrors().probe(&world.source("repos/app")).await.unwrap();
    assert_eq!(probe.dirty, ["README.md"]);
    assert!(!world.canary().exists(), "something of the repository's configuration was executed");
    // The trap is a real one: a person's git falls into it.
    world.try_git("repos/app", &["status"]);
    assert!(world.canary().exists(), "the canary cannot sing");
}

/// Everything in a repository that makes git run something.
pub(crate) fn make_hostile(world: &World, repo: &str) {
    let chirp = world.chirp();
    let hook = world.script("evil/hook", &format!("{chirp}\nexit 0"));
    let hook = hook.to_str().unwrap();
    let hooks = world.path("evil/hooks");
    for name in [
        "pre-commit",
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "post-index-change",
        "pre-push",
    ] {
        world.script(&format!("evil/hooks/{name}"), &chirp);
        world.script(&format!("{repo}/.git/hooks/{name}"), &chirp);
    }
    let settings = [
        ("core.fsmonitor", hook),
        ("core.sshCommand", hook),
        ("core.editor", hook),
        ("core.pager", hook),
        ("core.askPass", hook),
        ("core.alternateRefsCommand", hook),
        ("core.gitProxy", hook),
        ("core.hooksPath", hooks.to_str().unwrap()),
        ("filter.evil.clean", hook),
        ("filter.evil.smudge", hook),
        ("filter.evil.process", hook),
        ("filter.evil.required", "true"),
        ("diff.external", hook),
        ("diff.evil.textconv", hook),
        ("diff.evil.command", hook),
        ("merge.evil.driver", hook),
        ("credential.helper", hook),
        ("gpg.program", hook),
        ("commit.gpgSign", "true"),
        ("uploadpack.packObjectsHook", hook),
        ("protocol.ext.allow", "always"),
        ("remote.origin.url", "ext::sh -c evil"),
        ("gc.auto", "1"),
        ("gc.recentObjectsHook", hook),
    ];
    for (name, value) in settings {
        world.git(repo, &["config", name, value]);
    }
}

// C19: a mirror follows its target, survives a restart of the agent, and belongs to one process.
#[tokio::test]
async fn c19_a_mirror_is_kept_up_to_date_and_held_by_one_process() {
    let world = World::with_app();
    let source = world.source("repos/app");
    let mirrors = world.mirrors();
    let first = mirrors.mirror(&source).await.unwrap().fetch().await.unwrap();
    let second = world.commit("repos/app", "b", "b", "second");
    let mirror = mirrors.mirror(&source).await.unwrap();
    assert_eq!(mirror.head().await.unwrap(), first);
    assert_eq!(mirror.fetch().await.unwrap().as_str(), second);

    let roots = mirrors.roots().clone();
    let twice = tiltyard_agent::git::Mirrors::open(world.git_of_agent(), &world.path("agent/mirrors"), roots);
    assert_eq!(code(&twice.unwrap_err()), RefusedCode::Busy);
    drop(mirrors);
    world.write("agent/mirrors/quarantine-left/by", "a killed agent");
    let again = world.mirrors().mirror(&source).await.unwrap();
    assert_eq!(again.head().await.unwrap().as_str(), second);
    assert!(!world.path("agent/mirrors/quarantine-left").exists());
    again.tidy().await.unwrap();
    let mirrors = world.mirrors();
    assert_eq!(mirrors.tidy().await.unwrap(), 0);
    drop(mirrors);
    world.git("repos/app", &["checkout", "-q", "--orphan", "new"]);
    let rewritten = world.commit("repos/app", "c", "c", "another history");
    world.git("repos/app", &["branch", "-f", "main", "new"]);
    assert_eq!(again.fetch().await.unwrap().as_str(), rewritten);
    world.git("repos/app", &["branch", "-D", "main"]);
    assert_eq!(code(&again.fetch().await.unwrap_err()), RefusedCode::NoBranch);
}

// C19: a repository that another user owns is read, because it was asked for; its neighbours are not trusted.
#[tokio::test]
async fn c19_a_folder_of_another_owner_is_trusted_only_when_asked_for() {
    let world = World::with_app();
    let chowned =
        std::process::Command::new("chown").args(["-R", "4321"]).arg(world.path("repos/app")).output();
    if !chowned.unwrap().status.success() {
        return; // only root may give a folder away
    }
    let probe = world.mirrors().probe(&world.source("repos/app")).await.unwrap();
    assert_eq!(probe.kind, TargetKind::CheckedOut);
}

// C19, C31: sha256 repositories are repositories too.
#[tokio::test]
async fn c19_a_sha256_repository_is_mirrored() {
    let world = World::new();
    world.init("repos/app", &["--object-format=sha256"]);
    world.commit("repos/app", "a", "a", "a");
    let mirrors = world.mirrors();
    let probe = mirrors.probe(&world.source("repos/app")).await.unwrap();
    assert_eq!(probe.head.as_str().len(), 64);
    assert_eq!(mirrors.probe(&world.source("repos/app")).await.unwrap(), probe);
}

// Issue 2: a missing binary ends in a sentence, not in a panic.
#[tokio::test]
async fn a_missing_git_says_what_to_do() {
    let settings = GitSettings { program: Some("/nonexistent/git".into()), ..GitSettings::default() };
    let error = Git::find(settings).unwrap_err();
    assert!(error.to_string().contains("install git"), "{error}");
    let (major, _) = Git::find(GitSettings::default()).unwrap().version().await.unwrap();
    assert!(major >= 2);
}

// Issue 2: a git that hangs is ended with all that it started.
#[tokio::test]
async fn a_git_that_hangs_is_ended_with_its_children() {
    let world = World::with_app();
    let pid = world.path("pid");
    let hang = format!(
        "case \"$*\" in *ls-remote*) sleep 600 & echo $! > {}; wait;; *) exec git \"$@\";; esac",
        pid.display()
    );
    let program = world.script("slow-git", &hang);
    let timeout = Some(std::time::Duration::from_secs(2));
    let mirrors =
        world.mirrors_with(GitSettings { program: Some(program), timeout, ..GitSettings::default() });
    let error = mirrors.probe(&world.source("repos/app")).await.unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    // Nobody of ours is its parent, so the kernel may take a moment to be done with it.
    let (child, patience) =
        (world.read("pid"), std::time::Instant::now() + std::time::Duration::from_secs(60));
    loop {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            break;
        }
        assert!(std::time::Instant::now() < patience, "a child lives on: {state}");
        tokio::task::yield_now().await;
    }
}

// C31: a mirror that nobody uses goes, and is made anew when it is wanted after all; one in use stays, and so does one that was
// used of late.
#[tokio::test]
async fn c31_mirrors_that_nobody_uses_go() {
    let world = World::with_bare();
    let mirrors = world.mirrors();
    let source = world.source("repos/app.git");
    let count = || {
        let entries = std::fs::read_dir(world.path("agent/mirrors")).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    };
    let mirror = mirrors.mirror(&source).await.unwrap();
    let head = mirror.fetch().await.unwrap();
    let (always, month) = (Duration::ZERO, Duration::from_secs(30 * 24 * 60 * 60));
    assert_eq!((mirrors.remove_idle(always).await.unwrap(), count()), (0, 1), "it is in use");
    drop(mirror);
    assert_eq!((mirrors.remove_idle(month).await.unwrap(), count()), (0, 1), "it was used today");
    assert_eq!((mirrors.remove_idle(always).await.unwrap(), count()), (1, 0));
    let again = mirrors.mirror(&source).await.unwrap();
    assert_eq!(again.fetch().await.unwrap(), head);
    assert_eq!((mirrors.remove_idle(always).await.unwrap(), count()), (0, 1), "it is in use again");
}
