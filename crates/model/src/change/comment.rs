//! Comments with which a person sends a change back (C23).

use crate::refusal::Fault;
use serde::{Deserialize, Serialize};

/// Most comments of one send-back.
pub const MAX_COMMENTS: usize = 200;
/// Longest comment in bytes.
pub const MAX_COMMENT_BYTES: usize = 8 * 1024;

/// A comment on a line, on a file, or on the whole change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The file; the whole change when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of the new file, from 1; the whole file when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What to do about it.
    pub text: String,
}

/// Every failure of a send-back's comments, each with its place; `files` are the paths of the change.
pub fn faults(comments: &[Comment], files: &[&str]) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut check = |ok: bool, field: String, error: &str| {
        if !ok {
            found.push(Fault { field, error: error.to_owned() });
        }
    };
    let count = (1..=MAX_COMMENTS).contains(&comments.len());
    check(count, "/comments".to_owned(), "must be 1 to 200: say what the agent is to do");
    for (place, comment) in comments.iter().enumerate().take(MAX_COMMENTS) {
        let at = |field: &str| format!("/comments/{place}/{field}");
        let text = !comment.text.trim().is_empty() && comment.text.len() <= MAX_COMMENT_BYTES;
        check(text, at("text"), "must be 1 to 8,192 bytes");
        let known = comment.path.as_deref().is_none_or(|path| files.contains(&path));
        check(known, at("path"), "must be a file that the change changes");
        let placed = comment.line.is_none_or(|line| line >= 1 && comment.path.is_some());
        check(placed, at("line"), "must be 1 or more, of a file that is named");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(path: Option<&str>, line: Option<u32>, text: &str) -> Comment {
        Comment { path: path.map(str::to_owned), line, text: text.to_owned() }
    }

    fn fields(comments: &[Comment]) -> Vec<String> {
        faults(comments, &["a.rs"]).into_iter().map(|fault| fault.field).collect()
    }

    // C23: a change is sent back with comments on lines.
    #[test]
    fn c23_comments_are_on_lines_files_or_the_whole() {
        let good = [
            comment(Some("a.rs"), Some(3), "no"),
            comment(Some("a.rs"), None, "no"),
            comment(None, None, "no"),
        ];
        assert_eq!(fields(&good), [""; 0]);
    }

    #[test]
    fn comments_are_limited_and_about_the_change() {
        assert_eq!(fields(&[]), ["/comments"]);
        let bad =
            [comment(Some("b.rs"), Some(0), " "), comment(None, Some(1), &"x".repeat(MAX_COMMENT_BYTES + 1))];
        let expected = [
            "/comments/0/text",
            "/comments/0/path",
            "/comments/0/line",
            "/comments/1/text",
            "/comments/1/line",
        ];
        assert_eq!(fields(&bad), expected);
        let many = vec![comment(None, None, "x"); MAX_COMMENTS + 1];
        assert_eq!(fields(&many), ["/comments"]);
    }
}
