//! Answers on their way out: status, JSON, and what lets a caller ask cheaply again.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tiltyard_engine::once::{Answer as Kept, Whole};
use tiltyard_model::refusal::{Code, Refusal};

/// Says that an answer is that of an earlier request with the same `Idempotency-Key`.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a handler says.
pub(crate) type Answer = Result<Response, Refusal>;

/// Bytes of a digest that an entity tag shows: enough that two views never share one by chance.
const TAG_BYTES: usize = 16;

/// An answer of JSON, or of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: StatusCode,
    /// JSON text; empty for none.
    pub(crate) body: Vec<u8>,
    /// Where the new thing is.
    pub(crate) location: Option<String>,
    /// The entity tag of one thing, which a caller may ask for again (API8).
    pub(crate) tag: Option<HeaderValue>,
    /// What was made, where the answer holds a secret that is shown this once (SEC1).
    pub(crate) shown_once: Option<String>,
}

impl Reply {
    /// JSON text that was written already.
    pub(crate) fn text(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, location: None, tag: None, shown_once: None }
    }

    /// A sentence, as JSON.
    pub(crate) fn json(status: StatusCode, sentence: &impl Serialize) -> Self {
        let mut body = Vec::new();
        crate::pen::value(&mut body, sentence);
        Self::text(status, body)
    }

    /// Done, with this to show.
    pub(crate) fn ok(sentence: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, sentence)
    }

    /// Done, with nothing to show.
    pub(crate) fn empty() -> Self {
        Self::text(StatusCode::NO_CONTENT, Vec::new())
    }

    /// It is one thing: it bears an entity tag.
    pub(crate) fn one(self) -> Self {
        Self { tag: Some(tag_of(&self.body)), ..self }
    }

    /// It is one thing, part of whose view changes by itself: its entity tag is that of `essence`, the part that people
    /// change.
    pub(crate) fn one_as(self, essence: &[u8]) -> Self {
        Self { tag: Some(tag_of(essence)), ..self }
    }

    /// The thing was made, and is there.
    pub(crate) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    /// It holds the secret of what was made.
    pub(crate) fn shown_once(self, made: String) -> Self {
        Self { shown_once: Some(made), ..self }
    }

    /// What is kept of it under an `Idempotency-Key` (API5).
    pub(crate) fn kept(&self) -> Kept {
        match &self.shown_once {
            Some(made) => Kept::ShownOnce { made: made.clone() },
            None => Kept::Whole(self.whole()),
        }
    }

    /// All of it, to be kept.
    pub(crate) fn whole(&self) -> Whole {
        Whole {
            status: self.status.as_u16(),
            tag: self.tag.as_ref().and_then(|tag| tag.to_str().ok()).map(str::to_owned),
            location: self.location.clone(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }

    /// An answer that was kept.
    pub(crate) fn again(kept: Whole) -> Response {
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let tag = kept.tag.and_then(|tag| HeaderValue::try_from(tag).ok());
        let reply = Self { tag, location: kept.location, ..Self::text(status, kept.body.into_bytes()) };
        let mut response = reply.into_response();
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        response
    }

    /// As HTTP.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(tag) = self.tag {
            headers.insert(ETAG, tag);
        }
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            headers.insert(LOCATION, location);
        }
        *response.body_mut() = Body::from(self.body);
        response
    }

    /// As HTTP, for a reader who may have it already: 304 where `If-None-Match` names it.
    pub(crate) fn unless_known(self, asked: &HeaderMap) -> Response {
        let tag = self.tag.clone().unwrap_or_else(|| tag_of(&self.body));
        if !names(asked, &IF_NONE_MATCH, &tag) {
            return self.into_response();
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(ETAG, tag);
        response
    }
}

/// The entity tag of a view: it changes when anything that is shown changes.
pub(crate) fn tag_of(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let mut text = String::with_capacity(2 * TAG_BYTES + 2);
    text.push('"');
    for byte in &digest[..TAG_BYTES] {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    text.push('"');
    HeaderValue::try_from(text).expect("hexadecimal digits and quotes are a header value")
}

/// Whether a header names the tag, or anything at all by `*`.
pub(crate) fn names(headers: &HeaderMap, header: &HeaderName, tag: &HeaderValue) -> bool {
    let is_tag =
        |part: &str| part == "*" || part.strip_prefix("W/").unwrap_or(part).as_bytes() == tag.as_bytes();
    let texts = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| is_tag(part.trim()))
}

/// What `If-Match` demands of the thing that is to be changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Precondition(Option<HeaderMap>);

impl Precondition {
    /// Of a request; most demand nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(IF_MATCH) {
            return Self(None);
        }
        let kept = headers.get_all(IF_MATCH).iter().map(|value| (IF_MATCH, value.clone()));
        Self(Some(kept.collect()))
    }

    /// Whether the thing is as the caller saw it; `body` is how it is shown now, `None` where it is not there.
    ///
    /// # Errors
    /// 412 `precondition_failed`.
    pub(crate) fn check(&self, body: impl FnOnce() -> Option<Vec<u8>>) -> Result<(), Refusal> {
        self.check_tag(|| body().map(|body| tag_of(&body)))
    }

    /// The same for a thing whose entity tag is not that of its view.
    ///
    /// # Errors
    /// As [`Precondition::check`].
    pub(crate) fn check_tag(&self, tag: impl FnOnce() -> Option<HeaderValue>) -> Result<(), Refusal> {
        let Some(demanded) = &self.0 else { return Ok(()) };
        let tag = tag();
        if tag.as_ref().is_some_and(|tag| names(demanded, &IF_MATCH, tag)) {
            return Ok(());
        }
        let said = "it has changed since it was read: read it again, and send its new ETag in If-Match";
        let now = tag.and_then(|tag| tag.to_str().ok().map(str::to_owned));
        Err(Refusal::new(Code::PreconditionFailed, said).with("etag", now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    // API8: If-None-Match gives 304, by any of the tags it names.
    #[test]
    fn api8_what_is_known_is_not_sent_again() {
        let one = || Reply::ok(&1).one();
        let tag = tag_of(b"1").to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let response = one().unless_known(&headers(IF_NONE_MATCH, &known));
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(response.headers()[ETAG], tag);
        }
        assert_eq!(one().unless_known(&headers(IF_NONE_MATCH, "\"x\"")).status(), StatusCode::OK);
        assert_eq!(one().into_response().headers()[ETAG], tag);
    }

    // API8: If-Match is honoured and never demanded.
    #[test]
    fn api8_a_change_can_demand_what_was_seen() {
        let tag = tag_of(b"1").to_str().unwrap().to_owned();
        let demands = |value: &str| Precondition::of(&headers(IF_MATCH, value));
        assert!(demands(&tag).check(|| Some(b"1".to_vec())).is_ok());
        assert!(demands("*").check(|| Some(b"1".to_vec())).is_ok());
        let refusal = demands(&tag).check(|| Some(b"2".to_vec())).unwrap_err();
        assert_eq!(refusal.code, Code::PreconditionFailed);
        assert!(demands("*").check(|| None).is_err());
        assert!(Precondition::of(&HeaderMap::new()).check(|| None).is_ok());
    }
}
