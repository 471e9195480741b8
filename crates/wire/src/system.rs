//! The program itself on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// `tiltyard`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit it was built from.
    pub commit: String,
    /// When it started.
    pub started_at: Time,
    /// The base of its addresses.
    pub api: String,
    /// The newest agent protocol that it serves.
    pub protocol: u32,
    /// Whether it answers without tokens.
    pub no_auth: bool,
}

/// What it keeps its data in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Store {
    /// `sqlite`.
    pub kind: String,
    /// The library's version.
    pub version: String,
    /// `full` or `relaxed`.
    pub durability: String,
    /// The version of the schema.
    pub schema: i64,
    /// The epoch (E9).
    pub epoch: i64,
    /// The last event's seq.
    pub last_seq: i64,
    /// Bytes of the database file.
    pub bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// Free space of its disk, in bytes.
    pub disk_free_bytes: u64,
}

/// The settings in force, with where each came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SystemSettings")]
pub struct Settings {
    /// By key.
    pub settings: BTreeMap<String, Setting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Its value; secrets are masked.
    pub value: serde_json::Value,
    /// `default`, `file`, `environment`, `flag`.
    pub origin: String,
}

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// When it was made here; null when it was not.
    pub applied_at: Option<Time>,
}

/// How much is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevel {
    /// `error warn info debug trace`.
    pub level: String,
}

/// The metrics as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// By name and labels, as in the text form.
    pub metrics: BTreeMap<String, f64>,
}
