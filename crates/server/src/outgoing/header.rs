//! Headers of a call: those of the stage, as far as they are the caller's to say, and those of the answer that are told.

use super::Whose;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use std::collections::BTreeMap;
use tiltyard_engine::outgoing::{CallError, MAX_HEADER_BYTES, MAX_HEADERS, Request};

/// What the connection says by itself: from a stage it could make one call look like two.
const REFUSED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What also those hear to whom a call is redirected: nothing that a stage would keep to itself.
const FOR_EVERYBODY: &[&str] =
    &["accept", "accept-language", "content-type", "idempotency-key", "traceparent", "user-agent"];

/// The headers of a call. Only the place that the stage named hears all of them.
pub(super) fn of(
    request: &Request,
    whose: Whose,
    media_type: Option<&'static str>,
) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let (name, value) = pair(name, value)?;
        let is_told = whose == Whose::Named || FOR_EVERYBODY.contains(&name.as_str());
        if is_told && (media_type.is_some() || name != CONTENT_TYPE) {
            headers.insert(name, value);
        }
    }
    if let Some(media_type) = media_type.filter(|_| !headers.contains_key(CONTENT_TYPE)) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    if !headers.contains_key(ACCEPT) {
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    }
    Ok(headers)
}

fn pair(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), CallError> {
    let shown: String = name.escape_debug().take(64).collect();
    let bad = |why: &str| CallError::lasting(format!("the header `{shown}` {why}"));
    let name = HeaderName::try_from(name).map_err(|_| bad("has no name that a header can have"))?;
    if REFUSED.contains(&name.as_str()) {
        return Err(bad("is the connection's own: leave it out"));
    }
    let value = HeaderValue::try_from(value)
        .map_err(|_| bad("has a value with characters that no header can hold"))?;
    Ok((name, value))
}

/// The headers of an answer, as far as they are told.
pub(super) fn told(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut told = BTreeMap::<String, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| **name != SET_COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let has_room = told.len() < MAX_HEADERS;
        if let Some(before) = told.get_mut(name.as_str()) {
            before.push_str(", ");
            before.push_str(&value);
        } else if has_room {
            told.insert(name.as_str().to_owned(), value.into_owned());
        }
    }
    // Half of a value could be read as another one.
    told.retain(|_, value| value.len() <= MAX_HEADER_BYTES);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_answer_has_bounds() {
        let mut headers = HeaderMap::new();
        headers.append("X-Two", "a".parse().unwrap());
        headers.append("x-two", "b".parse().unwrap());
        headers.append(SET_COOKIE, "secret".parse().unwrap());
        headers.append("x-long", "x".repeat(MAX_HEADER_BYTES + 1).parse().unwrap());
        headers.append("x-odd", HeaderValue::from_bytes(b"\xffa").unwrap());
        let found = told(&headers);
        assert_eq!(found.get("x-two").map(String::as_str), Some("a, b"));
        assert_eq!(found.get("x-odd").map(String::as_str), Some("\u{fffd}a"));
        assert_eq!(found.len(), 2);
        for number in 0..200 {
            headers.append(HeaderName::try_from(format!("x-{number}")).unwrap(), "1".parse().unwrap());
        }
        assert!(told(&headers).len() <= MAX_HEADERS);
    }
}
