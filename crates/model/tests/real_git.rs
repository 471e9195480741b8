//! C21, C22: what the parser reads out of a diff is what git itself says about the same change.

use std::path::Path;
use std::process::Command;
use tiltyard_model::change::diff::{Content, FileDiff, Mode, Status, parse};

/// Runs git without anybody's settings and gives its output.
fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("makes the folder");
    std::fs::write(path, content).expect("writes the file");
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("line {n}\n")).collect()
}

/// A repository whose last commit does a bit of everything.
fn repository(folder: &Path) {
    git(folder, &["init", "-q", "-b", "main"]);
    for name in ["keep.txt", "gone.txt", "move me.txt", "tab\tand ä.txt", "a b/c d.txt", "\"quoted\".txt"] {
        write(folder, name, lines(30));
    }
    // Unlike every other file, so that git can only take it for the source of the rename.
    write(folder, "move me.txt", lines(40).replace("line", "moved line"));
    write(folder, "run.sh", "echo\n");
    write(folder, "pic.bin", [0, 1, 2, 3]);
    write(folder, "crlf.txt", "a\r\nb\r\n");
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-qm", "base"]);
    write(folder, "keep.txt", lines(31).replace("line 3\n", "diff --git a/x b/x\n--- a/x\n+++ b/x\n"));
    std::fs::remove_file(folder.join("gone.txt")).expect("is there");
    git(folder, &["mv", "move me.txt", "moved to here.txt"]);
    write(folder, "tab\tand ä.txt", lines(29));
    write(folder, "a b/c d.txt", lines(30).trim_end());
    write(folder, "\"quoted\".txt", "");
    write(folder, "empty", "");
    write(folder, "pic.bin", [0, 9, 9, 9]);
    write(folder, "crlf.txt", "a\nb\r\nc");
    git(folder, &["add", "-A"]);
    git(folder, &["update-index", "--chmod=+x", "run.sh"]);
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).expect("links");
    git(folder, &["add", "link"]);
    git(folder, &["commit", "-qm", "everything"]);
}

/// What `git diff --numstat -z` says: added, removed (`None` for binary), path.
fn numstat(folder: &Path) -> Vec<(Option<(u32, u32)>, String)> {
    let text = String::from_utf8(git(folder, &["diff", "--numstat", "-z", "--no-renames", "HEAD~1", "HEAD"]));
    let text = text.expect("names are UTF-8");
    let mut rows: Vec<_> = text.split_terminator('\0').map(numstat_row).collect();
    rows.sort();
    rows
}

fn numstat_row(row: &str) -> (Option<(u32, u32)>, String) {
    let mut parts = row.splitn(3, '\t');
    let (added, removed) = (parts.next().expect("added"), parts.next().expect("removed"));
    let counts = added.parse().ok().zip(removed.parse().ok());
    (counts, parts.next().expect("path").to_owned())
}

fn counted(file: &FileDiff) -> (Option<(u32, u32)>, String) {
    let text = file.content == Content::Text;
    (text.then_some((file.added, file.removed)), file.path.clone())
}

#[test]
fn c22_counts_are_those_of_git_in_every_spelling() {
    let folder = tempfile::tempdir().expect("makes a folder");
    repository(folder.path());
    for option in ["--full-index", "--binary", "--unified=0", "--function-context", "--patience"] {
        let diff = git(folder.path(), &["diff", option, "--no-renames", "HEAD~1", "HEAD"]);
        let mut counts: Vec<_> = parse(&diff).expect("is read").iter().map(counted).collect();
        counts.sort();
        assert_eq!(counts, numstat(folder.path()), "{option}");
    }
}

#[test]
fn c22_renames_modes_and_links_are_seen() {
    let folder = tempfile::tempdir().expect("makes a folder");
    repository(folder.path());
    let diff = git(folder.path(), &["diff", "--full-index", "--binary", "-M", "HEAD~1", "HEAD"]);
    let files = parse(&diff).expect("is read");
    let of = |path: &str| files.iter().find(|file| file.path == path).expect("is there");
    let moved = of("moved to here.txt");
    assert_eq!((moved.status, moved.from.as_deref()), (Status::Renamed, Some("move me.txt")));
    assert_eq!((of("run.sh").status, of("run.sh").new_mode), (Status::Mode, Some(Mode::Executable)));
    assert_eq!((of("link").status, of("link").new_mode), (Status::Added, Some(Mode::Link)));
    assert_eq!(of("gone.txt").status, Status::Deleted);
    assert_eq!(of("empty").status, Status::Added);
    assert_eq!(of("pic.bin").content, Content::Binary);
}
