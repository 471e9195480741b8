//! How an attempt ended, as it is told to the server.

use crate::attempt::AttemptKey;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Longest error text of an outcome in bytes.
pub const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Longest result of an outcome in bytes (D2); bigger things are artifacts.
pub const MAX_RESULT_BYTES: usize = 64 * 1024;

/// The outcome of one attempt. It is a promise: what was done is told once, whatever happens in between (C3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of which attempt.
    pub key: AttemptKey,
    /// What happened.
    pub verdict: Verdict,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is done.
    Succeeded {
        /// What came out, as JSON, at most [`MAX_RESULT_BYTES`].
        result: Option<Box<RawValue>>,
    },
    /// It is not.
    Failed {
        /// What happened, why, and what to do, at most [`MAX_ERROR_BYTES`].
        error: String,
        /// Whether another try could help.
        retry: Retry,
    },
    /// It took longer than it may.
    TimedOut {
        /// What happened.
        error: String,
    },
    /// It was not finished and goes back without counting as an attempt.
    Released,
}

/// Whether another try could help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It could.
    Useful,
    /// The task itself is wrong; it fails wherever it is tried.
    Useless,
}

impl Verdict {
    /// A failure that another try could mend.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::Failed { error: cut(&error.into()), retry: Retry::Useful }
    }

    /// A failure that no other try can mend.
    pub fn refused(error: impl Into<String>) -> Self {
        Self::Failed { error: cut(&error.into()), retry: Retry::Useless }
    }
}

/// What everybody who may see the task will read: bounded, without tokens, and without U+0000, which the server does
/// not take and programs do write.
fn cut(error: &str) -> String {
    let mut error = crate::token::masked(error).replace('\0', "\u{fffd}");
    error.truncate(error.floor_char_boundary(MAX_ERROR_BYTES));
    error
}

impl PartialEq for Verdict {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Succeeded { result: a }, Self::Succeeded { result: b }) => {
                a.as_ref().map(|text| text.get()) == b.as_ref().map(|text| text.get())
            }
            (Self::Failed { error: a, retry: x }, Self::Failed { error: b, retry: y }) => a == b && x == y,
            (Self::TimedOut { error: a }, Self::TimedOut { error: b }) => a == b,
            (Self::Released, Self::Released) => true,
            _ => false,
        }
    }
}
