//! The payload of the kind `command`, as far as agents read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent runs for a task of the kind `command`. Other members are for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
