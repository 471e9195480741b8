//! The id of a request (API4): taken from the caller or made, echoed on every answer, and carried along.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The header that carries it, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 64;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of one request: `[A-Za-z0-9_.-]{1,64}`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own id where it is well-formed, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).filter(|value| is_well_formed(value.as_bytes()));
        given.map_or_else(Self::new, |value| Self(value.clone()))
    }

    /// A new one, distinct within this process by its number and between processes by a random prefix.
    pub fn new() -> Self {
        static PREFIX: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request id"));
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let text = format!("{:016x}-{:x}", *PREFIX, NUMBER.fetch_add(1, Ordering::Relaxed));
        Self(HeaderValue::try_from(text).expect("hex digits and a hyphen are a header value"))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("checked to be ASCII when it was made")
    }

    /// As the value of its header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.iter().all(allowed)
}

/// A W3C trace context (`traceparent`), as the caller sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The trace that the request belongs to.
    pub trace_id: u128,
    /// The caller's own span.
    pub parent_id: u64,
    /// Its flags; bit 0 says that the trace is sampled.
    pub flags: u8,
}

impl Trace {
    /// The trace context of a request; `None` where it sent none, two, or a broken one: a broken one starts a
    /// new trace and is no error (W3C Trace Context 3.2).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        Self::parse(only.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lower_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = text.split('-');
        let mut part = |digits: usize| parts.next().filter(|part| part.len() == digits).filter(lower_hex);
        let (version, trace, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        // Only version 00 says that nothing follows; `ff` is no version.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, parent_id, flags: u8::from_str_radix(flags, 16).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, given.parse().unwrap());
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn api4_a_well_formed_id_is_taken() {
        for good in ["a", "Job_7.retry-2", &"x".repeat(64)] {
            assert_eq!(id_of(good), good);
        }
    }

    #[test]
    fn api4_any_other_is_replaced_by_a_new_one() {
        for bad in ["", "a b", "a\"b", "<script>", &"x".repeat(65)] {
            let made = id_of(bad);
            assert_ne!(made, bad);
            assert!(is_well_formed(made.as_bytes()), "{made}");
        }
        assert_ne!(RequestId::new(), RequestId::new());
    }

    #[test]
    fn api4_a_trace_context_is_read() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::parse(good).unwrap();
        assert_eq!((trace.trace_id >> 96, trace.parent_id & 0xff, trace.flags), (0x4bf9_2f35, 0xb7, 1));
        assert!(
            Trace::parse(&good.replacen("00", "cc", 1)).is_some(),
            "a later version is read as far as known"
        );
    }

    #[test]
    fn api4_a_broken_trace_context_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in [
            "",
            "00",
            zero,
            &good.to_uppercase(),
            &format!("{good}-x"),
            &good.replacen("00", "ff", 1),
            &good[1..],
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
