//! The three ideas: what is wanted, by which program, and what should become of it.

use crate::exit::Failure;
use serde_json::value::to_raw_value;
use std::path::Path;
use tiltyard_model::change::work::{Idea, Program};
use tiltyard_model::id::Id;
use tiltyard_model::task::retry::{Backoff, BackoffKind, Jitter};
use tiltyard_wire::task::Submit;

/// Attempts of each: enough to see that a failure is tried again.
const ATTEMPTS: u32 = 2;
/// Between two attempts, in milliseconds.
const PAUSE_MS: i64 = 300;

/// One idea of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scripted {
    /// What the story calls it.
    pub(super) name: &'static str,
    /// One line for people.
    pub(super) title: &'static str,
    /// The program that does it.
    script: &'static str,
    /// What to expect.
    pub(super) expected: &'static str,
}

/// In the order in which they are handed in.
pub(super) const ALL: [Scripted; 3] = [
    Scripted {
        name: "hours",
        title: "Tell the new opening hours in the README",
        script: "hours.sh",
        expected: "documentation only, so it should merge by itself",
    },
    Scripted {
        name: "discount",
        title: "Give 12 % from ten loaves on",
        script: "discount.sh",
        expected: "a protected path, so it should wait for a person",
    },
    Scripted {
        name: "import",
        title: "Import the wholesaler's price list",
        script: "import.sh",
        expected: "its program always fails, so it should end as a dead letter",
    },
];

/// An idea that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Submitted {
    pub(super) idea: Scripted,
    pub(super) task: Id,
}

impl Scripted {
    /// The task that it is handed in as.
    pub(super) fn body(&self, repository: &str, folder: &Path) -> Result<Submit, Failure> {
        let script = folder.join("idea").join(self.script).display().to_string();
        let idea = Idea {
            repository: repository.to_owned(),
            prompt: self.title.to_owned(),
            program: Some(Program::Argv(vec!["sh".to_owned(), script])),
            ..Idea::default()
        };
        Ok(Submit {
            kind: "change".to_owned(),
            title: self.title.to_owned(),
            payload: Some(to_raw_value(&idea).map_err(|error| Failure::failed(error.to_string()))?),
            max_attempts: Some(ATTEMPTS),
            backoff: Some(Backoff {
                kind: BackoffKind::Fixed,
                base_ms: PAUSE_MS,
                max_ms: PAUSE_MS,
                jitter: Jitter::None,
            }),
            ..Submit::default()
        })
    }
}
