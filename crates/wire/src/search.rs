//! Searching.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::search::Kind;

use crate::page::TotalIs;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SearchQuery")]
pub struct Query {
    /// Words, all of which must stand in what is found, in any order and any case; or a whole id. At most 10 words and
    /// 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Kinds, by comma: `task,change`; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What was found: names by noun, then what has ids, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SearchAnswer")]
pub struct Answer {
    /// The hits; none does not say that there is none, while `more` is true.
    pub items: Vec<Hit>,
    /// Where the search goes on; null when everything has been looked through.
    pub next_cursor: Option<String>,
    /// How many were found up to here, the pages before included.
    pub total: u64,
    /// `at_least` while there is more to look through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_is: Option<TotalIs>,
    /// Whether there is more to look through: one answer looks at 5,000 of each kind at most.
    pub more: bool,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SearchHit")]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Its id, or its name where it has none.
    pub id: String,
    /// Its scope; null for agents.
    pub scope: Option<String>,
    /// Its title, or its name.
    pub title: String,
    /// Its state, where it has one that is stored.
    pub state: Option<String>,
}
