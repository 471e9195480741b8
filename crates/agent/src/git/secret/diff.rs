//! The added lines of a diff, read as it streams by. What is inside a hunk is counted by the hunk's head, so a line
//! of a file that looks like a head of the diff (`+++ b/x`) is read as the line it is.

use super::rule::{MAX_LINE_BYTES, met_by};
use super::{Finding, MAX_FINDINGS};

/// How much two pieces of a long line have in common, in bytes: longer than what any rule needs.
const OVERLAP_BYTES: usize = 2 * 1024;

/// Reads a `git diff`, a `git log -p` or commit messages and collects findings.
#[derive(Debug)]
pub struct Scanner {
    shape: Shape,
    pending: Vec<u8>,
    commit: Option<String>,
    path: String,
    line: u64,
    hunk: Hunk,
    findings: Vec<Finding>,
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Diff,
    Messages,
}

/// Lines that are left of the hunk.
#[derive(Debug, Default)]
struct Hunk {
    removed: u64,
    added: u64,
}

impl Scanner {
    /// For `git diff -U0` or `git log -p -U0 --format='commit %H'`.
    pub fn of_diff() -> Self {
        Self::new(Shape::Diff)
    }

    /// For messages, indented by one blank, each under a line `commit <id>`.
    pub(super) fn of_messages() -> Self {
        Self::new(Shape::Messages)
    }

    fn new(shape: Shape) -> Self {
        let (pending, path) = (Vec::new(), String::new());
        Self { shape, pending, commit: None, path, line: 0, hunk: Hunk::default(), findings: Vec::new() }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.hold(&rest[..end]);
            let line = std::mem::take(&mut self.pending);
            self.take(&line);
            rest = &rest[end + 1..];
        }
        self.hold(rest);
    }

    /// What was found, at most [`MAX_FINDINGS`].
    pub fn finish(mut self) -> Vec<Finding> {
        let line = std::mem::take(&mut self.pending);
        self.take(&line);
        self.findings
    }

    /// Keeps of a line what is going to be looked at.
    fn hold(&mut self, part: &[u8]) {
        let mut rest = part;
        loop {
            let room = (MAX_LINE_BYTES + 1).saturating_sub(self.pending.len()).min(rest.len());
            self.pending.extend_from_slice(&rest[..room]);
            rest = &rest[room..];
            if rest.is_empty() {
                return;
            }
            self.look_ahead();
        }
    }

    /// A line that is longer than what is examined at once: it is looked at piece by piece, and the pieces overlap, so
    /// that no secret is cut in two.
    fn look_ahead(&mut self) {
        let line = std::mem::take(&mut self.pending);
        let added = match self.shape {
            Shape::Diff => line.first() == Some(&b'+') && self.hunk.added > 0,
            Shape::Messages => line.first() == Some(&b' '),
        };
        if added {
            // The count of lines goes on when the line ends.
            let at = self.line + u64::from(self.shape == Shape::Messages);
            self.judge_as(&line[1..], at);
        }
        self.pending.extend_from_slice(&line[..1]);
        self.pending.extend_from_slice(&line[line.len() - OVERLAP_BYTES..]);
    }

    fn take(&mut self, line: &[u8]) {
        match (line.first(), &self.shape) {
            (Some(b'+'), Shape::Diff) if self.hunk.added > 0 => {
                self.hunk.added -= 1;
                self.judge(&line[1..]);
                self.line += 1;
            }
            (Some(b'-'), Shape::Diff) if self.hunk.removed > 0 => self.hunk.removed -= 1,
            (Some(b'\\'), Shape::Diff) => {}
            (Some(b' '), Shape::Messages) => {
                self.line += 1;
                self.judge(&line[1..]);
            }
            (Some(_), _) => self.head(&String::from_utf8_lossy(line)),
            (None, _) => {}
        }
    }

    fn head(&mut self, line: &str) {
        if let Some(commit) = line.strip_prefix("commit ") {
            (self.commit, self.line) = (Some(commit.to_owned()), 0);
            self.path.clear();
        } else if let Some(name) = line.strip_prefix("+++ ") {
            self.path = file_name(name);
        } else if line.starts_with("@@ ") {
            (self.hunk, self.line) = hunk(line);
        }
    }

    fn judge(&mut self, line: &[u8]) {
        self.judge_as(line, self.line);
    }

    fn judge_as(&mut self, line: &[u8], number: u64) {
        let Some(rule) = met_by(line) else { return };
        let (path, commit) = (self.path.clone(), self.commit.clone());
        let finding = Finding { path, line: number, rule: rule.to_owned(), commit };
        // Pieces of one line overlap.
        if self.findings.len() < MAX_FINDINGS && self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }
}

