//! The Origin check (SEC11): no page but the console's own may act here, whatever the browser attaches.
//!
//! Stricter than asked, because nothing legitimate is lost: where an Origin is sent, it must be ours, on reads
//! and with a bearer token too. Programs that are no browser send none.

use crate::edge::host::{Hosts, Scheme};
use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use tiltyard_model::refusal::{Code, Refusal};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How long a browser may remember a preflight, in seconds.
const PREFLIGHT_MAX_AGE_S: u16 = 600;

/// The origins whose pages may call.
#[derive(Debug, Clone)]
pub struct Origins {
    own: Vec<Box<str>>,
    listed: Vec<Box<str>>,
}

/// What the check says of a request that it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// No browser, or the console itself.
    Own,
    /// A page of an origin that was listed by hand: its answers carry CORS headers.
    Listed(HeaderValue),
}

impl Origins {
    /// The console's own origins are the server's names; `listed` are allowed beside them.
    pub fn new<S: AsRef<str>>(hosts: &Hosts, scheme: Scheme, listed: &[S]) -> Self {
        let own = hosts.names().map(|name| format!("{}://{name}", scheme.word()).into()).collect();
        Self { own, listed: listed.iter().map(|origin| origin.as_ref().into()).collect() }
    }

    /// Whether a request comes from a page that may send it, or from none.
    ///
    /// # Errors
    /// 403 `origin_forbidden` for an Origin that is foreign, empty, `null` or doubled, and for a write with
    /// `Sec-Fetch-Site: cross-site` that is not from a listed origin.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<Visitor, Refusal> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let visitor = match (origins.next(), origins.next()) {
            (None, _) => Visitor::Own,
            (Some(origin), None) => self.visitor(origin)?,
            (Some(_), Some(_)) => return Err(refused("there are two Origin headers")),
        };
        if visitor == Visitor::Own && is_write(method) && is_cross_site(headers) {
            return Err(refused("the browser says that a page of another site sent this"));
        }
        Ok(visitor)
    }

    fn visitor(&self, origin: &HeaderValue) -> Result<Visitor, Refusal> {
        let said = origin.as_bytes();
        if self.own.iter().any(|own| own.as_bytes() == said) {
            Ok(Visitor::Own)
        } else if self.listed.iter().any(|listed| listed.as_bytes() == said) {
            Ok(Visitor::Listed(origin.clone()))
        } else {
            Err(refused("a page of another origin sent this"))
        }
    }
}

impl Visitor {
    /// The answer to the question that a browser asks before it lets a listed origin call; `None` where the
    /// request is no such question.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || *self == Self::Own {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let fields = response.headers_mut();
        fields
            .insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_MAX_AGE_S));
        Some(response)
    }

    /// Marks an answer as readable by the listed origin, and by no other.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Self::Listed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("etag, retry-after, x-request-id"),
            );
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// What a page of a listed origin may send beside the headers that browsers always allow.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, x-request-id";

fn refused(why: &str) -> Refusal {
    let said = format!("{why}; only the console's own pages, and origins that are listed by hand, may call");
    Refusal::new(Code::OriginForbidden, said)
}

/// Whether a method is not only to read.
pub(crate) fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::host::DEFAULT_NAMES;

    const LISTED: &str = "https://board.example";

    fn origins() -> Origins {
        let hosts = Hosts::new(&DEFAULT_NAMES, 8470, Scheme::Http);
        Origins::new(&hosts, Scheme::Http, &[LISTED])
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    fn check(method: &Method, lines: &[(&'static str, &str)]) -> Result<Visitor, Code> {
        origins().check(method, &headers(lines)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn sec11_the_console_and_programs_pass() {
        assert_eq!(check(&Method::POST, &[]), Ok(Visitor::Own));
        for own in ["http://localhost:8470", "http://127.0.0.1:8470", "http://[::1]:8470"] {
            assert_eq!(check(&Method::POST, &[("origin", own)]), Ok(Visitor::Own), "{own}");
        }
    }

    #[test]
    fn sec11_another_origin_is_refused_exactly() {
        let foreign = [
            "null",
            "",
            "http://localhost",
            "http://localhost:8471",
            "https://localhost:8470",
            "http://LOCALHOST:8470",
            "http://localhost:8470/",
            "http://localhost:8470.evil.example",
        ];
        for origin in foreign {
            for method in [Method::POST, Method::DELETE, Method::GET] {
                assert_eq!(check(&method, &[("origin", origin)]), Err(Code::OriginForbidden), "{origin}");
            }
        }
        let twice = [("origin", "http://localhost:8470"), ("origin", "http://localhost:8470")];
        assert_eq!(check(&Method::GET, &twice), Err(Code::OriginForbidden));
    }

    #[test]
    fn sec11_a_write_from_another_site_is_refused() {
        let cross = [("sec-fetch-site", "cross-site")];
        assert_eq!(check(&Method::POST, &cross), Err(Code::OriginForbidden));
        assert_eq!(check(&Method::GET, &cross), Ok(Visitor::Own));
        for site in ["same-origin", "none"] {
            assert_eq!(check(&Method::POST, &[("sec-fetch-site", site)]), Ok(Visitor::Own));
        }
    }

    #[test]
    fn sec11_cors_is_off_but_for_listed_origins() {
        let asked = headers(&[("origin", LISTED), ("access-control-request-method", "POST")]);
        let visitor = origins().check(&Method::OPTIONS, &asked).unwrap();
        assert_eq!(visitor, Visitor::Listed(LISTED.parse().unwrap()));
        assert_eq!(visitor.preflight(&Method::OPTIONS, &asked).unwrap().status(), StatusCode::NO_CONTENT);
        assert!(visitor.preflight(&Method::POST, &asked).is_none());
        let mut answer = HeaderMap::new();
        Visitor::Own.mark(&mut answer);
        assert!(answer.is_empty());
        visitor.mark(&mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], LISTED);
    }
}
