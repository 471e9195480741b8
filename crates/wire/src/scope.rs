//! Scopes on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scope as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Scope")]
pub struct View {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// When it was made.
    pub created_at: Time,
}

/// Makes a scope, or describes it anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ScopePut")]
pub struct Put {
    /// One line for people.
    pub description: String,
}
