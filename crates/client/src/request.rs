//! One call before it is made: the row of the table with its places, parameters and body filled in.

use crate::retry::Repeat;
use bytes::Bytes;
use std::path::PathBuf;
use tiltyard_wire::endpoint::{BASE_PATH, Call, Row};

/// A call of the row `C`.
pub struct Request<C: Call> {
    pub(crate) places: Vec<String>,
    pub(crate) query: C::Query,
    pub(crate) body: Body<C::Body>,
    pub(crate) repeat: Repeat,
    pub(crate) request_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// What is sent.
pub(crate) enum Body<T> {
    None,
    Json(T),
    Bytes { bytes: Bytes, media_type: String },
    File { path: PathBuf, media_type: String },
}

impl<C: Call> Default for Request<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Call> Request<C> {
    /// The call with nothing filled in.
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            query: C::Query::default(),
            body: Body::None,
            repeat: Repeat::of(&C::ENDPOINT.row()),
            request_id: None,
            idempotency_key: None,
        }
    }

    /// Fills the next `{…}` of the path.
    #[must_use]
    pub fn place(mut self, value: impl std::fmt::Display) -> Self {
        self.places.push(value.to_string());
        self
    }

    /// Sets the parameters.
    #[must_use]
    pub fn query(mut self, query: C::Query) -> Self {
        self.query = query;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: C::Body) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Sends bytes as they are.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Bytes>, media_type: &str) -> Self {
        self.body = Body::Bytes { bytes: bytes.into(), media_type: media_type.to_owned() };
        self
    }

    /// Sends a file as it is, without holding it in memory.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, media_type: &str) -> Self {
        self.body = Body::File { path: path.into(), media_type: media_type.to_owned() };
        self
    }

    /// Says that a second time does no harm: a generation, a claim id or a unique key guards it.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    /// Sends an `Idempotency-Key` (API5), which makes a second time harmless.
    #[must_use]
    pub fn idempotent(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self.repeatable()
    }

    /// Names the request: `X-Request-Id` (API4), `[A-Za-z0-9_.-]{1,64}`.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The path with its places filled in and escaped.
    pub(crate) fn path(&self) -> String {
        fill(&C::ENDPOINT.row(), &self.places)
    }
}

fn fill(row: &Row, places: &[String]) -> String {
    let mut path = BASE_PATH.to_owned();
    let mut places = places.iter();
    for part in row.path.split('/').skip(1) {
        path.push('/');
        if part.starts_with('{') {
            path.push_str(&escape(places.next().map_or("", String::as_str)));
        } else {
            path.push_str(part);
        }
    }
    debug_assert!(places.next().is_none(), "{} has fewer places", row.name);
    path
}

/// Percent-encodes all but the unreserved characters (RFC 3986), so that a value is one segment.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && value != "..")
        {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A key that nobody else has: 128 random bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_key() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_wire::endpoint::call;

    #[test]
    fn places_are_filled_in_order_and_stay_one_segment() {
        let request = Request::<call::DependencyPut>::new().place("task_1").place("task_2");
        assert_eq!(request.path(), "/api/v1/tasks/task_1/dependencies/task_2");
        let hostile = Request::<call::AgentGet>::new().place("../a b?c#d/é");
        assert_eq!(hostile.path(), "/api/v1/agents/..%2Fa%20b%3Fc%23d%2F%C3%A9");
        assert_eq!(Request::<call::AgentGet>::new().place("..").path(), "/api/v1/agents/%2E%2E");
    }
}
