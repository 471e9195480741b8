//! The Host check (SEC11): a request must name this server by one of its names. That ends DNS rebinding: a page
//! of another name that resolves to our address still says its own name.

use http::header::HOST;
use http::{HeaderMap, Uri};
use tiltyard_model::refusal::{Code, Refusal};

/// The names of a server that nobody gave others.
pub const DEFAULT_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// How a request reaches the server, as far as names go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`, straight.
    Http,
    /// `https://`, by this server.
    Https,
    /// `https://`, by a proxy in front: its port is not ours, so a bare name is right too.
    Proxied,
}

impl Scheme {
    /// The word before `://`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https | Self::Proxied => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https | Self::Proxied => 443,
        }
    }
}

/// The names this server answers to, each as a `Host` header has it.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: Vec<Box<str>>,
}

impl Hosts {
    /// The names of a server on `port`. A name with a port is taken as it stands; one without gets the actual
    /// port, and stands bare where browsers leave the port out.
    pub fn new<S: AsRef<str>>(names: &[S], port: u16, scheme: Scheme) -> Self {
        let mut all = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            if has_port(name) {
                all.push(name.into());
                continue;
            }
            all.push(format!("{name}:{port}").into());
            if scheme == Scheme::Proxied || port == scheme.default_port() {
                all.push(name.into());
            }
        }
        Self { names: all }
    }

    /// The names, each as a `Host` header has it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Whether a request says one of the names, once.
    ///
    /// # Errors
    /// 400 `bad_host` for no Host, two of them, or an absolute form that says something else; 421 `misdirected`
    /// for another name.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = the_host(headers)?;
        if let Some(authority) = uri.authority()
            && !authority.as_str().eq_ignore_ascii_case(host)
        {
            let said =
                "the request line names another host than the Host header; send the same, or only a path";
            return Err(Refusal::new(Code::BadHost, said));
        }
        if self.names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        let said = format!(
            "this server does not answer to the host {host:?}; use one of its names ({}) or add it to hosts",
            self.names.join(", ")
        );
        Err(Refusal::new(Code::Misdirected, said))
    }
}

fn the_host(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let refused = |why: &str| Refusal::new(Code::BadHost, format!("{why}; send exactly one Host header"));
    match (hosts.next(), hosts.next()) {
        (None, _) => Err(refused("the Host header is missing")),
        (Some(_), Some(_)) => Err(refused("there are two Host headers")),
        (Some(host), None) => match host.to_str() {
            Ok(name) if !name.is_empty() => Ok(name),
            _ => Err(refused("the Host header is empty or unreadable")),
        },
    }
}

/// Whether a name ends in a port; the colons of a bracketed IPv6 address are none.
fn has_port(name: &str) -> bool {
    name.rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        && !name.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &Hosts, uri: &str, lines: &[&str]) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HOST, line.parse().unwrap());
        }
        hosts.check(&uri.parse().unwrap(), &headers).map_err(|refusal| refusal.code)
    }

    #[test]
    fn sec11_the_default_names_carry_the_port() {
        let hosts = Hosts::new(&DEFAULT_NAMES, 8470, Scheme::Http);
        for good in ["localhost:8470", "LOCALHOST:8470", "127.0.0.1:8470", "[::1]:8470"] {
            assert_eq!(check(&hosts, "/", &[good]), Ok(()), "{good}");
        }
        let foreign =
            ["localhost", "localhost:80", "evil.example:8470", "localhost.:8470", "127.0.0.1.nip.io:8470"];
        for bad in foreign {
            assert_eq!(check(&hosts, "/", &[bad]), Err(Code::Misdirected), "{bad}");
        }
    }

    #[test]
    fn sec11_one_host_and_no_contradiction() {
        let hosts = Hosts::new(&DEFAULT_NAMES, 80, Scheme::Http);
        assert_eq!(check(&hosts, "/", &[]), Err(Code::BadHost));
        assert_eq!(check(&hosts, "/", &[""]), Err(Code::BadHost));
        assert_eq!(check(&hosts, "/", &["localhost", "localhost"]), Err(Code::BadHost));
        assert_eq!(check(&hosts, "http://localhost/x", &["localhost"]), Ok(()));
        assert_eq!(check(&hosts, "http://127.0.0.1/x", &["localhost"]), Err(Code::BadHost));
        assert_eq!(check(&hosts, "http://me@localhost/x", &["localhost"]), Err(Code::BadHost));
        assert_eq!(check(&hosts, "http://evil.example/x", &["evil.example"]), Err(Code::Misdirected));
    }

    #[test]
    fn sec11_bare_names_where_browsers_leave_the_port_out() {
        let own = ["tilt.example", "other.example:8443", "[::1]"];
        let names = |port, scheme| Hosts::new(&own, port, scheme).names().collect::<Vec<_>>().join(" ");
        assert_eq!(names(8470, Scheme::Http), "tilt.example:8470 other.example:8443 [::1]:8470");
        assert_eq!(
            names(443, Scheme::Https),
            "tilt.example:443 tilt.example other.example:8443 [::1]:443 [::1]"
        );
        assert!(names(8470, Scheme::Proxied).contains("tilt.example "));
    }
}
