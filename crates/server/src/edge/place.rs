//! The places of the server: every path it has, and what a caller needs there. The column asks here before it
//! asks anybody else, so a handler without a row is never reached, and one with a row never unguarded.

use http::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Right;
use tiltyard_wire::endpoint::{
    Endpoint, Form, MAX_ARTIFACT_BYTES, MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, Tier,
};

/// The most bytes of a body (API9), by the sort of endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most endpoints.
    pub body_bytes: u64,
    /// `tasks/batch` and `tasks/settle`.
    pub batch_bytes: u64,
    /// One artifact, which is streamed and never held.
    pub artifact_bytes: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            body_bytes: MAX_BODY_BYTES as u64,
            batch_bytes: MAX_BATCH_BODY_BYTES as u64,
            artifact_bytes: MAX_ARTIFACT_BYTES as u64,
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A row of the endpoint table.
    Api(Endpoint),
    /// A page outside `/api/v1`.
    Outside(Outside),
}

/// The pages outside `/api/v1`; all are read with GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outside {
    /// `/healthz`: the process is alive.
    Alive,
    /// `/readyz`: the store is open and migrated.
    Ready,
    /// `/metrics`, for Prometheus.
    Metrics,
    /// `/docs`: the API's pages and a page for each code.
    Docs,
    /// `/`: what is here, for who opens the address in a browser.
    Front,
}

impl Outside {
    /// Every page.
    pub const ALL: &'static [Self] = &[Self::Alive, Self::Ready, Self::Metrics, Self::Docs, Self::Front];

    /// The paths of the page.
    pub const fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Alive => &["/healthz"],
            Self::Ready => &["/readyz"],
            Self::Metrics => &["/metrics"],
            Self::Docs => &["/docs", "/docs/{*page}"],
            Self::Front => &["/"],
        }
    }
}

impl Place {
    /// Every place.
    pub fn all() -> impl Iterator<Item = Self> {
        let outside = Outside::ALL.iter().copied().map(Self::Outside);
        Endpoint::ALL.iter().copied().map(Self::Api).chain(outside)
    }

    /// A stable name, for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api(endpoint) => endpoint.row().name,
            Self::Outside(Outside::Alive) => "Alive",
            Self::Outside(Outside::Ready) => "Ready",
            Self::Outside(Outside::Metrics) => "Metrics",
            Self::Outside(Outside::Docs) => "Docs",
            Self::Outside(Outside::Front) => "Front",
        }
    }

    /// What the caller needs.
    pub const fn right(self) -> Right {
        match self {
            Self::Api(endpoint) => endpoint.row().right,
            Self::Outside(Outside::Metrics) => Right::Read,
            Self::Outside(Outside::Alive | Outside::Ready | Outside::Docs | Outside::Front) => Right::Open,
        }
    }

    /// The bucket that a request is charged to.
    pub const fn tier(self) -> Tier {
        match self {
            Self::Api(endpoint) => endpoint.row().tier,
            Self::Outside(Outside::Metrics) => Tier::Light,
            Self::Outside(Outside::Alive | Outside::Ready | Outside::Docs | Outside::Front) => Tier::Exempt,
        }
    }

    /// The most bytes of a body; nothing is read where none is expected. The table says of which sort a row is,
    /// the settings how much that is.
    pub const fn max_body_bytes(self, limits: &BodyLimits) -> u64 {
        match self {
            Self::Outside(_) => 0,
            Self::Api(endpoint) => match endpoint.row().max_body_bytes {
                MAX_BATCH_BODY_BYTES => limits.batch_bytes,
                MAX_ARTIFACT_BYTES => limits.artifact_bytes,
                _ => limits.body_bytes,
            },
        }
    }

    /// Whether it answers with a WebSocket, whose refusals are close codes (API23).
    pub const fn is_socket(self) -> bool {
        matches!(self, Self::Api(endpoint) if matches!(endpoint.row().answer, Form::Socket))
    }

    fn method(self) -> Method {
        match self {
            Self::Api(endpoint) => {
                endpoint.row().method.as_str().parse().expect("the table has HTTP's methods")
            }
            Self::Outside(_) => Method::GET,
        }
    }

    fn paths(self) -> Vec<String> {
        match self {
            Self::Api(endpoint) => vec![endpoint.full_path()],
            Self::Outside(page) => page.paths().iter().map(|path| (*path).to_owned()).collect(),
        }
    }
}

/// What stood in the `{…}` of a path, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(Box<str>, Box<str>)>);

impl Params {
    /// Of a path without any.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The text of one place.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| **own == *name).map(|(_, value)| &**value)
    }
}

/// All places, by path and method.
#[derive(Debug, Default)]
pub struct Places {
    paths: Router<Vec<(Method, Place)>>,
}

