//! Problems (API2): what every refusal looks like, RFC 9457 with members of our own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tiltyard_model::refusal::Kind;

/// The media type of problems.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A reference to the page that explains the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line, the same for every problem of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, why, what to do next.
    pub detail: String,
    /// The same, for people who look for `error`.
    pub error: String,
    /// The stable code.
    pub code: String,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// The first wrong field: a JSON Pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Fault>,
    /// The path that is not there, for 404.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Further members of the code.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the value.
    pub field: String,
    /// What is wrong with it.
    pub error: String,
    /// Its line, counted from 1, where it stands in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Its column in characters, counted from 1, where it stands in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// The HTTP status of a kind: used by the server's problem map and by the contract.
pub const fn status(kind: Kind) -> u16 {
    match kind {
        Kind::Malformed => 400,
        Kind::Unauthenticated => 401,
        Kind::Denied => 403,
        Kind::Missing => 404,
        Kind::Method => 405,
        Kind::Slow => 408,
        Kind::Conflict => 409,
        Kind::Gone => 410,
        Kind::Precondition => 412,
        Kind::TooLarge => 413,
        Kind::MediaType => 415,
        Kind::Range => 416,
        Kind::Misdirected => 421,
        Kind::Invalid => 422,
        Kind::Limited => 429,
        Kind::Broken => 500,
        Kind::Overloaded => 503,
    }
}
