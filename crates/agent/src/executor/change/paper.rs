//! What the program is told: the prompt, the criteria and what became of earlier attempts, in files beside its clone
//! and in its environment.

use crate::git::WorkClone;
use std::fmt::Write;
use std::io;
use std::path::Path;
use tiltyard_wire::model::change::comment::Comment;
use tiltyard_wire::work::{ChangePayload, Feedback};

/// Longest text in one variable, in bytes; the kernel takes 128 KiB. All of it is in the file.
const MAX_VARIABLE_BYTES: usize = 96 * 1024;
/// The brief: prompt, criteria, and what to do about earlier attempts.
const PROMPT_FILE: &str = "prompt.md";
/// What became of earlier attempts, as JSON.
const FEEDBACK_FILE: &str = "feedback.json";

/// Every variable that a program may find beside the agent's own environment.
pub const PROGRAM_VARIABLES: [&str; 10] = [
    "TILTYARD_PROMPT",
    "TILTYARD_PROMPT_FILE",
    "TILTYARD_CRITERIA",
    "TILTYARD_FEEDBACK",
    "TILTYARD_FEEDBACK_FILE",
    "TILTYARD_CONFLICTS",
    "TILTYARD_TASK",
    "TILTYARD_GENERATION",
    "TILTYARD_REPOSITORY",
    "TILTYARD_BASE",
];

/// What a program is told about one attempt.
pub(super) struct Brief<'a> {
    pub(super) title: &'a str,
    pub(super) payload: &'a ChangePayload,
    pub(super) clone: &'a WorkClone,
    pub(super) task: &'a str,
    pub(super) generation: i64,
}

impl Brief<'_> {
    /// Writes the files, and gives the variables.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self) -> io::Result<Vec<(String, String)>> {
        let papers = self.clone.papers();
        let (prompt, feedback) = (papers.join(PROMPT_FILE), papers.join(FEEDBACK_FILE));
        std::fs::write(&prompt, self.text())?;
        std::fs::write(&feedback, serde_json::to_vec_pretty(&self.payload.given.feedback)?)?;
        Ok(self.variables(&prompt, &feedback))
    }

    fn variables(&self, prompt: &Path, feedback: &Path) -> Vec<(String, String)> {
        let last = self.payload.given.feedback.last().map(told).unwrap_or_default();
        let values = [
            self.text(),
            prompt.to_string_lossy().into_owned(),
            self.payload.criteria.join("\n"),
            last,
            feedback.to_string_lossy().into_owned(),
            self.clone.conflicts.join("\n"),
            self.task.to_owned(),
            self.generation.to_string(),
            self.payload.repository.clone(),
            self.clone.base.to_string(),
        ];
        PROGRAM_VARIABLES.iter().zip(values).map(|(name, value)| ((*name).to_owned(), fit(&value))).collect()
    }

    /// All of it, for people and programs that read.
    fn text(&self) -> String {
        let mut text = format!("# {}\n\n{}\n", self.title, self.payload.prompt.trim());
        if !self.payload.criteria.is_empty() {
            text.push_str("\n## It is right when\n\n");
            self.payload.criteria.iter().for_each(|line| item(&mut text, line));
        }
        if !self.clone.conflicts.is_empty() {
            text.push_str("\n## Conflicts with the newest base, marked in these files: resolve them\n\n");
            self.clone.conflicts.iter().for_each(|file| item(&mut text, file));
        }
        let feedback = &self.payload.given.feedback;
        if !feedback.is_empty() {
            text.push_str("\n## What became of earlier attempts, the last one at the end: act on that\n");
            feedback.iter().for_each(|one| text.push_str(&told(one)));
        }
        text
    }
}

fn told(feedback: &Feedback) -> String {
    let mut text = String::new();
    match feedback {
        Feedback::Checks { generation, red } => {
            heading(&mut text, *generation, "its checks failed");
            for check in red {
                // Indented, so that no output can end the block early.
                let log = check.log.lines().fold(String::new(), |log, line| log + "    " + line + "\n");
                text.push_str(&format!("\nCheck `{}`, the end of its output:\n\n{log}", check.name));
            }
        }
        Feedback::Conflict { generation, files } => {
            heading(&mut text, *generation, "it did not fit onto the newest base");
            text.push('\n');
            files.iter().for_each(|file| item(&mut text, file));
        }
        Feedback::Comments { generation, by, comments } => {
            heading(&mut text, *generation, &format!("{by} sent it back"));
            text.push('\n');
            comments.iter().for_each(|comment| item(&mut text, &placed(comment)));
        }
    }
    text
}