/// `@@ -7,2 +9,3 @@`: what is to come, and the first new line.
fn hunk(line: &str) -> (Hunk, u64) {
    let mut sides = line.split(' ').skip(1).take(2).map(|side| {
        let (start, count) =
            side[1.min(side.len())..].split_once(',').unwrap_or((&side[1.min(side.len())..], "1"));
        (start.parse().unwrap_or(0), count.parse().unwrap_or(0))
    });
    let (_, removed) = sides.next().unwrap_or((0, 0));
    let (start, added) = sides.next().unwrap_or((0, 0));
    (Hunk { removed, added }, start)
}

/// `b/dir/file`, `"b/with \"quotes\"\n"`, each perhaps with a tab after it.
fn file_name(text: &str) -> String {
    let text = text.trim_end_matches('\t');
    let plain = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => unquote(quoted),
        None => text.to_owned(),
    };
    plain.strip_prefix("b/").map_or(plain.clone(), str::to_owned)
}

/// Git's C-style quoting.
fn unquote(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'v') => 11,
            Some(high @ b'0'..=b'3') => octal(high, rest.next(), rest.next()),
            Some(other) => other,
            None => b'\\',
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(high: u8, middle: Option<u8>, low: Option<u8>) -> u8 {
    let digit = |byte: Option<u8>| byte.map_or(0, |b| b.wrapping_sub(b'0') & 7);
    (digit(Some(high)) << 6) | (digit(middle) << 3) | digit(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(diff: &str) -> Vec<(String, u64)> {
        let mut scanner = Scanner::of_diff();
        for piece in diff.as_bytes().chunks(7) {
            scanner.feed(piece);
        }
        scanner.finish().into_iter().map(|finding| (finding.path, finding.line)).collect()
    }

    fn token() -> String {
        format!("{}_{}", "ghp", "a".repeat(36))
    }

    #[test]
    fn c24_only_added_lines_count_and_they_are_numbered() {
        let token = token();
        let diff = format!(
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@ fn\n-{token}\n+fine\n+t={token}\n@@ -9,0 +11 @@\n+{token}\n"
        );
        assert_eq!(scan(&diff), [("x".to_owned(), 2), ("x".to_owned(), 11)]);
    }

    #[test]
    fn c24_a_line_that_looks_like_a_head_does_not_mislead() {
        let token = token();
        let diff = format!(
            "+++ b/real\n@@ -0,0 +1,4 @@\n+++ b/other\n+@@ -1,9 +1,9 @@\n+commit x\n+{token}\n\\ No newline\n"
        );
        assert_eq!(scan(&diff), [("real".to_owned(), 4)]);
    }

    // C24: minified code and files whose line ends are of another kind are one line.
    #[test]
    fn c24_a_secret_far_into_a_line_is_found_once() {
        let token = token();
        for before in [MAX_LINE_BYTES - 20, MAX_LINE_BYTES + 10, 1_000_000] {
            let far = format!("{} {token} {}", "x ".repeat(before / 2), "y ".repeat(70_000));
            let diff = format!("+++ b/min.js\n@@ -0,0 +1,2 @@\n+{far}\n+{token}\n");
            assert_eq!(scan(&diff), [("min.js".to_owned(), 1), ("min.js".to_owned(), 2)], "{before}");
            let mut scanner = Scanner::of_messages();
            scanner.feed(format!("commit abc\n subject\n {far}\n").as_bytes());
            let found: Vec<u64> = scanner.finish().iter().map(|finding| finding.line).collect();
            assert_eq!(found, [2], "{before}");
        }
    }

    #[test]
    fn c24_quoted_names_are_read() {
        let diff = format!("+++ \"b/a\\n\\\"\\303\\244\\t.txt\"\n@@ -0,0 +1 @@\n+{}\n", token());
        assert_eq!(scan(&diff), [("a\n\"ä\t.txt".to_owned(), 1)]);
        assert_eq!(file_name("b/with blank\t"), "with blank");
    }

    #[test]
    fn c24_garbage_is_not_a_panic() {
        for text in
            ["@@", "@@ ", "@@ - +", "@@ x y", "+++ \"b/\\", "@@ -1,99999999999999999999 +1 @@\n+x", "\u{0}"]
        {
            assert!(scan(text).is_empty());
        }
    }
}
