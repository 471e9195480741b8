//! What git found, in the words that the server hears (`tiltyard_wire::work`).

use super::Performed;
use crate::git::{self, FileChange, FileStatus, Finding, GitError};
use crate::outcome::Verdict;
use serde_json::value::RawValue;
use tiltyard_wire::model::change::diff::{Content, FileDiff, Mode, Status};
use tiltyard_wire::model::change::weigh::SecretFinding;
use tiltyard_wire::work;

/// An answer that is told as the result of a task that has succeeded, made small enough first.
pub(super) fn told(answer: impl work::Fit) -> Performed {
    let verdict = match RawValue::from_string(answer.to_text()) {
        Ok(result) if result.get().len() <= work::MAX_RESULT_BYTES => {
            Verdict::Succeeded { result: Some(result) }
        }
        Ok(_) => Verdict::refused("the answer is larger than a result may be, however it is shortened"),
        Err(error) => Verdict::refused(format!("the answer cannot be written as JSON: {error}")),
    };
    Performed::told(verdict)
}

/// A failure of git's that may pass.
pub(super) fn failed(error: &GitError) -> Performed {
    Performed::told(Verdict::failed(error.to_string()))
}

/// A refusal.
pub(super) fn refused(refused: &git::Refused) -> work::Refused {
    work::Refused { code: word(&refused.code), reason: refused.reason.clone() }
}

/// The stable word of something that is one word in JSON.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The text of a `.tiltyard.toml`.
pub(super) fn rules(text: Option<String>) -> Option<work::RulesFile> {
    text.map(|text| {
        let sha256 = git::rules_digest(&text);
        work::RulesFile { sha256, text: (text.len() <= work::MAX_RULES_BYTES).then_some(text) }
    })
}

/// The files of a change.
pub(super) fn files(files: Vec<FileChange>) -> work::Files {
    work::Files { listed: files.into_iter().map(file).collect(), more: 0 }
}

fn file(file: FileChange) -> FileDiff {
    let FileChange { path, old_path, status, added, deleted, old_mode, new_mode } = file;
    let content = if added.is_none() { Content::Binary } else { Content::Text };
    let count = |lines: Option<u64>| u32::try_from(lines.unwrap_or(0)).unwrap_or(u32::MAX);
    let (added, removed) = (count(added), count(deleted));
    let (old_mode, new_mode) = (mode(&old_mode), mode(&new_mode));
    let only_mode = content == Content::Text && added == 0 && removed == 0 && old_mode != new_mode;
    let status = match status {
        FileStatus::Added => Status::Added,
        FileStatus::Deleted => Status::Deleted,
        FileStatus::Renamed => Status::Renamed,
        FileStatus::Copied => Status::Copied,
        FileStatus::Modified if only_mode => Status::Mode,
        FileStatus::Modified | FileStatus::TypeChanged => Status::Modified,
    };
    FileDiff { path, from: old_path, status, added, removed, content, old_mode, new_mode }
}

fn mode(octal: &str) -> Option<Mode> {
    match octal {
        "100755" => Some(Mode::Executable),
        "120000" => Some(Mode::Link),
        "160000" => Some(Mode::Submodule),
        "000000" => None,
        _ => Some(Mode::Plain),
    }
}

/// What looks like a secret.
pub(super) fn secrets(found: Vec<Finding>) -> Vec<SecretFinding> {
    let secret = |found: Finding| {
        let kind = match found.commit {
            Some(commit) => format!("{} (only in the commit {commit})", found.rule),
            None => found.rule,
        };
        SecretFinding { file: found.path, line: u32::try_from(found.line).unwrap_or(u32::MAX), kind }
    };
    found.into_iter().map(secret).collect()
}

/// What came of checks.
pub(super) fn check_runs(reports: Vec<git::CheckReport>) -> Vec<work::CheckRun> {
    let run = |report: git::CheckReport| work::CheckRun {
        name: report.name,
        status: match report.status {
            git::CheckStatus::Passed => work::CheckStatus::Passed,
            git::CheckStatus::Failed => work::CheckStatus::Failed,
            git::CheckStatus::TimedOut => work::CheckStatus::TimedOut,
            git::CheckStatus::Missing => work::CheckStatus::Missing,
        },
        exit: report.exit,
        duration_ms: i64::try_from(report.duration_ms).unwrap_or(i64::MAX),
        log_tail: report.log_tail,
    };
    reports.into_iter().map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(status: FileStatus, lines: Option<u64>, modes: [&str; 2]) -> FileDiff {
        let [old_mode, new_mode] = modes.map(str::to_owned);
        file(FileChange {
            path: "a".into(),
            old_path: None,
            status,
            added: lines,
            deleted: lines,
            old_mode,
            new_mode,
        })
    }

    #[test]
    fn c22_files_are_told_with_what_the_rules_weigh() {
        let made = change(FileStatus::Added, Some(3), ["000000", "100755"]);
        assert_eq!(
            (made.status, made.added, made.old_mode, made.new_mode),
            (Status::Added, 3, None, Some(Mode::Executable))
        );
        assert_eq!(change(FileStatus::Modified, Some(0), ["100644", "100755"]).status, Status::Mode);
        assert_eq!(change(FileStatus::Modified, None, ["100644", "100644"]).content, Content::Binary);
        let link = change(FileStatus::TypeChanged, Some(1), ["100644", "120000"]);
        assert_eq!((link.status, link.new_mode), (Status::Modified, Some(Mode::Link)));
    }

    #[test]
    fn c24_a_secret_of_an_earlier_commit_is_told_as_one() {
        let finding = |commit| Finding { path: "a".into(), line: 7, rule: "aws_key".into(), commit };
        let told = secrets(vec![finding(None), finding(Some("abc".into()))]);
        assert_eq!((told[0].kind.as_str(), told[0].line), ("aws_key", 7));
        assert_eq!(told[1].kind, "aws_key (only in the commit abc)");
    }

    #[test]
    fn c19_refusals_keep_their_word_and_rules_their_digest() {
        let told = refused(&git::Refused::new(git::RefusedCode::OutsideRoots, "there"));
        assert_eq!((told.code.as_str(), told.reason.as_str()), ("outside_roots", "there"));
        assert_eq!(rules(None), None);
        let long = rules(Some("#".repeat(work::MAX_RULES_BYTES + 1))).expect("is there");
        assert_eq!((long.text, long.sha256.len()), (None, 64));
    }
}
