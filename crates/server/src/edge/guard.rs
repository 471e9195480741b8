//! The one column that every request goes through (SEC18), before any body is read: Host → Origin →
//! authentication → scope and right → body. Connection limits come before it, in `edge::listener`.

use crate::edge::body::Budget;
use crate::edge::close_code;
use crate::edge::failures::Failures;
use crate::edge::host::Hosts;
use crate::edge::house::{Answered, House};
use crate::edge::intake::{self, Intake, Measure};
use crate::edge::origin::{Origins, Visitor};
use crate::edge::place::{Params, Place, Places};
use crate::edge::proxy::{Network, client_address};
use crate::edge::request_id::{RequestId, Trace, X_REQUEST_ID};
use crate::edge::visit::{Knock, Visit};
use crate::edge::{MAX_HEAD_BYTES, MAX_HEADERS, Settings};
use crate::problem;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Right, Role};
use tiltyard_wire::endpoint::Tier;
use tokio::time::Instant;

/// The edge of one server: its names, its limits, and the house behind it.
#[derive(Debug)]
pub struct Edge<H> {
    house: H,
    hosts: Hosts,
    origins: Origins,
    proxies: Vec<Network>,
    places: Places,
    failures: Failures,
    budget: Budget,
    pub(crate) settings: Settings,
}

/// What stood in a path that is not there.
static NO_PARAMS: Params = Params::none();

/// What is known of a request from its head alone, and is needed until its answer has left.
struct Entry {
    id: RequestId,
    client: IpAddr,
    method: Method,
    uri: Uri,
    begun: Instant,
    place: Option<Place>,
    visitor: Visitor,
    caller: Option<Arc<Caller>>,
    /// Why a socket was closed that was let in to be told so.
    closed: Option<Code>,
}

impl<H: House> Edge<H> {
    /// The edge of a server that listens on `port`.
    pub fn new(settings: Settings, port: u16, house: H) -> Self {
        let hosts = Hosts::new(&settings.hosts, port, settings.scheme);
        let origins = Origins::new(&hosts, settings.scheme, &settings.origins);
        let (places, failures) = (Places::new(), Failures::new(std::time::Instant::now()));
        let (proxies, budget) = (settings.proxies.clone(), Budget::default());
        Self { house, hosts, origins, proxies, places, failures, budget, settings }
    }

    /// The house behind it.
    pub fn house(&self) -> &H {
        &self.house
    }

    /// Answers one request of the connection from `peer`. Every answer bears the request's id; every refusal is
    /// a problem document, a handler's panic too.
    pub async fn handle(&self, peer: IpAddr, request: Request<Incoming>) -> Response {
        let headers = request.headers();
        let mut entry = Entry {
            id: RequestId::of(headers),
            client: client_address(peer, headers, &self.proxies),
            method: request.method().clone(),
            uri: request.uri().clone(),
            begun: Instant::now(),
            place: None,
            visitor: Visitor::Own,
            caller: None,
            closed: None,
        };
        let answer = AssertUnwindSafe(self.column(&mut entry, request)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(panicked(&entry)));
        self.send_off(&entry, answer)
    }

