//! What people type: ids, JSON, files and standard input.

use crate::exit::Failure;
use serde_json::value::RawValue;
use std::io::Read;
use tiltyard_model::id::{Id, Noun};

/// Most bytes that are read from a file or standard input for one argument.
pub const MAX_INPUT_BYTES: u64 = 16 * 1024 * 1024;

fn id_of(noun: Noun, example: &str, text: &str) -> Result<Id, String> {
    Id::parse_as(noun, text)
        .map_err(|_| format!("is no id of a {example}: expected {}_ and 26 characters", noun.prefix()))
}

/// Reads the id of a task.
///
/// # Errors
/// When it is none.
pub fn task_id(text: &str) -> Result<Id, String> {
    id_of(Noun::Task, "task", text)
}

/// Reads the id of a change.
///
/// # Errors
/// When it is none.
pub fn change_id(text: &str) -> Result<Id, String> {
    id_of(Noun::Change, "change", text)
}

/// Reads the id of a gate.
///
/// # Errors
/// When it is none.
pub fn gate_id(text: &str) -> Result<Id, String> {
    id_of(Noun::Gate, "gate", text)
}

/// Reads the id of a dead letter.
///
/// # Errors
/// When it is none.
pub fn dead_letter_id(text: &str) -> Result<Id, String> {
    id_of(Noun::DeadLetter, "dead letter", text)
}

/// Reads the id of a run.
///
/// # Errors
/// When it is none.
pub fn run_id(text: &str) -> Result<Id, String> {
    id_of(Noun::Run, "run", text)
}

/// Reads the id of a token.
///
/// # Errors
/// When it is none.
pub fn token_id(text: &str) -> Result<Id, String> {
    id_of(Noun::Token, "token", text)
}

/// Reads the id of something that is decided on: a change or a gate.
///
/// # Errors
/// When it is none of them.
pub fn decidable_id(text: &str) -> Result<Id, String> {
    let id = text.parse::<Id>().ok();
    let id = id.filter(|id| matches!(id.noun(), Noun::Change | Noun::Gate | Noun::Run));
    id.ok_or_else(|| "is no id of a change (chg_…), a gate (gate_…) or a run (run_…)".to_owned())
}

/// The text of an argument: itself, the file behind `@`, or standard input for `-`.
///
/// # Errors
/// When file or standard input cannot be read, is too large or no UTF-8.
pub fn text(argument: &str) -> Result<String, Failure> {
    if argument == "-" {
        return read("standard input", &mut std::io::stdin().lock());
    }
    match argument.strip_prefix('@') {
        Some(path) => file(path),
        None => Ok(argument.to_owned()),
    }
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// As [`text()`].
pub fn file(path: &str) -> Result<String, Failure> {
    if path == "-" {
        return text(path);
    }
    let mut file = std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("{path} cannot be read: {error}")))?;
    read(path, &mut file)
}

fn read(name: &str, from: &mut dyn Read) -> Result<String, Failure> {
    let mut text = String::new();
    let wrong = |why: String| Failure::usage(format!("{name} cannot be read: {why}"));
    from.take(MAX_INPUT_BYTES + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MAX_INPUT_BYTES {
        return Err(wrong(format!("it is larger than {MAX_INPUT_BYTES} bytes")));
    }
    Ok(text)
}

/// The JSON of an argument, kept as it was written.
///
/// # Errors
/// As [`text()`], and when it is no JSON.
pub fn json(argument: &str) -> Result<Box<RawValue>, Failure> {
    let text = text(argument)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("the payload is no JSON: {error}"))
            .hint("@FILE reads a file, - reads standard input")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    const TASK: &str = "task_01h2xcejqtf2nbrexx3vqjhp41";

    #[test]
    fn ids_of_another_noun_are_refused_here_and_not_at_the_server() {
        assert!(task_id(TASK).is_ok() && change_id(TASK).is_err() && decidable_id(TASK).is_err());
        assert!(decidable_id(&TASK.replace("task", "gate")).is_ok());
        assert!(task_id("task_1").is_err_and(|text| text.contains("expected task_ and 26 characters")));
    }

    #[test]
    fn json_comes_from_the_argument_or_a_file() {
        assert_eq!(json("{\"a\": 1}").expect("is JSON").get(), "{\"a\": 1}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.json");
        std::fs::write(&path, "[1]").expect("writes");
        assert_eq!(json(&format!("@{}", path.display())).expect("is JSON").get(), "[1]");
        assert_eq!(json("{").map_err(|failure| failure.exit).err(), Some(Exit::Usage));
        assert_eq!(json("@/does/not/exist").map_err(|failure| failure.exit).err(), Some(Exit::Usage));
    }
}
