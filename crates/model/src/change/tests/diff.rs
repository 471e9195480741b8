//! Reading diffs, built under `#[cfg(test)]` only. `crates/model/tests/real_git.rs` compares with git itself.

use crate::change::diff::*;
use proptest::prelude::*;

const WHOLE: &str = "\
diff --git a/src/a.rs b/src/a.rs
index 83db48f84ec878fbfb30b46d16630e944e34f205..bf269f4b2c9e0e5a5d4d9d0f3b5c9a5a9a5a9a5a 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -1,3 +1,4 @@ fn main() {
 one
-two
+++ b/not-a-header
+diff --git a/x b/x
 three
\\ No newline at end of file
@@ -10 +11,0 @@
--- a/gone
diff --git a/new.txt b/new.txt
new file mode 100755
index 0000000000000000000000000000000000000000..e69de29bb2d1d6434b8b29ae775ad8c2e48c5391
diff --git \"a/t\\303\\244b\\tle.md\" \"b/t\\303\\244b\\tle.md\"
deleted file mode 100644
index e69de29..0000000
--- \"a/t\\303\\244b\\tle.md\"
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/old name b/new name
similarity index 90%
rename from old name
rename to new name
index 1..2 100644
--- a/old name\t
+++ b/new name\t
@@ -1,2 +1,2 @@
 a

-b
+c
diff --git a/pic.png b/pic.png
index 1..2 100644
GIT binary patch
literal 3
Kcmdabc

literal 2
Jcmdabc

diff --git a/run b/run
old mode 100644
new mode 100755
diff --git a/lib b/lib
index 1..2 160000
--- a/lib
+++ b/lib
@@ -1 +1 @@
-Subproject commit 1
+Subproject commit 2
";

fn shown(file: &FileDiff) -> (&str, Status, u32, u32) {
    (&file.path, file.status, file.added, file.removed)
}

fn error(diff: &str) -> String {
    parse(diff.as_bytes()).expect_err("is refused").to_string()
}

#[test]
fn c22_all_that_git_says_of_a_file_is_read() {
    // The empty line in the fourth file's hunk is a context line whose blank a mailer has cut.
    let diff = WHOLE.replace("@@ -1,2 +1,2 @@\n a\n", "@@ -1,3 +1,3 @@\n a\n");
    let files = parse(diff.as_bytes()).unwrap();
    let expected = [
        ("src/a.rs", Status::Modified, 2, 2),
        ("new.txt", Status::Added, 0, 0),
        ("täb\tle.md", Status::Deleted, 0, 1),
        ("new name", Status::Renamed, 1, 1),
        ("pic.png", Status::Modified, 0, 0),
        ("run", Status::Mode, 0, 0),
        ("lib", Status::Modified, 1, 1),
    ];
    assert_eq!(files.iter().map(shown).collect::<Vec<_>>(), expected);
    assert_eq!(files[3].from.as_deref(), Some("old name"));
    assert_eq!(files[4].content, Content::Binary);
    assert_eq!((files[1].new_mode, files[5].new_mode), (Some(Mode::Executable), Some(Mode::Executable)));
    assert_eq!((files[5].old_mode, files[6].new_mode), (Some(Mode::Plain), Some(Mode::Submodule)));
}

#[test]
fn a_commit_message_and_a_signature_are_no_files() {
    let mail = "From 1 Mon\nSubject: x\n---\n a | 1 +\n\ndiff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n\
                @@ -0,0 +1 @@\n+x\n-- \n2.47\n\ndiff --git a/b b/b\nold mode 100644\nnew mode 100755\n";
    let files = parse(mail.as_bytes()).unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(parse(b"").unwrap(), []);
}

#[test]
fn a_plain_unified_diff_is_read_too() {
    let plain = "--- a/x\t2026-01-01\n+++ b/x\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n\
                 --- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+b\n";
    let files = parse(plain.as_bytes()).unwrap();
    let expected = [("x", Status::Modified, 1, 1), ("y", Status::Added, 1, 0)];
    assert_eq!(files.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n";
    for (diff, said) in [
        (format!("{head}@@ -1 +1 @@\n-a\n"), "middle of a hunk"),
        (format!("{head}@@ -1 +1 @@\n-a\n-b\n"), "other lines than its head says"),
        (format!("{head}@@ -1 +1 @@\n-a\n+b\n+c\n"), "between two files"),
        (format!("{head}@@ -1 +1 @@\n-a\n*b\n"), "neither blank"),
        (format!("{head}@@ -1,x +1 @@\n"), "head cannot be read"),
        (format!("{head}@@ -1,99999999999 +1 @@\n"), "head cannot be read"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/secret\n".into(), "contradict"),
        ("diff --git a/x b/x\nrename from x\nrename to y\n".into(), "contradict"),
        ("diff --git a/x b/y\nindex 1..2 100644\n".into(), "two names"),
        ("diff --git x x\nindex 1..2\n".into(), "prefix"),
        ("diff --git a/x a/x\nindex 1..2\n".into(), "prefix"),
        ("diff --git a/../x b/../x\nindex 1..2\n".into(), "no path"),
        ("diff --git a/.git/hooks/x b/.git/hooks/x\n".into(), "no path"),
        ("diff --git a//etc/x b//etc/x\n".into(), "no path"),
        ("diff --git \"a/x b/x\n".into(), "no end"),
        ("diff --git \"a/\\q\" \"b/\\q\"\n".into(), "escape"),
        ("diff --git a/x b/x\nnonsense\n".into(), "no line of a diff"),
        ("diff --cc x\n".into(), "combined"),
        ("diff --git a/x y b/z w\nindex 1..2\n".into(), "no name"),
    ] {
        assert!(error(&diff).contains(said), "{diff}: {}", error(&diff));
    }
    assert!(error(&format!("{head}@@ -1 +1 @@\n-a\n*b\n")).starts_with("line 6 of the diff"));
}

#[test]
fn the_number_of_files_is_limited() {
    let one = "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n";
    assert_eq!(parse(one.repeat(MAX_DIFF_FILES).as_bytes()).unwrap().len(), MAX_DIFF_FILES);
    assert!(error(&one.repeat(MAX_DIFF_FILES + 1)).contains("more than"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_mixture_of_lines_is_read_without_a_panic(
        lines in prop::collection::vec(
            prop_oneof![
                Just("diff --git a/x b/x"), Just("diff --git \"a/\\303\\244\" b/x"), Just("--- a/x"),
                Just("+++ b/x"), Just("+++ /dev/null"), Just("@@ -1,2 +1 @@"), Just("@@ -0,0 +1 @@ x"),
                Just("-a"), Just("+b"), Just(" c"), Just(""), Just("\\ No newline"), Just("GIT binary patch"),
                Just("literal 3"), Just("rename from x"), Just("rename to y"), Just("new file mode 100644"),
                Just("deleted file mode 100644"), Just("index 1..2 120000"), Just("-- "), Just("Binary files x"),
            ],
            0..40,
        )
    ) {
        let _ = parse(lines.join("\n").as_bytes());
    }

    /// Lines are counted by the hunk's head, whatever they look like.
    #[test]
    fn content_never_passes_for_a_header(lines in prop::collection::vec("[-+@ a-z/]{0,20}", 1..20)) {
        let mut diff = format!("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,{} @@\n", lines.len());
        for line in &lines {
            diff.push('+');
            diff.push_str(line);
            diff.push('\n');
        }
        diff.push_str("diff --git a/y b/y\nold mode 100644\nnew mode 100755\n");
        let files = parse(diff.as_bytes()).unwrap();
        prop_assert_eq!(files.len(), 2);
        prop_assert_eq!(files[0].added as usize, lines.len());
    }
}
