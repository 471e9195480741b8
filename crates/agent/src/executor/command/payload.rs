//! What a task of the kind `command` asks for.

use super::place::{Inside, NotInside};
use crate::process::{Run, environment};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Component, Path};
use tiltyard_wire::model::id::Noun;
use tiltyard_wire::model::pipeline::RESULT;
use tiltyard_wire::task::command::{Known, MAX_FILES, Output as Asked, Reference, Spoken};

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
    /// Standard input.
    pub stdin: Given,
    /// Files that are there when it starts.
    pub files: Vec<(Inside, Given)>,
    /// What is taken of it when it has ended.
    pub outputs: Vec<Output>,
}

/// Something that a program is handed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// These bytes.
    Bytes(Vec<u8>),
    /// An artifact.
    Artifact(Reference),
}

/// Something that a program puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub from: From,
}

/// Where an output comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A file as it is.
    File(Inside, Option<String>),
    /// A file with one JSON document.
    Json(Inside),
    /// Standard output.
    Spoken(Spoken),
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
    #[serde(default)]
    stdin_artifact: Option<Reference>,
    #[serde(default)]
    files: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    outputs: BTreeMap<String, Asked>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl CommandPayload {
    /// Reads `{argv, shell?, env?, cwd?, stdin?, stdin_artifact?, files?, outputs?}`; what else stands there is for others.
    /// `argv` is a list of texts; with `shell: true` it is one text (or a list, joined with blanks) for `/bin/sh -c`.
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
        let stdin = stdin(shape.stdin, shape.stdin_artifact)?;
        let (files, outputs) = (files(shape.files)?, outputs(shape.outputs)?);
        Ok(Self { run, env: shape.env, cwd: shape.cwd, stdin, files, outputs })
    }

    /// Whether it cannot be done without the server's artifacts.
    pub(super) fn needs_server(&self) -> bool {
        self.is_handed_artifacts() || !self.outputs.is_empty()
    }

    /// Whether some of what the program is handed is fetched.
    pub(super) fn is_handed_artifacts(&self) -> bool {
        let is_artifact = |given: &Given| matches!(given, Given::Artifact(_));
        is_artifact(&self.stdin) || self.files.iter().any(|(_, given)| is_artifact(given))
    }
}

fn stdin(stdin: Value, artifact: Option<Reference>) -> Result<Given, BadPayload> {
    match (stdin, artifact) {
        (Value::Null, Some(artifact)) => Ok(Given::Artifact(artifact)),
        (_, Some(_)) => Err(BadPayload("stdin and stdin_artifact cannot both be given".to_owned())),
        (Value::Null, None) => Ok(Given::Bytes(Vec::new())),
        (Value::String(text), None) => Ok(Given::Bytes(text.into_bytes())),
        (other, None) => Ok(Given::Bytes(other.to_string().into_bytes())),
    }
}

fn files(asked: BTreeMap<String, Box<RawValue>>) -> Result<Vec<(Inside, Given)>, BadPayload> {
    has_room("files", asked.len())?;
    let file = |(path, value): (String, Box<RawValue>)| Ok((inside("files", &path)?, given(value)));
    asked.into_iter().filter(|(_, value)| value.get() != "null").map(file).collect()
}

/// As strict as `file::Reference` of the model, so that both say the same of a value: whatever else it is, is JSON.
fn given(value: Box<RawValue>) -> Given {
    let text = value.get();
    if let Some(known) = text.starts_with('{').then(|| serde_json::from_str::<Known>(text).ok()).flatten()
        && known.artifact.noun() == Noun::Artifact
    {
        return Given::Artifact(Reference::Known(known));
    }
    match serde_json::from_str::<String>(text) {
        Ok(text) => Given::Bytes(text.into_bytes()),
        Err(_) => Given::Bytes(Box::<str>::from(value).into_string().into_bytes()),
    }
}

fn outputs(asked: BTreeMap<String, Asked>) -> Result<Vec<Output>, BadPayload> {
    has_room("outputs", asked.len())?;
    let mut outputs = Vec::new();
    for (name, asked) in asked {
        let place = format!("outputs.{}", name.escape_debug());
        let from = match (asked.file, asked.json, asked.stdout) {
            (Some(path), None, None) => From::File(inside(&place, &path)?, asked.media_type),
            (None, Some(path), None) => From::Json(inside(&place, &path)?),
            (None, None, Some(spoken)) => From::Spoken(spoken),
            // What the program reports is no artifact of its own.
            (None, None, None) if name == RESULT => continue,
            _ => return Err(BadPayload(format!("{place} must have one of `file`, `json` and `stdout`"))),
        };
        outputs.push(Output { name, from });
    }
    Ok(outputs)
}

fn has_room(what: &str, count: usize) -> Result<(), BadPayload> {
    let error = || BadPayload(format!("{what} has {count} members, and at most {MAX_FILES} are taken"));
    (count <= MAX_FILES).then_some(()).ok_or_else(error)
}

