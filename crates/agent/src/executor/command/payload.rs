//! What a task of the kind `command` asks for.

use crate::process::{Run, environment};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// Why a payload is no command. The same everywhere: another try is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload is no command: {0}")]
pub struct BadPayload(String);

/// A command, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPayload {
    /// What to run.
    pub run: Run,
    /// Variables to set, or to take away (`null`).
    pub env: BTreeMap<String, Option<String>>,
    /// The working folder; a relative one lies in the attempt's folder, which is also the default.
    pub cwd: Option<String>,
    /// Standard input: a text as it is, other JSON as JSON.
    pub stdin: Vec<u8>,
}

#[derive(Deserialize)]
struct Shape {
    argv: Words,
    #[serde(default)]
    shell: bool,
    #[serde(default)]
    env: BTreeMap<String, Option<String>>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    stdin: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl CommandPayload {
    /// Reads `{argv, shell?, env?, cwd?, stdin?}`; what else stands there is for others. `argv` is a list of texts;
    /// with `shell: true` it is one text (or a list, joined with blanks) for `/bin/sh -c`.
    ///
    /// # Errors
    /// [`BadPayload`], with a sentence that says what to change.
    pub fn read(payload: &RawValue) -> Result<Self, BadPayload> {
        let shape: Shape = serde_json::from_str(payload.get()).map_err(|error| BadPayload(plain(&error)))?;
        let run = run_of(shape.argv, shape.shell)?;
        for (name, value) in &shape.env {
            if let Some(objection) = environment::objection(name, value.as_deref().unwrap_or_default()) {
                return Err(BadPayload(format!("env: {objection}")));
            }
        }
        if let Some(objection) = shape.cwd.as_deref().and_then(folder_objection) {
            return Err(BadPayload(objection));
        }
        let stdin = match shape.stdin {
            Value::Null => Vec::new(),
            Value::String(text) => text.into_bytes(),
            other => other.to_string().into_bytes(),
        };
        Ok(Self { run, env: shape.env, cwd: shape.cwd, stdin })
    }
}

fn run_of(words: Words, shell: bool) -> Result<Run, BadPayload> {
    let run = match (words, shell) {
        (Words::Text(text), true) => Run::Shell(text),
        (Words::List(list), true) => Run::Shell(list.join(" ")),
        (Words::List(list), false) => Run::Argv(list),
        (Words::Text(_), false) => {
            let text =
                "argv is one text: give a list of texts, or set shell to true to have it run by /bin/sh";
            return Err(BadPayload(text.to_owned()));
        }
    };
    match &run {
        Run::Argv(list) if list.first().is_none_or(String::is_empty) => {
            Err(BadPayload("argv is empty: its first text names the program".to_owned()))
        }
        Run::Shell(text) if text.trim().is_empty() => {
            Err(BadPayload("argv is an empty shell text".to_owned()))
        }
        Run::Argv(list) if list.iter().any(|word| word.contains('\0')) => Err(nul()),
        Run::Shell(text) if text.contains('\0') => Err(nul()),
        _ => Ok(run),
    }
}

fn nul() -> BadPayload {
    BadPayload("argv holds a NUL character, which no program can be given".to_owned())
}

fn folder_objection(cwd: &str) -> Option<String> {
    let path = Path::new(cwd);
    if cwd.is_empty() || cwd.contains('\0') {
        Some("cwd is no folder's name".to_owned())
    } else if path.is_relative() && path.components().any(|part| part == Component::ParentDir) {
        Some("cwd leads out of the attempt's folder: give an absolute path, or one without `..`".to_owned())
    } else {
        None
    }
}

/// serde's sentence without the place, which counts in a text that nobody sees.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    if text.contains("untagged") { "argv must be a list of texts".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<CommandPayload, String> {
        let payload: Box<RawValue> = serde_json::from_str(json).expect("is JSON");
        CommandPayload::read(&payload).map_err(|error| error.to_string())
    }

    #[test]
    fn c10_a_command_is_an_argv_and_a_shell_text_only_when_it_says_so() {
        let argv = read(r#"{"argv": ["echo", "a b"], "note": 1}"#).expect("is a command");
        assert_eq!(argv.run, Run::Argv(vec!["echo".to_owned(), "a b".to_owned()]));
        let shell = Run::Shell("echo a | wc".to_owned());
        assert_eq!(read(r#"{"argv": "echo a | wc", "shell": true}"#).expect("is a command").run, shell);
        assert_eq!(read(r#"{"argv": ["echo a", "| wc"], "shell": true}"#).expect("is a command").run, shell);
    }

    #[test]
    fn c10_everything_else_is_read_too() {
        let json = r#"{"argv": ["x"], "env": {"A": "1", "B": null}, "cwd": "sub", "stdin": {"k": [1]}}"#;
        let command = read(json).expect("is a command");
        assert_eq!(
            command.env,
            BTreeMap::from([("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)])
        );
        assert_eq!((command.cwd.as_deref(), command.stdin), (Some("sub"), br#"{"k":[1]}"#.to_vec()));
        assert_eq!(read(r#"{"argv": ["x"], "stdin": "a\n"}"#).expect("is a command").stdin, b"a\n");
        assert!(read(r#"{"argv": ["x"], "cwd": "/tmp/../x"}"#).is_ok());
    }

    #[test]
    fn c10_what_is_no_command_is_told() {
        for (json, word) in [
            ("{}", "argv"),
            ("[]", "invalid length"),
            (r#"{"argv": "echo"}"#, "set shell to true"),
            (r#"{"argv": []}"#, "argv is empty"),
            (r#"{"argv": [""]}"#, "argv is empty"),
            (r#"{"argv": " ", "shell": true}"#, "empty shell text"),
            (r#"{"argv": [1]}"#, "list of texts"),
            (r#"{"argv": ["a\u0000"]}"#, "NUL"),
            (r#"{"argv": ["x"], "shell": "yes"}"#, "boolean"),
            (r#"{"argv": ["x"], "env": {"TILTYARD_URL": "x"}}"#, "reserved"),
            (r#"{"argv": ["x"], "env": {"A": 1}}"#, "string"),
            (r#"{"argv": ["x"], "cwd": "../x"}"#, "leads out"),
            (r#"{"argv": ["x"], "cwd": ""}"#, "cwd"),
        ] {
            let error = read(json).expect_err(json);
            assert!(
                error.starts_with("the payload is no command: ") && error.contains(word),
                "{json}: {error}"
            );
        }
    }
}