fn heading(text: &mut String, generation: i64, what: &str) {
    write!(text, "\n### Attempt {generation}: {what}\n").expect("a String takes any text");
}

/// One point of a list, whatever lines it has.
fn item(text: &mut String, point: &str) {
    let point = point.trim().lines().collect::<Vec<_>>().join("\n  ");
    writeln!(text, "- {point}").expect("a String takes any text");
}

fn placed(comment: &Comment) -> String {
    match (&comment.path, comment.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: {}", comment.text),
        (Some(path), None) => format!("{path}: {}", comment.text),
        _ => comment.text.clone(),
    }
}

/// A text that a variable can hold.
fn fit(text: &str) -> String {
    let mut text = text.replace('\0', "");
    text.truncate(text.floor_char_boundary(MAX_VARIABLE_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Branch, Oid};
    use tiltyard_wire::model::change::step::RedCheck;

    fn with<T>(
        edit: impl FnOnce(&mut ChangePayload, &mut WorkClone),
        look: impl FnOnce(Brief<'_>) -> T,
    ) -> T {
        let mut payload: ChangePayload = serde_json::from_value(serde_json::json!({
            "repository": "app", "prompt": "Mend it.", "criteria": ["Tests pass", "No\nwarnings"],
            "given": { "repository": { "scope": "default", "name": "app", "path": "/r", "branch": "main" },
                "start": { "from": "base" } },
        }))
        .expect("is a payload");
        let oid = Oid::try_from("a".repeat(40)).expect("is an id");
        let branch = Branch::try_from("tiltyard/x").expect("is a branch");
        let folder = "/clones/task_1-2".into();
        let mut clone = WorkClone {
            folder,
            branch,
            base: oid.clone(),
            start: oid,
            conflicts: Vec::new(),
            merging: false,
            shallow: Vec::new(),
        };
        edit(&mut payload, &mut clone);
        look(Brief { title: "Mend", payload: &payload, clone: &clone, task: "task_1", generation: 2 })
    }

    #[test]
    fn c11_the_brief_has_prompt_criteria_and_every_earlier_word() {
        let text = with(
            |payload, clone| {
                clone.conflicts = vec!["a.txt".into()];
                payload.given.feedback = vec![
                    Feedback::Checks {
                        generation: 1,
                        red: vec![RedCheck { name: "unit".into(), log: "```\nboom\n".into() }],
                    },
                    Feedback::Conflict { generation: 2, files: vec!["a.txt".into()] },
                    Feedback::Comments {
                        generation: 3,
                        by: "ada".into(),
                        comments: vec![Comment {
                            path: Some("a.txt".into()),
                            line: Some(7),
                            text: "shorter".into(),
                        }],
                    },
                ];
            },
            |brief| brief.text(),
        );
        for part in [
            "# Mend\n\nMend it.\n",
            "- Tests pass\n- No\n  warnings\n",
            "resolve them\n\n- a.txt\n",
            "### Attempt 1: its checks failed\n\nCheck `unit`, the end of its output:\n\n    ```\n    boom\n",
            "### Attempt 2: it did not fit onto the newest base\n\n- a.txt\n",
            "### Attempt 3: ada sent it back\n\n- a.txt:7: shorter\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn c11_variables_hold_what_the_kernel_takes() {
        let long = "é\0".repeat(200_000);
        let variables = with(
            |payload, _| payload.prompt = long,
            |brief| brief.variables(Path::new("/p/prompt.md"), Path::new("/p/feedback.json")),
        );
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, PROGRAM_VARIABLES);
        assert!(
            variables.iter().all(|(_, value)| value.len() <= MAX_VARIABLE_BYTES && !value.contains('\0'))
        );
        assert_eq!(variables[2].1, "Tests pass\nNo\nwarnings");
        assert_eq!((variables[6].1.as_str(), variables[7].1.as_str()), ("task_1", "2"));
    }
}
