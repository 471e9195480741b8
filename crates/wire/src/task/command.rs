//! The payload of the kind `command`, as far as agents read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use tiltyard_model::id::Id;

/// Most files that are placed for a program, and most outputs that are taken of it.
pub const MAX_FILES: usize = 32;

/// What an agent runs for a task of the kind `command`. Other members are for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CommandPayload")]
pub struct Payload {
    /// The program and its arguments; with `shell` the text of a command.
    pub argv: Words,
    /// Whether `/bin/sh -c` runs it.
    #[serde(default)]
    pub shell: bool,
    /// Variables to set, or to take away (null).
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// The working folder; the attempt's own when absent.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Standard input: a text as it is, other JSON as JSON.
    #[serde(default)]
    pub stdin: Value,
    /// Standard input that is an artifact of the task's scope, at most 16 MiB; in place of `stdin`.
    #[serde(default)]
    pub stdin_artifact: Option<Reference>,
    /// Files that are in the attempt's folder when the program starts, by their paths there: an artifact of the task's
    /// scope (an object with exactly the members of `KnownArtifact`), a text as it is, other JSON as JSON, null for no
    /// file. At most 32.
    #[serde(default)]
    pub files: BTreeMap<String, Value>,
    /// What is taken of the program when it has ended, by name, and kept as artifacts of the attempt. At most 32.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
}

/// One text, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    /// One.
    Text(String),
    /// Several.
    List(Vec<String>),
}

/// An artifact, by its id or as expressions tell of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Reference {
    /// Its id.
    Id(Id),
    /// With what is known of it.
    Known(Known),
}

/// An artifact, and what is known of it: as expressions tell of a file, all of it and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KnownArtifact")]
pub struct Known {
    /// Its id.
    pub artifact: Id,
    /// The SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// What they are.
    pub media_type: String,
    /// What they are called.
    pub name: String,
}

impl Reference {
    /// Its id.
    pub const fn id(&self) -> Id {
        match self {
            Self::Id(id) => *id,
            Self::Known(known) => known.artifact,
        }
    }

    /// The digest that its bytes must have.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Known(known) => Some(&known.sha256),
        }
    }
}

/// Something that a program puts out: one of `file`, `json` and `stdout`. The output `result`, which has none of them,
/// is what the program reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CommandOutput")]
pub struct Output {
    /// The path of a file in the attempt's folder, kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The path of a file in the attempt's folder with one JSON document, at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// Standard output, at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Spoken>,
    /// What a `file` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// What standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spoken {
    /// One JSON document.
    Json,
    /// A text.
    Text,
}
