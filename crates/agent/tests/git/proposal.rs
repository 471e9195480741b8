//! C11, C24: work clones, and what becomes of what a program leaves in them.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use sha2::{Digest as _, Sha256};
use tiltyard_agent::git::{ChangeEnd, FileStatus, Proposal, RefusedCode, Start, WorkClones};

use crate::desk::{Attempt, incoming};
use crate::repository::make_hostile;
use crate::world::{World, key};

fn file<'p>(proposal: &'p Proposal, path: &str) -> &'p tiltyard_agent::git::FileChange {
    proposal
        .files
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("{path} in {:?}", proposal.files))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

// C11: own objects, the up-to-date base, the branch's name.
#[tokio::test]
async fn c11_a_clone_stands_on_the_newest_base_and_shares_nothing() {
    let world = World::with_app();
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    mirror.fetch().await.unwrap();
    let newest = world.commit("repos/app", "b", "b", "second");
    let attempt = Attempt::new(&world, &mirror, "task_01jd", Start::Base).await;
    assert_eq!(attempt.clone.base.as_str(), newest);
    assert_eq!(attempt.clone.branch.as_str(), "tiltyard/task_01jd-fix-the-readme");
    assert_eq!(attempt.git(&["branch", "--show-current"]), "tiltyard/task_01jd-fix-the-readme");
    assert_eq!(attempt.git(&["log", "--format=%s"]), "second\nfirst");
    assert!(!attempt.file(".git/objects/info/alternates").exists());
    assert_eq!(attempt.git(&["remote"]), "", "nowhere to push to");
    let agents: Vec<_> = std::fs::read_dir(attempt.file(".git/objects/pack")).unwrap().flatten().collect();
    assert!(agents.iter().all(|pack| std::os::unix::fs::MetadataExt::nlink(&pack.metadata().unwrap()) == 1));
}

// C11: what is left uncommitted is committed; the diff is the one that D24 names, byte for byte.
#[tokio::test]
async fn c11_a_proposal_holds_commits_and_leftovers_alike() {
    let world = World::with_app();
    world.commit("repos/app", "gone.txt", "x\n", "to go");
    world.commit("repos/app", "old name.txt", "one\ntwo\nthree\nfour\n", "to move");
    world.commit("repos/app", ".gitignore", "*.log\n", "ignore");
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("committed.txt", "by the program\n");
    attempt.git(&["add", "-A"]);
    attempt.git(&["commit", "-q", "-m", "the program's own"]);
    attempt.write("README.md", "hello\nworld\n");
    attempt.write("noise.log", "ignored");
    std::fs::remove_file(attempt.file("gone.txt")).unwrap();
    std::fs::rename(attempt.file("old name.txt"), attempt.file("new name.txt")).unwrap();
    std::fs::set_permissions(attempt.file("committed.txt"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let proposal = attempt.propose().await.unwrap();

    assert_eq!(proposal.base, attempt.clone.base);
    assert_eq!(proposal.merge_base, proposal.base);
    let subjects: Vec<&str> = proposal.commits.iter().map(|commit| commit.subject.as_str()).collect();
    assert_eq!(subjects, ["Fix the README", "the program's own"]);
    assert_eq!(file(&proposal, "README.md").added, Some(1));
    assert_eq!(file(&proposal, "gone.txt").status, FileStatus::Deleted);
    assert_eq!(file(&proposal, "new name.txt").old_path.as_deref(), Some("old name.txt"));
    assert_eq!(file(&proposal, "committed.txt").new_mode, "100755");
    assert!(proposal.files.iter().all(|file| file.path != "noise.log"));

    // D24: what a person computes in a clone of their own.
    world.git(
        "repos/app",
        &["fetch", "-q", proposal.bundle.path.to_str().unwrap(), &proposal.branch.reference()],
    );
    let range = format!("{}...{}", proposal.base, proposal.head);
    let theirs = world.try_git("repos/app", &["diff", "--full-index", "--binary", &range]).stdout;
    assert_eq!(std::fs::read(&proposal.diff.path).unwrap(), theirs);
    assert_eq!(proposal.diff.sha256, hex(&theirs));
    assert_eq!(world.git("repos/app", &["rev-parse", "FETCH_HEAD"]), proposal.head.as_str());
    assert_eq!(
        world.git("repos/app", &["log", "-1", "--format=%an %ae %at %B", "FETCH_HEAD"]),
        "Agent agent@tiltyard.invalid 1700000000 Fix the README\n\nAs asked."
    );
}

// C11: the same work is the same proposal: names, dates and order come from arguments.
#[tokio::test]
async fn c11_the_same_work_is_the_same_commit() {
    let world = World::with_app();
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    let mut heads = Vec::new();
    for task in ["task_1", "task_2"] {
        let attempt = Attempt::new(&world, &mirror, task, Start::Base).await;
        attempt.write("README.md", "better\n");
        heads.push(attempt.propose().await.unwrap().head);
    }
    assert_eq!(heads[0], heads[1]);
}

// C11: "done" is checked, not believed.
#[tokio::test]
async fn c11_nothing_done_is_refused_whatever_the_program_said() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    assert_eq!(attempt.refused().await, RefusedCode::Nothing);
    attempt.git(&["commit", "-q", "--allow-empty", "-m", "look, I worked"]);
    assert_eq!(attempt.refused().await, RefusedCode::Nothing);
    attempt.write("README.md", "x\n");
    attempt.git(&["commit", "-qam", "there"]);
    attempt.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(attempt.refused().await, RefusedCode::Nothing);
    attempt.git(&["checkout", "-q", "--orphan", "fresh"]);
    attempt.git(&["commit", "-q", "-m", "another history"]);
    assert_eq!(attempt.refused().await, RefusedCode::Unrelated);
}

// C11: a detached head, another branch, a hidden file: what is there is what is proposed.
#[tokio::test]
async fn c11_the_files_count_and_not_what_the_clones_index_says() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.git(&["checkout", "-q", "--detach"]);
    attempt.git(&["update-index", "--assume-unchanged", "README.md"]);
    attempt.write("README.md", "hidden edit\n");
    attempt.write(".git/info/exclude", "*\n");
    attempt.write("new.txt", "hidden file\n");
    let proposal = attempt.propose().await.unwrap();
    assert_eq!(proposal.files.len(), 2, "{:?}", proposal.files);
}

