//! C24: secrets in what a change adds. A finding names path, line and rule, and never repeats the secret.

mod diff;
mod entropy;
mod rule;

use serde::{Deserialize, Serialize};

use super::command::GitError;
use super::diff::Span;
use super::private::Private;

pub use diff::Scanner;

/// The most findings that are listed; more of them change nothing.
pub const MAX_FINDINGS: usize = 100;
/// The most bytes of diff that are scanned; a change with more is a finding by itself.
pub const MAX_SCANNED_BYTES: u64 = 256 * 1024 * 1024;
/// The rule of a change that is too large to be scanned.
pub const RULE_TOO_LARGE: &str = "too_large_to_scan";

/// A line that seems to hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file; empty for a commit's message.
    pub path: String,
    /// The line in the file as it is after the change (or in the message), counted from 1.
    pub line: u64,
    /// Which pattern it met.
    pub rule: String,
    /// The commit, when the secret is only in the change's history and no longer in its end: it would leave the
    /// machine all the same.
    pub commit: Option<String>,
}

/// Scans a change: its diff, each of its commits, and their messages.
pub(crate) async fn scan(repo: &Private, span: Span<'_>) -> Result<Vec<Finding>, GitError> {
    let range = format!("{}..{}", span.merge_base, span.head);
    let end = ["diff", span.merge_base.as_str(), span.head.as_str()];
    let history = ["log", "--format=commit %H", "-p", "--diff-merges=remerge", &range];
    let messages = ["log", "--format=commit %H%n%w(0,1,1)%B", "--no-patch", &range];
    let mut findings = Vec::new();
    for (args, is_messages) in [(&end[..], false), (&history[..], false), (&messages[..], true)] {
        let mut scanner = if is_messages { Scanner::of_messages() } else { Scanner::of_diff() };
        let call = repo.call("scan the change for secrets").attributes_of(span.head.empty_tree());
        let call = call.limit(MAX_SCANNED_BYTES).args(&args[..1]);
        let call =
            call.args(["-U0", "--text", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"]);
        let call = call
            .args(["--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"])
            .args(&args[1..])
            .args(["--"]);
        let mut fed = |part: &[u8]| {
            scanner.feed(part);
            Ok(())
        };
        match call.stream(&mut fed).await {
            Err(GitError::TooMuch { .. }) => findings.push(too_large()),
            other => other?,
        }
        add(&mut findings, scanner.finish());
    }
    findings.truncate(MAX_FINDINGS);
    Ok(findings)
}

/// A line of the end is also a line of the commit that brought it: named once.
fn add(findings: &mut Vec<Finding>, more: Vec<Finding>) {
    for finding in more {
        let known =
            |seen: &Finding| seen.path == finding.path && seen.rule == finding.rule && seen.commit.is_none();
        if !findings.iter().any(known) {
            findings.push(finding);
        }
    }
}

fn too_large() -> Finding {
    Finding { path: String::new(), line: 0, rule: RULE_TOO_LARGE.to_owned(), commit: None }
}
