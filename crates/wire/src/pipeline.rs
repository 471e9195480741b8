//! Pipelines on the wire. A definition goes in as the text that people write: YAML, or JSON.

use crate::model::pipeline::Mistake;
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The media types in which a definition is read.
pub const MEDIA_TYPES: [&str; 5] =
    ["application/yaml", "application/json", "text/plain", "text/yaml", "application/x-yaml"];

/// A published pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pipeline")]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Which content of this name it is, from 1 on; each other content that is published is the next number.
    pub number: i64,
    /// The SHA-256 of its canonical form, the same for definitions that mean the same.
    pub sha256: String,
    /// How many stages it has.
    pub stages: i64,
    /// When this number was published.
    pub published_at: Time,
    /// By whom.
    pub published_by: String,
    /// The JSON Schema of its input; left out where it takes none, and in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The definition as it was sent; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// Which pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The scope; the token's only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// As it was with this number; as it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
}

/// What a look at a definition came to. Mistakes are an answer, not a refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    /// Whether it could be published.
    pub ok: bool,
    /// The SHA-256 of its canonical form, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many stages it has, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<i64>,
    /// Every mistake (the first 100), in the order of the text.
    pub mistakes: Vec<Mistake>,
}