// C11, SEC16: everything in a clone that could run, lead astray or be misread.
#[tokio::test]
async fn c11_nothing_of_a_hostile_clone_is_executed() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    let clone = attempt.clone.tree();
    let part = clone.strip_prefix(world.path(".")).unwrap().to_str().unwrap().to_owned();
    make_hostile(&world, &part);
    let settings = [
        ("core.worktree", "/etc"),
        ("include.path", "/dev/null"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", "blob:none"),
        ("url.ext::sh.insteadOf", "/"),
        ("core.bare", "false"),
    ];
    attempt.write(".gitattributes", "* filter=evil diff=evil merge=evil text working-tree-encoding=UTF-8\n");
    attempt.write("README.md", "edited\n");
    for (name, value) in settings {
        std::process::Command::new("git")
            .arg("config")
            .arg("--file")
            .arg(clone.join(".git/config"))
            .args([name, value])
            .status()
            .unwrap();
    }
    let _ = std::fs::remove_file(world.canary());
    let proposal = attempt.propose().await.unwrap();
    assert_eq!(proposal.files.len(), 2, "{:?}", proposal.files);
    assert!(!world.canary().exists(), "something of the clone was executed");
    attempt.mirror.import(&incoming("chg_1", &proposal)).await.unwrap();
    assert!(!world.canary().exists(), "something of the proposal was executed");
}

// SEC16: links are not followed out of a clone.
#[tokio::test]
async fn sec16_links_are_taken_as_links() {
    let world = World::with_app();
    world.commit("repos/app", "folder/inside.txt", "inside\n", "a folder");
    world.write("outside/secret/inside.txt", "the secret\n");
    let attempt = Attempt::of_source(&world, "repos/app").await;
    std::fs::remove_dir_all(attempt.file("folder")).unwrap();
    symlink(world.path("outside/secret"), attempt.file("folder")).unwrap();
    symlink("/etc/passwd", attempt.file("-link")).unwrap();
    symlink("dangling", attempt.file("dangling")).unwrap();
    std::fs::remove_file(attempt.file("README.md")).unwrap();
    symlink("/etc/hostname", attempt.file("README.md")).unwrap();
    let proposal = attempt.propose().await.unwrap();
    let diff = std::fs::read_to_string(&proposal.diff.path).unwrap();
    assert!(!diff.contains("the secret") && !diff.contains("root:"), "{diff}");
    assert_eq!(file(&proposal, "folder").new_mode, "120000");
    assert_eq!(file(&proposal, "folder/inside.txt").status, FileStatus::Deleted);
    assert_eq!(file(&proposal, "README.md").status, FileStatus::TypeChanged);
}

