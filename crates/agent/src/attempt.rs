//! An attempt as this host knows it: the task's id and the generation of its lease.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest task id in characters.
pub const MAX_TASK_ID_CHARS: usize = 80;

/// One try at one task. Its text form `<task>.<generation>` names files and folders, so the letters of the
/// id are a closed set and no id can leave its folder (SEC16).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptKey {
    task: String,
    generation: i64,
}

/// Why something names no attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no attempt: a task id is 1 to {MAX_TASK_ID_CHARS} characters of a-z, 0-9, `_` and `-`, \
     a generation a number above 0"
)]
pub struct BadAttemptKey(String);

impl AttemptKey {
    /// The attempt `generation` (from 1) at `task`.
    ///
    /// # Errors
    /// [`BadAttemptKey`] when the id has other letters than an id may have, or the generation is 0.
    pub fn new(task: &str, generation: i64) -> Result<Self, BadAttemptKey> {
        if is_task_id(task) && generation > 0 {
            Ok(Self { task: task.to_owned(), generation })
        } else {
            Err(BadAttemptKey(task.chars().take(MAX_TASK_ID_CHARS).collect()))
        }
    }

    /// The task's id.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The fencing token of the lease.
    pub fn generation(&self) -> i64 {
        self.generation
    }
}

fn is_task_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
    first && bytes.len() <= MAX_TASK_ID_CHARS && bytes.iter().all(|byte| is_id_byte(*byte))
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task, self.generation)
    }
}

impl FromStr for AttemptKey {
    type Err = BadAttemptKey;

    fn from_str(text: &str) -> Result<Self, BadAttemptKey> {
        let bad = || BadAttemptKey(text.chars().take(MAX_TASK_ID_CHARS).collect());
        let (task, generation) = text.split_once('.').ok_or_else(bad)?;
        let number: i64 = generation.parse().map_err(|_| bad())?;
        let key = Self::new(task, number)?;
        // One attempt has one name: no `+1`, no `01`.
        if key.to_string() == text { Ok(key) } else { Err(bad()) }
    }
}

impl TryFrom<String> for AttemptKey {
    type Error = BadAttemptKey;

    fn try_from(text: String) -> Result<Self, BadAttemptKey> {
        text.parse()
    }
}

impl From<AttemptKey> for String {
    fn from(key: AttemptKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_survives_the_round_trip() {
        let key = AttemptKey::new("task_01h2xcejqtf2nbrexx3vqjhp41", 1_000_001).expect("is a key");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn sec16_no_name_can_leave_its_folder() {
        for bad in ["", ".", "..", "../x", "a/b", "/etc", "task_1\0", "A", "-x", "_x", "a b", &"x".repeat(81)]
        {
            assert!(AttemptKey::new(bad, 1).is_err(), "{bad}");
        }
        for bad in [
            "task_1",
            "task_1.",
            "task_1.0",
            "task_1.-1",
            "task_1.01",
            "task_1.+1",
            "task_1.1.1",
            "../x.1",
            ".1",
        ] {
            assert!(bad.parse::<AttemptKey>().is_err(), "{bad}");
        }
        assert!(AttemptKey::new("task_1", 0).is_err());
    }
}
