//! The cookie of a browser that is signed in (API1): no script reads it, no other site's page sends it.

use crate::edge::origin::{Visitor, is_write};
use crate::edge::visit::Knock;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, ORIGIN};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{DurationMs, SECOND_MS};

/// The cookie of one server. Browsers tell hosts apart, not ports: the port is in the name, so that two servers of a
/// machine do not sign each other out.
#[derive(Debug, Clone)]
pub(crate) struct Cookie {
    name: String,
    attributes: &'static str,
}

/// Whether browsers reach the server by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the clear, on this machine.
    Plain,
    /// By TLS, the server's own or a proxy's.
    Secure,
}

impl Cookie {
    /// The one of the server on that port.
    pub(crate) fn new(port: u16, way: Way) -> Self {
        let (prefix, attributes) = match way {
            Way::Plain => ("", "Path=/; HttpOnly; SameSite=Strict"),
            // The prefix makes browsers refuse it from a subdomain, or without TLS.
            Way::Secure => ("__Host-", "Path=/; HttpOnly; SameSite=Strict; Secure"),
        };
        Self { name: format!("{prefix}tiltyard_{port}"), attributes }
    }

    /// Its text in a request; `None` also where there are two of the name, one of which somebody else has set.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut own = pairs.filter(|(name, _)| *name == self.name).map(|(_, text)| text);
        own.next().filter(|text| own.next().is_none() && !text.is_empty())
    }

    /// Sets it.
    pub(crate) fn set(&self, text: &str, lasts_ms: DurationMs) -> HeaderValue {
        let seconds = lasts_ms.max(0) / SECOND_MS;
        let line = format!("{}={text}; {}; Max-Age={seconds}", self.name, self.attributes);
        HeaderValue::try_from(line).expect("a name, hexadecimal digits and fixed words are a header value")
    }

    /// Takes it away.
    pub(crate) fn clear(&self) -> HeaderValue {
        self.set("", 0)
    }
}

/// A browser sends its cookie whoever made it ask: what acts, and what opens a socket, must come from the console's own
/// page and say so (SEC11).
///
/// # Errors
/// 403 `origin_forbidden`.
pub(crate) fn check_origin(knock: &Knock<'_>) -> Result<(), Refusal> {
    let acts = is_write(knock.method) || knock.place.is_some_and(crate::edge::place::Place::is_socket);
    if !acts || (*knock.visitor == Visitor::Own && knock.headers.contains_key(ORIGIN)) {
        return Ok(());
    }
    let said =
        "a call by cookie must come from the console's own page and say so in Origin; programs send a token";
    Err(Refusal::new(Code::OriginForbidden, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect()
    }

    // API1, SEC2: HttpOnly, SameSite=Strict, Path=/, and Secure where browsers come by TLS.
    #[test]
    fn api1_the_cookie_says_what_browsers_may_do_with_it() {
        let plain = Cookie::new(8470, Way::Plain).set("jss_1", 60_500);
        assert_eq!(plain, "tiltyard_8470=jss_1; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
        let secure = Cookie::new(443, Way::Secure).clear();
        assert_eq!(secure, "__Host-tiltyard_443=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
    }

    #[test]
    fn only_one_cookie_of_the_name_counts() {
        let cookie = Cookie::new(1, Way::Plain);
        let read = |lines: &[&str]| cookie.read(&headers(lines)).map(str::to_owned);
        assert_eq!(read(&["a=b; tiltyard_1=jss_x; c=d"]), Some("jss_x".into()));
        assert_eq!(read(&["a=b", "tiltyard_1=jss_x"]), Some("jss_x".into()));
        for none in [&["tiltyard_12=jss_x"][..], &["tiltyard_1="], &["tiltyard_1=a; tiltyard_1=b"], &[]] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