// SEC16: a clone that was turned into a door to another repository is refused.
#[tokio::test]
async fn sec16_a_clone_that_is_no_longer_its_own_is_refused() {
    let world = World::with_app();
    world.init("outside/secret", &[]);
    world.commit("outside/secret", "secret.txt", "the secret\n", "secret");
    let secret = world.path("outside/secret/.git");
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    type Trick<'t> = &'t dyn Fn(&Attempt);
    let tricks: [(&str, Trick<'_>); 5] = [
        ("a .git file", &|attempt| {
            std::fs::remove_dir_all(attempt.file(".git")).unwrap();
            attempt.write(".git", format!("gitdir: {}\n", secret.display()));
        }),
        ("a .git link", &|attempt| {
            std::fs::remove_dir_all(attempt.file(".git")).unwrap();
            symlink(&secret, attempt.file(".git")).unwrap();
        }),
        ("borrowed objects", &|attempt| {
            attempt.write(".git/objects/info/alternates", format!("{}\n", secret.join("objects").display()));
        }),
        ("linked objects", &|attempt| {
            std::fs::remove_dir_all(attempt.file(".git/objects")).unwrap();
            symlink(secret.join("objects"), attempt.file(".git/objects")).unwrap();
        }),
        ("a common folder", &|attempt| attempt.write(".git/commondir", secret.to_str().unwrap())),
    ];
    for (number, (name, trick)) in tricks.iter().enumerate() {
        let attempt = Attempt::new(&world, &mirror, &format!("task_{number}"), Start::Base).await;
        trick(&attempt);
        assert_eq!(attempt.refused().await, RefusedCode::NotGenuine, "{name}");
    }
}

// C11: a repository inside the clone would land as a pointer to nowhere.
#[tokio::test]
async fn c11_a_nested_repository_is_refused_with_its_name() {
    let world = World::with_app();
    world.commit("repos/app", ".gitignore", "vendor/\n", "ignore");
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("README.md", "x\n");
    attempt.git(&["init", "-q", "vendor/ignored"]);
    attempt.propose().await.unwrap();
    attempt.git(&["init", "-q", "nested"]);
    attempt.write("nested/file", "x");
    let error = attempt.propose().await.unwrap_err();
    assert!(error.to_string().contains("`nested/`"), "{error}");
    assert_eq!(attempt.refused().await, RefusedCode::NestedRepository);
}

// C11: odd names, binaries and large files are files like others.
#[tokio::test]
async fn c11_odd_names_and_binaries_survive_the_way() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    let names = [
        "new\nline",
        "quo\"te'd",
        "-rf",
        "--upload-pack=x",
        "back\\slash",
        "ümläut",
        " blank ",
        "tab\t",
        ":(glob)*",
        "$(id)",
    ];
    for name in names {
        attempt.write(name, format!("content of {name}\n"));
    }
    attempt.write("binary.dat", (0..=255_u8).cycle().take(3_000_000).collect::<Vec<u8>>());
    let proposal = attempt.propose().await.unwrap();
    assert_eq!(proposal.files.len(), names.len() + 1);
    for name in names {
        assert_eq!(file(&proposal, name).added.is_some(), !name.contains("binary"), "{name}");
    }
    assert_eq!(file(&proposal, "binary.dat").added, None);
    attempt.mirror.import(&incoming("chg_1", &proposal)).await.unwrap();
    let mirror = std::fs::read_dir(world.path("agent/mirrors"))
        .unwrap()
        .flatten()
        .find(|e| e.path().is_dir())
        .unwrap();
    let listed = world.try_git(
        "agent",
        &[
            "--git-dir",
            mirror.path().to_str().unwrap(),
            "ls-tree",
            "-z",
            "--name-only",
            "refs/changes/chg_1/head",
        ],
    );
    assert_eq!(listed.stdout.split(|b| *b == 0).filter(|name| !name.is_empty()).count(), names.len() + 2);
}

// C24: found in the end, in the history and in messages; named by place, never repeated.
#[tokio::test]
async fn c24_secrets_are_found_wherever_they_would_leave_with() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    let secret = |kind: char| format!("gh{kind}_{}", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5");
    attempt.write("later-removed.env", format!("one\nTOKEN={}\n", secret('p')));
    attempt.git(&["add", "-A"]);
    attempt.git(&["commit", "-q", "-m", "oops"]);
    std::fs::remove_file(attempt.file("later-removed.env")).unwrap();
    attempt.write("README.md", format!("hello\n\nuse {}\n", secret('o')));
    attempt.git(&["commit", "-qam", &format!("subject\n\nwith {}", secret('s'))]);
    attempt.write(".gitattributes", "*.txt -diff binary\n");
    attempt.write("hidden.txt", format!("key {}\n", secret('u')));
    let proposal = attempt.propose().await.unwrap();
    let found: Vec<(&str, u64, bool)> =
        proposal.secrets.iter().map(|f| (f.path.as_str(), f.line, f.commit.is_some())).collect();
    assert!(found.contains(&("README.md", 3, false)), "{found:?}");
    assert!(found.contains(&("hidden.txt", 1, false)), "{found:?}");
    assert!(found.contains(&("later-removed.env", 2, true)), "{found:?}");
    assert!(found.iter().any(|(path, _, in_history)| path.is_empty() && *in_history), "{found:?}");
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        !serde_json::to_string(&proposal).unwrap().contains("aB3dE5fG7h"),
        "a finding repeats the secret"
    );
}

