//! Templates: task fields that people use again.

use crate::task::Submit;
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A template as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Template")]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// The fields that it gives.
    pub task: serde_json::Map<String, serde_json::Value>,
    /// When it was saved last.
    pub updated_at: Time,
}

/// Saves a template.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TemplatePut")]
pub struct Put {
    /// The scope; the token's only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Fields of a task; `kind` and `title` are not required here.
    #[schemars(with = "Submit")]
    pub task: serde_json::Map<String, serde_json::Value>,
}
