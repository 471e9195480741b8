//! Calls to somewhere else, as words: what an `http` stage asks for, and what came of it. Whoever knows HTTP makes them
//! ([`Outgoing`]), and is handed to the engine when it opens.

use crate::blob::{Blobs, Kept};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use tiltyard_model::id::Id;
use tiltyard_model::run::{Again, Part};
use tiltyard_model::time::DurationMs;

/// Largest body of an answer in bytes.
pub const MAX_HTTP_BODY_BYTES: u64 = 8 * 1024 * 1024;
/// Largest body that comes back in memory, in bytes; a larger one is stored.
pub const MAX_SHORT_BODY_BYTES: usize = 32 * 1024;
/// Most headers of an answer that are told.
pub const MAX_HEADERS: usize = 64;
/// Longest value of a header that is told, in bytes.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;
/// Most redirects of a call.
pub const MAX_REDIRECTS: usize = 5;

/// A call as it is to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// Headers by their names.
    pub headers: BTreeMap<String, String>,
    /// The body, and its media type where the headers do not say one.
    pub body: Option<(Vec<u8>, &'static str)>,
    /// Statuses that are the answer even where they would lead elsewhere.
    pub wanted: Vec<u16>,
    /// How long all of it may take, redirects and body included.
    pub timeout_ms: DurationMs,
}

/// Addresses and headers hold secrets: neither is shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was called in the end, for people: method, host and path, without what may be secret.
    pub called: String,
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case, several of a name joined by `, `; without `set-cookie`.
    pub headers: BTreeMap<String, String>,
    /// What its body is.
    pub media_type: Option<String>,
    /// Its body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// At most [`MAX_SHORT_BODY_BYTES`].
    Short(Vec<u8>),
    /// Stored: it stays for as long as this lives, or a row names it.
    Stored(Kept),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// What happened, why, and what to do, for people.
    pub text: String,
    /// Whether another call could do better.
    pub again: Again,
}

impl CallError {
    /// It may go better another time.
    pub fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), again: Again::May }
    }

    /// It goes the same way each time.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), again: Again::Never }
    }
}

/// A call under way.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'a>>;

/// Makes calls.
pub trait Outgoing: Send + Sync + 'static {
    /// Makes one call, once. What it dropped it has broken off.
    fn call<'a>(&'a self, request: Request, blobs: &'a Blobs) -> Calling<'a>;
}

/// Makes none: an engine that nobody gave a caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Outgoing for Nowhere {
    fn call<'a>(&'a self, _request: Request, _blobs: &'a Blobs) -> Calling<'a> {
        let said = "this server makes no calls to other places";
        Box::pin(async move { Err(CallError::lasting(said)) })
    }
}

/// What a receiver knows a call by when it comes twice: the same for each time that this attempt is called.
pub fn idempotency_key(run: Id, stage: &str, part: Part) -> String {
    let Part { attempt, item, .. } = part;
    match item {
        Some(item) => format!("{run}.{stage}.{attempt}.{}.{}", item.index, item.attempt),
        None => format!("{run}.{stage}.{attempt}"),
    }
}

/// The W3C trace context of a call: one trace a run, one span a call.
pub fn traceparent(run: Id, key: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (trace, span) = (Sha256::digest(run.to_string()), Sha256::digest(key));
    format!("00-{}-{}-01", hex(&trace[..16]), hex(&span[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::run::Item;

    // P9: a receiver can tell that a call came twice, and a trace shows what belongs to one run.
    #[test]
    fn d20_a_call_is_known_by_its_attempt() {
        let run: Id = "run_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap();
        let part = |attempt, item| Part { stage: 3, attempt, item };
        assert_eq!(idempotency_key(run, "page", part(2, None)), format!("{run}.page.2"));
        let item = Item { index: 7, attempt: 1 };
        let key = idempotency_key(run, "page", part(2, Some(item)));
        assert_eq!(key, format!("{run}.page.2.7.1"));
        let (one, other) = (traceparent(run, &key), traceparent(run, "another"));
        assert_eq!((one.len(), &one[..36]), (55, &other[..36]));
        assert_ne!(one, other);
    }
}