    async fn column(&self, entry: &mut Entry, request: Request<Incoming>) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        self.hosts.check(&parts.uri, &parts.headers)?;
        entry.visitor = self.origins.check(&parts.method, &parts.headers)?;
        if let Some(answer) = entry.visitor.preflight(&parts.method, &parts.headers) {
            return Ok(answer);
        }
        let found = self.places.find(&parts.method, parts.uri.path());
        entry.place = found.as_ref().ok().map(|(place, _)| *place);
        let params = found.as_ref().map_or(&NO_PARAMS, |(_, params)| params);
        let admitted = self.admit(entry, &parts, params).await;
        let caller = match admitted {
            Ok(caller) => caller,
            Err(refusal) if is_socket(entry.place, &parts.headers) => {
                entry.closed = Some(refusal.code);
                return close_code::refuse(parts, refusal).await;
            }
            Err(refusal) => return Err(refusal),
        };
        let (place, params) = found?;
        let max_bytes = place.max_body_bytes(&self.settings.bodies);
        check_length(&parts.headers, max_bytes)?;
        let visit = self.visit(entry, place, params, caller, &parts.headers);
        let asked = Request::from_parts(
            parts,
            Intake::new(body, Measure { max_bytes, pace_window: self.settings.pace_window }),
        );
        let answer = self.house.answer(Arc::new(visit), asked).await;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.charge_answer(entry.client, answer)
        } else {
            Ok(answer)
        }
    }

    /// Charges a sign-in that a handler refused, like one that was refused here.
    fn charge_answer(&self, client: IpAddr, answer: Response) -> Result<Response, Refusal> {
        let refused = Refusal::new(Code::Unauthenticated, "");
        match self.charge(client, refused) {
            charged if charged.code == Code::Unauthenticated => Ok(answer),
            beyond => Err(beyond),
        }
    }

    /// Authentication, then scope and right. Who is not known learns nothing, not even which paths there are.
    async fn admit(
        &self,
        entry: &mut Entry,
        parts: &Parts,
        params: &Params,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        let (place, client, visitor) = (entry.place, entry.client, entry.visitor.clone());
        let Parts { method, uri, headers, .. } = parts;
        let knock = Knock { place, params, method, uri, headers, client, visitor: &visitor };
        let right = place.map(Place::right);
        if right == Some(Right::Open) {
            // A token only tells more here; without a valid one the place is as open as it says.
            let shows = headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE);
            return Ok(if shows { self.house.authenticate(&knock).await.ok() } else { None });
        }
        let caller = match self.house.authenticate(&knock).await {
            Ok(caller) => caller,
            Err(refusal) => return Err(self.charge(client, refusal)),
        };
        entry.caller = Some(Arc::clone(&caller));
        if let Some(right) = right {
            check_right(&caller, right)?;
            self.house.permit(&knock, &caller)?;
        }
        Ok(Some(caller))
    }

    /// Charges a failed sign-in to its address; beyond its share the address hears 429 in place of 401.
    fn charge(&self, client: IpAddr, refusal: Refusal) -> Refusal {
        if refusal.code != Code::Unauthenticated {
            return refusal;
        }
        let Err(wait_ms) = self.failures.charge(client, std::time::Instant::now()) else { return refusal };
        let said =
            "too many calls without a valid token came from this address; a valid token still works at once";
        Refusal::new(Code::TooManyFailures, said).retry_after(wait_ms)
    }

    fn visit(
        &self,
        entry: &Entry,
        place: Place,
        params: Params,
        caller: Option<Arc<Caller>>,
        headers: &HeaderMap,
    ) -> Visit {
        Visit {
            request_id: entry.id.clone(),
            trace: Trace::of(headers),
            client: entry.client,
            begun: entry.begun,
            place,
            params,
            caller,
            budget: self.budget.clone(),
        }
    }

    /// The last step of every answer: problems are rendered, the id is put on, and it is told of.
    fn send_off(&self, entry: &Entry, answer: Result<Response, Refusal>) -> Response {
        let said = problem::Request { id: entry.id.as_str(), path: entry.uri.path() };
        let (mut response, refusal) = match answer {
            Ok(response) => problem::complete(response, said),
            Err(refusal) => (problem::render(&refusal, said), Some(refusal)),
        };
        let code = refusal.as_ref().map(|refusal| refusal.code);
        response.headers_mut().insert(X_REQUEST_ID, entry.id.header());
        entry.visitor.mark(response.headers_mut());
        let answered = Answered {
            request_id: &entry.id,
            client: entry.client,
            method: &entry.method,
            path: entry.uri.path(),
            place: entry.place,
            caller: entry.caller.as_deref(),
            status: response.status(),
            code: code.or(entry.closed),
            took: entry.begun.elapsed(),
            cause: refusal.as_ref().map(|refusal| refusal.message.as_str()),
        };
        log(&answered);
        self.house.answered(&answered);
        response
    }
}

/// What is said of a request line and headers beyond the limit.
pub(crate) fn head_too_large() -> Refusal {
    let said = format!(
        "the request line and headers are larger than {MAX_HEAD_BYTES} bytes, or more than {MAX_HEADERS} headers; send fewer or shorter"
    );
    Refusal::new(Code::HeadTooLarge, said).with("limit_bytes", MAX_HEAD_BYTES)
}

/// Refuses a body that says itself that it is too large, before a byte of it is read.
fn check_length(headers: &HeaderMap, max_bytes: u64) -> Result<(), Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|bytes| bytes > max_bytes) { Err(intake::too_large(max_bytes)) } else { Ok(()) }
}

fn check_right(caller: &Caller, right: Right) -> Result<(), Refusal> {
    if caller.role.may(right) {
        return check_reach(caller, right);
    }
    let may = Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::as_str);
    let may = may.collect::<Vec<_>>().join(" or ");
    let said =
        format!("the role {} has no right to this; use a token of the role {may}", caller.role.as_str());
    Err(Refusal::new(Code::Forbidden, said))
}

/// What is the whole server's is no business of one scope.
fn check_reach(caller: &Caller, right: Right) -> Result<(), Refusal> {
    if !right.is_server_wide() || caller.reach == Reach::All {
        return Ok(());
    }
    let said = "this is about the whole server: use a token of an admin of every scope (`*`)";
    Err(Refusal::new(Code::ScopeForbidden, said))
}

fn is_socket(place: Option<Place>, headers: &HeaderMap) -> bool {
    place.is_some_and(Place::is_socket) && headers.contains_key(UPGRADE)
}

fn panicked(entry: &Entry) -> Refusal {
    tracing::error!(target: "api", request_id = entry.id.as_str(), path = entry.uri.path(), "a handler panicked");
    Refusal::new(Code::Internal, problem::INTERNAL)
}

/// A number in the log; one of 128 bits would be text there.
fn micros(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// The request line (O20). What workers do all day is told only to who asks for it.
fn log(answered: &Answered<'_>) {
    let Answered { request_id, method, path, status, took, .. } = answered;
    let (request_id, status, duration_us) = (request_id.as_str(), status.as_u16(), micros(*took));
    let bulk = answered.place.is_some_and(|place| matches!(place.tier(), Tier::Bulk | Tier::Exempt));
    if status >= 500 {
        let (code, cause) = (answered.code.map(|code| code.as_str()), answered.cause);
        tracing::error!(target: "api", request_id, %method, path, status, duration_us, code, cause, "answered");
    } else if bulk && status < 400 {
        tracing::debug!(target: "api", request_id, %method, path, status, duration_us, "answered");
    } else {
        tracing::info!(target: "api", request_id, %method, path, status, duration_us, "answered");
    }
}
