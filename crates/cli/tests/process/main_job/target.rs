//! What can be wrong with the target: work in its tree, a branch that moves under the merge, settings and hooks that mean
//! harm.

use super::shop::{RULES, Shop, TEST, git, text};
use crate::live::wait_for;
use serde_json::json;
use std::path::Path;

// C30, C31: work in the target's tree is never overwritten. The change waits with the reason, and lands when the tree is
// clean again; a file of nobody's business stays through all of it.
#[test]
fn c30_a_dirty_target_is_refused_and_the_change_lands_when_it_is_clean() {
    let shop = Shop::open(RULES, TEST);
    let task = shop.idea("Greet", "echo 'good morning' > hello.txt");
    let seen = shop.review(&task, 1);
    let before = shop.git(&["rev-parse", "main"]);
    for (name, text) in [("hello.txt", "mine\n"), ("mine.txt", "mine too\n")] {
        std::fs::write(shop.folder().join(name), text).expect("writes");
    }
    shop.approve(&seen);
    let refused = shop.review(&task, 2);
    let why = text(&refused, "reason");
    assert!(why.contains("hello.txt") && why.contains("work tree"), "{why}");
    assert_eq!((shop.git(&["rev-parse", "main"]), shop.file("hello.txt")), (before, "mine\n".to_owned()));

    shop.git(&["checkout", "--quiet", "--", "hello.txt"]);
    shop.approve_and_land(&refused);
    assert_eq!(
        (shop.landed(), shop.file("hello.txt")),
        (vec!["Greet".to_owned()], "good morning\n".to_owned())
    );
    assert_eq!(
        (shop.file("mine.txt"), shop.git(&["status", "--porcelain"])),
        ("mine too\n".to_owned(), "?? mine.txt\n".to_owned())
    );
}

/// A check that waits for a word, once, where there is a note `hold`.
const WAITS: &str = "f=\"$(cat notes)\"\n\
    if [ -e \"$f/hold\" ]; then rm \"$f/hold\"; touch \"$f/begun\"; read -r word < \"$f/go\"; fi\n";

fn commit(shop: &Shop, name: &str, message: &str) {
    std::fs::write(shop.folder().join(name), message).expect("writes");
    shop.git(&["add", name]);
    shop.git(&["commit", "--quiet", "--message", message]);
}

// C30, C34: the target moves before the merge, so that what would land is checked anew; it moves again while those checks
// run: nothing is written, and it is checked once more on the newest base before it lands.
#[test]
fn c30_a_base_that_moves_under_the_merge_is_checked_again() {
    let shop = Shop::open(RULES, WAITS);
    let notes = shop.note("").display().to_string();
    let task = shop.idea("Greet", &format!("echo '{notes}' > notes; echo 'good morning' > hello.txt"));
    let seen = shop.review(&task, 1);
    let made = std::process::Command::new("mkfifo").arg(shop.note("go")).status();
    assert!(made.expect("mkfifo is here").success());
    std::fs::write(shop.note("hold"), "").expect("writes");
    commit(&shop, "one.txt", "By hand");
    shop.approve(&seen);
    wait_for("check on what would land", || shop.note("begun").exists().then_some(()));
    commit(&shop, "two.txt", "By hand again");
    std::fs::write(shop.note("go"), "go\n").expect("somebody reads it");
    shop.until(&task, "task.succeeded", 1);

    assert_eq!(shop.landed(), ["By hand", "By hand again", "Greet"]);
    let files = ["one.txt", "two.txt", "hello.txt"].map(|name| shop.file(name));
    assert_eq!(files, ["By hand", "By hand again", "good morning\n"]);
    let end = [
        "gate.approved",
        "change.queued approved 2",
        "change.merging",
        "change.queued requeued 2",
        "change.merging",
        "change.merged",
        "task.succeeded 1",
    ];
    let story = shop.story(&task);
    assert_eq!(story[story.len() - end.len()..], end, "{story:?}");
    let merged = shop.change(&text(&seen, "id"));
    let tree = json!(shop.git(&["rev-parse", "main^{tree}"]).trim());
    assert_eq!((&merged["merge"]["tree"], &merged["checks"][0]["tree"]), (&tree, &tree));
}

/// Hooks that git may run in a target, in a clone, and on the way.
const HOOKS: [&str; 14] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "post-update",
    "pre-commit",
    "pre-push",
    "pre-receive",
    "reference-transaction",
    "update",
];
/// Settings by which git starts a program.
const SETTINGS: [&str; 11] = [
    "core.fsmonitor",
    "core.pager",
    "core.editor",
    "core.sshCommand",
    "core.askPass",
    "diff.external",
    "diff.evil.command",
    "filter.evil.clean",
    "filter.evil.smudge",
    "merge.evil.driver",
    "gpg.program",
];

/// Fills a `.git` with what means harm: all of it leaves a trace, and fails.
fn poison(git_folder: &Path, trace: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let program = git_folder.join("evil");
    let hooks = git_folder.join("hooks");
    std::fs::create_dir_all(&hooks).expect("a folder");
    let script = format!("#!/bin/sh\necho \"$0\" >> '{}'\nexit 1\n", trace.display());
    for path in HOOKS.map(|hook| hooks.join(hook)).iter().chain([&program]) {
        std::fs::write(path, &script).expect("writes");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("changes");
    }
    let file = git_folder.join("config").display().to_string();
    let set = |name: &str, value: &str| git(git_folder, &["config", "--file", &file, name, value]);
    SETTINGS.iter().for_each(|name| drop(set(name, &program.display().to_string())));
    set("commit.gpgSign", "true");
    set("core.hooksPath", &hooks.display().to_string());
}

// C20, C21, C30: hostile settings and hooks, in the target and in the clone of the program, and attributes that the change
// brings along: none of it is run, and none of it keeps the change from landing.
#[test]
fn c20_hostile_settings_and_hooks_do_nothing() {
    let shop = Shop::open(RULES, TEST);
    let trace = shop.note("trace");
    poison(&shop.folder().join(".git"), &trace);
    // The probe sees it too.
    shop.ask(&["repo", "add", "shop", &shop.folder().display().to_string()]);
    let source = shop.folder().join(".git").display().to_string();
    let script = format!(
        "echo '* filter=evil diff=evil merge=evil' > .gitattributes; echo 'good morning' > hello.txt\n\
         cp -R '{source}/hooks' '{source}/evil' .git/; cat '{source}/config' >> .git/config"
    );
    let task = shop.idea("Greet", &script);
    let seen = shop.review(&task, 1);
    assert!(shop.diff(&text(&seen, "id")).contains("+good morning"));
    shop.approve_and_land(&seen);
    assert_eq!(shop.noted("trace"), "", "something of it was run");
    assert_eq!(shop.file("hello.txt"), "good morning\n");
    let log = shop.git(&["-c", "core.fsmonitor=false", "log", "--format=%s", "refs/heads/main"]);
    assert_eq!(log, "Greet\nThe shop\n");
    // The trap does work: git as a person would start it walks into it.
    shop.git(&["status"]);
    assert_ne!(shop.noted("trace"), "");
}