// C18, C20: a change cannot hide its lines from a reviewer behind attributes that it brings along.
#[tokio::test]
async fn c20_attributes_of_the_change_do_not_hide_its_diff() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write(".gitattributes", "* -diff\n");
    attempt.write("README.md", "hello\nplain to see\n");
    let proposal = attempt.propose().await.unwrap();
    let diff = std::fs::read_to_string(&proposal.diff.path).unwrap();
    assert!(diff.contains("+plain to see"), "{diff}");
    assert_eq!(file(&proposal, "README.md").added, Some(1));
}

// C18: sent back, the next attempt goes on from the change's earlier head.
#[tokio::test]
async fn c18_a_change_sent_back_goes_on_from_its_head() {
    let world = World::with_app();
    let first = Attempt::of_source(&world, "repos/app").await;
    first.write("one.txt", "one\n");
    let proposal = first.propose().await.unwrap();
    world.commit("repos/app", "meanwhile.txt", "x\n", "the base moves on");
    let earlier = Start::Earlier(incoming("chg_1", &proposal));
    let second = Attempt::new(&world, &first.mirror, "task_2", earlier.clone()).await;
    assert_eq!(second.clone.start, proposal.head);
    assert!(second.file("one.txt").exists() && !second.file("meanwhile.txt").exists());
    assert_eq!(second.refused().await, RefusedCode::Nothing, "the comments were ignored");
    second.write("two.txt", "two\n");
    let again = second.propose().await.unwrap();
    let names: Vec<&str> = again.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["one.txt", "two.txt"]);
    assert_eq!(again.merge_base, proposal.base);

    // On a machine that has never seen it, the bundle brings it.
    std::fs::rename(world.path("agent/mirrors"), world.path("agent/lost")).unwrap();
    let fresh = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    let third = Attempt::new(&world, &fresh, "task_3", earlier).await;
    assert!(third.file("one.txt").exists());
}

// C32: one attempt on the new base, with the conflict in its files; markers left behind are not "resolved".
#[tokio::test]
async fn c32_a_conflict_is_handed_to_the_program_and_must_be_resolved() {
    let world = World::with_app();
    let first = Attempt::of_source(&world, "repos/app").await;
    first.write("README.md", "mine\n");
    let proposal = first.propose().await.unwrap();
    let newest = world.commit("repos/app", "README.md", "theirs\n", "a rival");
    let resolve = Start::Resolve(incoming("chg_1", &proposal));
    let second = Attempt::new(&world, &first.mirror, "task_2", resolve).await;
    assert_eq!(second.clone.conflicts, ["README.md"]);
    assert!(std::fs::read_to_string(second.file("README.md")).unwrap().contains("<<<<<<<"));
    assert_eq!(second.refused().await, RefusedCode::ConflictMarkers);
    second.write("README.md", "mine and theirs\n");
    let resolved = second.propose().await.unwrap();
    assert_eq!(resolved.merge_base.as_str(), newest);
    assert_eq!(resolved.files.len(), 1);
    second.mirror.import(&incoming("chg_1", &resolved)).await.unwrap();
}