fn inside(place: &str, path: &str) -> Result<Inside, BadPayload> {
    Inside::read(path).map_err(|NotInside| {
        let shown: String = path.escape_debug().take(100).collect();
        let rule = "a path inside of the attempt's folder, such as notes/draft.md, without `..`";
        BadPayload(format!("{place}: `{shown}` must be {rule}"))
    })
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
    if text.contains("enum Reference") {
        "stdin_artifact must be an artifact's id, or a file as expressions tell of it".to_owned()
    } else if text.contains("untagged") {
        "argv must be a list of texts".to_owned()
    } else {
        text.to_owned()
    }
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
        let bytes = |text: &str| Given::Bytes(text.as_bytes().to_vec());
        assert_eq!((command.cwd.as_deref(), command.stdin), (Some("sub"), bytes(r#"{"k":[1]}"#)));
        assert_eq!(read(r#"{"argv": ["x"], "stdin": "a\n"}"#).expect("is a command").stdin, bytes("a\n"));
        assert!(read(r#"{"argv": ["x"], "cwd": "/tmp/../x"}"#).is_ok());
    }

    // D21: files and outputs are named by paths that cannot leave the folder (SEC16).
    #[test]
    fn d21_files_and_outputs_are_read() {
        let id = "art_01h2xcejqtf2nbrexx3vqjhp41";
        let known =
            format!(r#"{{"artifact": "{id}", "sha256": "ab", "size": 3, "media_type": "x/y", "name": "x"}}"#);
        let command = read(&format!(
            r#"{{"argv": ["x"], "stdin_artifact": "{id}",
                "files": {{"a/b": {known}, "c": "text", "d": {{"k":  1}}, "e": null}},
                "outputs": {{"f": {{"file": "o/f", "media_type": "text/x"}}, "j": {{"json": "j"}}, "s": {{"stdout": "text"}},
                    "result": {{"schema": {{}}}}}}}}"#
        ))
        .expect("is a command");
        let artifact = id.parse().expect("is an id");
        assert_eq!(command.stdin, Given::Artifact(Reference::Id(artifact)));
        let known = Given::Artifact(Reference::Known(Known {
            artifact,
            sha256: "ab".to_owned(),
            size: 3,
            media_type: "x/y".to_owned(),
            name: "x".to_owned(),
        }));
        let given: Vec<Given> = command.files.iter().map(|(_, given)| given.clone()).collect();
        let bytes = |text: &str| Given::Bytes(text.as_bytes().to_vec());
        assert_eq!(given, [known, bytes("text"), bytes(r#"{"k":  1}"#)]);
        assert_eq!((command.outputs.len(), command.needs_server()), (3, true));
        let plain = read(r#"{"argv": ["x"], "files": {"a": "b"}, "outputs": {}}"#).expect("is a command");
        assert!(!plain.needs_server());
    }

    // SEC16: what only looks like an artifact is JSON.
    #[test]
    fn sec16_a_file_has_all_members_of_one_and_no_others() {
        let whole = r#"{"artifact":"art_01h2xcejqtf2nbrexx3vqjhp41","sha256":"ab","size":3,"media_type":"x/y","name":"x"}"#;
        let first = |file: &str| {
            let json = format!(r#"{{"argv": ["x"], "files": {{"a": {file}}}}}"#);
            read(&json).expect("is a command").files.remove(0).1
        };
        assert!(matches!(first(whole), Given::Artifact(_)));
        for other in [
            r#"{"artifact":"art_01h2xcejqtf2nbrexx3vqjhp41"}"#.to_owned(),
            whole.replace("art_", "task_"),
            whole.replace(r#","name":"x""#, ""),
            whole.replace(r#""name":"x""#, r#""name":"x","more":1"#),
        ] {
            assert_eq!(first(&other), Given::Bytes(other.clone().into_bytes()));
        }
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
            (r#"{"argv": ["x"], "files": {"../a": ""}}"#, "inside of the attempt's folder"),
            (r#"{"argv": ["x"], "files": {"/a": ""}}"#, "inside of the attempt's folder"),
            (r#"{"argv": ["x"], "outputs": {"a": {"file": "b/../../c"}}}"#, "outputs.a: `b/../../c`"),
            (
                r#"{"argv": ["x"], "outputs": {"a": {"file": "b", "json": "c"}}}"#,
                "one of `file`, `json` and `stdout`",
            ),
            (r#"{"argv": ["x"], "outputs": {"a": {"stdout": "yaml"}}}"#, "variant"),
            (r#"{"argv": ["x"], "stdin_artifact": {"artifact": "x"}}"#, "stdin_artifact must be"),
            (r#"{"argv": ["x"], "stdin": "a", "stdin_artifact": "art_01h2xcejqtf2nbrexx3vqjhp41"}"#, "both"),
        ] {
            let error = read(json).expect_err(json);
            assert!(
                error.starts_with("the payload is no command: ") && error.contains(word),
                "{json}: {error}"
            );
        }
    }
}
