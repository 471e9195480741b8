//! Problem documents (RFC 9457): a refusal as HTTP, the same everywhere.
//!
//! A handler answers a refusal as [`Problem`]; the edge renders it at the end of the column, where the request's
//! id and path are known. `type` is the path of the code's page on this server, `/docs/problem/<code>`: stable,
//! and right under every name and proxy the server has.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_wire::problem::{self as wire, Fault, PROBLEM_MEDIA_TYPE};

/// When to try again where a 429 or 503 does not say, in milliseconds.
pub const DEFAULT_RETRY_AFTER_MS: i64 = 1_000;

/// A refusal on its way out of a handler: `Result<_, Problem>` with `?` on a `Refusal`.
#[derive(Debug, Clone)]
pub struct Problem(pub Box<Refusal>);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(refusal))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        *problem.0
    }
}

/// Only the status and the refusal itself: the edge writes the document (see [`render`]).
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.0.kind());
        response.extensions_mut().insert(self);
        response
    }
}

/// What a problem document says about the request it answers.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its id (API4).
    pub id: &'a str,
    /// Its path, for 404.
    pub path: &'a str,
}

/// The HTTP status of a kind.
pub fn status(kind: Kind) -> StatusCode {
    StatusCode::from_u16(wire::status(kind)).expect("the table holds only HTTP statuses")
}

/// A refusal for an answer that came with a bare status, from a library below the handlers.
pub(crate) fn of_status(status: StatusCode) -> Refusal {
    let (code, message) = match status {
        StatusCode::UNAUTHORIZED => (Code::Unauthenticated, "a token is needed"),
        StatusCode::FORBIDDEN => (Code::Forbidden, "the token has no right to this"),
        StatusCode::NOT_FOUND => (Code::NoSuchPath, "there is no such path on this server"),
        StatusCode::METHOD_NOT_ALLOWED => (Code::MethodNotAllowed, "the path does not take this method"),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::TooLarge, "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (Code::UnsupportedMediaType, "send application/json"),
        StatusCode::SERVICE_UNAVAILABLE => (Code::Overloaded, "not now; try again shortly"),
        status if status.is_client_error() => (Code::Malformed, "the request could not be read"),
        _ => (Code::Internal, INTERNAL),
    };
    Refusal::new(code, message)
}

/// What is said to a caller when something broke on our side; the log holds the rest.
pub(crate) const INTERNAL: &str =
    "something broke on our side; the server's log tells more under this request_id";

/// The whole answer to a refused request.
pub fn render(refusal: &Refusal, request: Request<'_>) -> Response {
    let mut response = Response::new(Body::from(document(refusal, request)));
    *response.status_mut() = status(refusal.kind());
    headers(refusal, response.headers_mut());
    response
}

/// The last look at a handler's answer: a refusal gets its document, and so does an error that a library wrote as
/// text or left empty. Returns the refusal too, where it is refused.
pub(crate) fn complete(mut response: Response, request: Request<'_>) -> (Response, Option<Refusal>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return (response, None);
    }
    if let Some(Problem(refusal)) = response.extensions_mut().remove::<Problem>() {
        return (render(&refusal, request), Some(*refusal));
    }
    let kept = response.headers().get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().ends_with(b"json"));
    let refusal = of_status(status);
    if kept { (response, Some(refusal)) } else { (render(&refusal, request), Some(refusal)) }
}

/// The answer as bytes of HTTP/1.1, for a connection that never reached the column; it closes afterwards.
pub(crate) fn raw(refusal: &Refusal, request_id: &str) -> Vec<u8> {
    use std::fmt::Write;
    let status = status(refusal.kind());
    let body = document(refusal, Request { id: request_id, path: "" });
    let mut fields = HeaderMap::new();
    headers(refusal, &mut fields);
    let mut head = format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or(""));
    // Writing into a string cannot fail.
    for (name, value) in &fields {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or(""));
    }
    let _ = write!(
        head,
        "x-request-id: {request_id}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

fn headers(refusal: &Refusal, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
    match refusal.kind() {
        Kind::Limited | Kind::Overloaded => {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_s(refusal)));
        }
        Kind::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tiltyard\""));
        }
        Kind::Method => {
            if let Some(Ok(methods)) = refusal.extra.get("allow").and_then(Value::as_str).map(str::parse) {
                headers.insert(ALLOW, methods);
            }
        }
        _ => {}
    }
}