// Issue 2: nothing of a bundle is trusted.
#[tokio::test]
async fn c21_a_bundle_that_is_not_what_was_announced_is_refused() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("README.md", "x\n");
    let proposal = attempt.propose().await.unwrap();
    let good = incoming("chg_1", &proposal);
    let code = async |incoming| {
        let error = attempt.mirror.import(&incoming).await.unwrap_err();
        error.refused().unwrap_or_else(|| panic!("{error}")).code
    };
    let mut digest = good.clone();
    digest.sha256 = Some("0".repeat(64));
    assert_eq!(code(digest).await, RefusedCode::BadBundle);
    let mut head = good.clone();
    head.head = proposal.base.clone();
    assert_eq!(code(head).await, RefusedCode::BadBundle);
    let mut base = good.clone();
    base.base = "1".repeat(40).as_str().try_into().unwrap();
    assert_eq!(code(base).await, RefusedCode::BadBundle);
    let mut file = good.clone();
    file.file = None;
    assert_eq!(code(file).await, RefusedCode::BadBundle);
    let mut link = good.clone();
    symlink(&proposal.bundle.path, world.path("outside/link")).unwrap();
    link.file = Some(world.path("outside/link"));
    assert_eq!(code(link).await, RefusedCode::BadBundle);
    world.write("outside/garbage", "# v2 git bundle\nnonsense");
    let mut garbage = good.clone();
    garbage.file = Some(world.path("outside/garbage"));
    garbage.sha256 = Some(hex(b"# v2 git bundle\nnonsense"));
    assert_eq!(code(garbage).await, RefusedCode::BadBundle);
    attempt.mirror.import(&good).await.unwrap();
    attempt.mirror.import(&good).await.unwrap();
}

// Issue 2, SEC16: a submodule's address that is an option, and trees that would write into `.git`.
#[tokio::test]
async fn c21_objects_that_attack_git_do_not_get_in() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n");
    attempt.git(&["add", "-A"]);
    attempt.git(&["commit", "-q", "-m", "an option as an address"]);
    assert_eq!(attempt.refused().await, RefusedCode::NotGenuine);

    let mirror = &attempt.mirror;
    let evil = Attempt::new(&world, mirror, "task_2", Start::Base).await;
    let blob = evil.git(&["hash-object", "-w", "README.md"]);
    let inner = evil.git(&["rev-parse", "HEAD^{tree}"]);
    let tree = world.path("outside/tree");
    std::fs::write(&tree, format!("040000 tree {inner}\t.git\n100644 blob {blob}\tREADME.md\n")).unwrap();
    let mktree = std::process::Command::new("git")
        .current_dir(evil.clone.tree())
        .arg("mktree")
        .stdin(std::fs::File::open(&tree).unwrap())
        .output()
        .unwrap();
    let tree = String::from_utf8(mktree.stdout).unwrap();
    let commit = evil.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", "a .git in the tree"]);
    evil.git(&["update-ref", "HEAD", &commit]);
    assert_eq!(evil.refused().await, RefusedCode::NotGenuine);
}

// C34, C11: clones go, some are kept on failure, references go only after proof.
#[tokio::test]
async fn c34_what_is_kept_goes_only_after_proof() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("README.md", "x\n");
    let proposal = attempt.propose().await.unwrap();
    let change = key("chg_1");
    attempt.mirror.import(&incoming("chg_1", &proposal)).await.unwrap();
    let merged = ChangeEnd::Merged { commit: proposal.head.clone() };
    let refused = attempt.mirror.forget(&change, &merged).await.unwrap_err();
    assert_eq!(refused.refused().unwrap().code, RefusedCode::NotProven);
    let mut again = incoming("chg_1", &proposal);
    again.file = None;
    attempt.mirror.import(&again).await.expect("it is still kept");
    attempt.mirror.forget(&change, &ChangeEnd::Rejected).await.unwrap();
    attempt.mirror.forget(&change, &ChangeEnd::Rejected).await.unwrap();
    attempt.mirror.import(&again).await.expect_err("it is gone");

    // A folder that may not be written, and a link out of it.
    world.write("outside/precious", "keep me");
    std::fs::create_dir(attempt.file("sealed")).unwrap();
    attempt.write("sealed/file", "x");
    symlink(world.path("outside"), attempt.file("sealed/out")).unwrap();
    std::fs::set_permissions(attempt.file("sealed"), std::fs::Permissions::from_mode(0o500)).unwrap();
    let clones = WorkClones::open(&world.path("agent/clones")).unwrap();
    let mut elsewhere = attempt.clone.clone();
    elsewhere.folder = world.path("outside");
    assert!(clones.remove(&elsewhere).is_err());
    clones.remove(&attempt.clone).unwrap();
    assert!(!attempt.clone.folder.exists() && world.path("outside/precious").exists());
}

// C11: failed clones are kept within a limit.
#[tokio::test]
async fn c11_failed_clones_are_kept_within_a_limit() {
    let world = World::with_app();
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    let clones = WorkClones::open(&world.path("agent/clones")).unwrap();
    let mut last = None;
    for number in 0..7 {
        let attempt = Attempt::new(&world, &mirror, &format!("task_{number}"), Start::Base).await;
        last = Some(clones.keep(&attempt.clone).unwrap());
    }
    assert_eq!(std::fs::read_dir(world.path("agent/clones/kept")).unwrap().count(), 5);
    assert!(last.unwrap().join("tree/README.md").exists());
}
