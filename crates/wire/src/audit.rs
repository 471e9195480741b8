//! The audit record on the wire (D52).

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One entry of a chain. Its `hash` is SHA-256 of the RFC 8785 form of all other fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its place in its chain, from 1.
    pub seq: i64,
    /// When.
    pub time: Time,
    /// The chain: a scope, or `system`.
    pub scope: String,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// `ok` or the code of the refusal.
    pub result: String,
    /// `info warn error critical`.
    pub severity: String,
    /// The address of the caller.
    pub client: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// What else there is to know; `phase` and `act_id` for acts with an effect outside.
    pub detail: serde_json::Value,
    /// The hash of the entry before; 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 of this entry.
    pub hash: String,
}

/// Filters of `GET /audit`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AuditFilter")]
pub struct Filter {
    /// The chain; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// To what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// From this moment on, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before this moment, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditStats")]
pub struct Stats {
    /// How many entries.
    pub total: u64,
    /// How many of each action.
    pub by_action: std::collections::BTreeMap<String, u64>,
    /// When the first one was written.
    pub first: Option<Time>,
    /// When the last one was written.
    pub last: Option<Time>,
}