/// Whole seconds, rounded up, at least one: a client that waits so long is not too early.
fn retry_after_s(refusal: &Refusal) -> i64 {
    let after_ms = refusal.retry_after_ms.unwrap_or(DEFAULT_RETRY_AFTER_MS);
    after_ms.saturating_add(999).div_euclid(1_000).max(1)
}

fn document(refusal: &Refusal, request: Request<'_>) -> Vec<u8> {
    serde_json::to_vec(&sentence(refusal, request))
        .expect("strings, numbers and JSON values always serialise")
}

/// A refusal as a sentence.
pub(crate) fn sentence(refusal: &Refusal, request: Request<'_>) -> wire::Problem {
    let (code, kind) = (refusal.code.as_str(), refusal.kind());
    let details = refusal.faults.iter().enumerate().map(|(index, fault)| {
        let place = refusal.places.get(index).copied();
        Fault {
            field: fault.field.clone(),
            error: fault.error.clone(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
        }
    });
    wire::Problem {
        kind: format!("/docs/problem/{code}"),
        title: refusal.code.title().to_owned(),
        status: wire::status(kind),
        detail: refusal.message.clone(),
        error: refusal.message.clone(),
        code: code.to_owned(),
        request_id: request.id.to_owned(),
        field: refusal.faults.first().map(|fault| fault.field.clone()),
        details: details.collect(),
        path: (kind == Kind::Missing).then(|| request.path.to_owned()),
        extra: refusal.extra.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::refusal::Fault;

    const REQUEST: Request<'static> = Request { id: "r-1", path: "/api/v1/tasks/x" };

    fn json(refusal: &Refusal) -> Value {
        serde_json::from_slice(&document(refusal, REQUEST)).unwrap()
    }

    #[test]
    fn api2_every_code_has_a_whole_document() {
        for code in Code::ALL {
            let doc = json(&Refusal::new(*code, "said so"));
            assert_eq!(doc["type"], format!("/docs/problem/{}", code.as_str()));
            assert_eq!(doc["status"], status(code.kind()).as_u16());
            assert_eq!((&doc["error"], &doc["request_id"]), (&"said so".into(), &"r-1".into()));
            assert!(
                doc["title"].as_str().is_some_and(|title| !title.is_empty()) && doc["detail"].is_string()
            );
            assert_eq!(doc.get("path").is_some(), status(code.kind()) == StatusCode::NOT_FOUND);
        }
    }

    #[test]
    fn api2_validation_names_its_field_and_every_failure() {
        let fault = |field: &str| Fault { field: field.into(), error: "wrong".into() };
        let doc = json(&Refusal::from_faults(vec![fault("/a"), fault("/b")]).unwrap());
        assert_eq!((&doc["field"], &doc["details"][1]["field"]), (&"/a".into(), &"/b".into()));
        let doc = json(&Refusal::new(Code::SubjectChanged, "changed").with("subject_sha256", "ab"));
        assert_eq!((doc.get("field"), &doc["subject_sha256"]), (None, &"ab".into()));
    }

    #[test]
    fn api2_busy_answers_say_when_to_try_again() {
        let header =
            |refusal: &Refusal| render(refusal, REQUEST).headers()[RETRY_AFTER].to_str().unwrap().to_owned();
        assert_eq!(header(&Refusal::new(Code::Overloaded, "full")), "1");
        assert_eq!(header(&Refusal::new(Code::TooManyFailures, "wait").retry_after(2_001)), "3");
        assert_eq!(header(&Refusal::new(Code::TooManyFailures, "wait").retry_after(-5)), "1");
    }

    #[test]
    fn a_raw_answer_is_whole_http() {
        let text = String::from_utf8(raw(&Refusal::new(Code::TooManyConnections, "full"), "r-2")).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && head.contains("retry-after: 1"));
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    }
}