impl Places {
    /// Every place there is.
    pub fn new() -> Self {
        let mut by_path = std::collections::BTreeMap::<String, Vec<_>>::new();
        for place in Place::all() {
            for path in place.paths() {
                by_path.entry(path).or_default().push((place.method(), place));
            }
        }
        let mut paths = Router::new();
        for (path, methods) in by_path {
            paths.insert(path, methods).expect("the table's paths do not clash: a test builds it");
        }
        Self { paths }
    }

    /// The place of a method and a path, and what stood in the path. HEAD is GET without its body.
    ///
    /// # Errors
    /// 404 `no_such_path`, 405 `method_not_allowed` with what is, 400 `bad_parameter` for a path that is no UTF-8.
    pub fn find(&self, method: &Method, path: &str) -> Result<(Place, Params), Refusal> {
        let Ok(found) = self.paths.at(path) else {
            return Err(Refusal::new(Code::NoSuchPath, format!("there is no path {path} on this server")));
        };
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let Some((_, place)) = found.value.iter().find(|(own, _)| own == wanted) else {
            return Err(wrong_method(method, found.value));
        };
        let params = found.params.iter().map(|(name, raw)| Ok((name.into(), decode(raw)?)));
        Ok((*place, Params(params.collect::<Result<_, Refusal>>()?)))
    }
}

fn decode(raw: &str) -> Result<Box<str>, Refusal> {
    let text = percent_decode_str(raw).decode_utf8();
    let said = "the path is not UTF-8 once its percent signs are decoded";
    text.map(|text| text.into()).map_err(|_| Refusal::new(Code::BadParameter, said))
}

fn wrong_method(method: &Method, own: &[(Method, Place)]) -> Refusal {
    let mut allow = own.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>();
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    let allow = allow.join(", ");
    let said = format!("{method} does nothing here; the path takes {allow}");
    Refusal::new(Code::MethodNotAllowed, said).with("allow", allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &Method, path: &str) -> Result<(Place, Params), Code> {
        Places::new().find(method, path).map_err(|refusal| refusal.code)
    }

    #[test]
    fn every_place_is_found_by_its_own_path() {
        for place in Place::all() {
            for path in place.paths() {
                let path = path.replace("{*page}", "problem/invalid").replace(['{', '}'], "");
                assert_eq!(find(&place.method(), &path).map(|(found, _)| found), Ok(place), "{path}");
            }
        }
    }

    #[test]
    fn a_path_gives_its_parameters_decoded() {
        let (place, params) = find(&Method::HEAD, "/api/v1/tasks/a%2Fb").unwrap();
        assert_eq!(
            (place, params.get("id"), params.get("x")),
            (Place::Api(Endpoint::TaskGet), Some("a/b"), None)
        );
        assert_eq!(find(&Method::GET, "/api/v1/tasks/%ff"), Err(Code::BadParameter));
    }

    #[test]
    fn api2_what_is_not_there_is_said() {
        for path in ["/api/v1/task", "/api/v1/tasks/", "//api/v1/tasks", "/api/v2/tasks", "*", ""] {
            assert_eq!(find(&Method::GET, path), Err(Code::NoSuchPath), "{path}");
        }
        let refusal = Places::new().find(&Method::PUT, "/api/v1/tasks").unwrap_err();
        assert_eq!(
            (refusal.code, &refusal.extra["allow"]),
            (Code::MethodNotAllowed, &"POST, GET, HEAD".into())
        );
    }

    #[test]
    fn api9_the_settings_say_how_large_a_body_may_be() {
        let limits = BodyLimits { body_bytes: 1, batch_bytes: 2, artifact_bytes: 3 };
        let max = |endpoint| Place::Api(endpoint).max_body_bytes(&limits);
        assert_eq!(Endpoint::ALL.iter().filter(|endpoint| max(**endpoint) == 2).count(), 2);
        assert_eq!((max(Endpoint::TaskSubmitBatch), max(Endpoint::TaskSettle)), (2, 2));
        assert_eq!((max(Endpoint::ArtifactPut), max(Endpoint::TaskSubmit)), (3, 1));
        assert_eq!(Place::Outside(Outside::Docs).max_body_bytes(&limits), 0);
    }

    // API1: what needs no token is this list and no more.
    #[test]
    fn api1_the_open_places_are_the_listed_ones() {
        let open = Place::all().filter(|place| place.right() == Right::Open).flat_map(Place::paths);
        let listed = [
            "/api/v1/auth/session",
            "/api/v1/health",
            "/api/v1/schemas",
            "/api/v1/schemas/{name}",
            "/api/v1/openapi.json",
            "/healthz",
            "/readyz",
            "/docs",
            "/docs/{*page}",
            "/",
        ];
        assert_eq!(open.collect::<Vec<_>>(), listed);
    }
}
