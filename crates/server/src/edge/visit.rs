//! One request on its way through the column: what is known before a handler sees it.

use crate::edge::body::Budget;
use crate::edge::intake::Intake;
use crate::edge::origin::Visitor;
use crate::edge::place::{Params, Place};
use crate::edge::request_id::{RequestId, Trace};
use axum::body::Body;
use http::{HeaderMap, Method, Request, Uri};
use hyper::body::{Body as _, Incoming};
use std::net::IpAddr;
use std::sync::Arc;
use tiltyard_model::role::Caller;
use tokio::time::Instant;

/// A request as it comes to the house; its body is limited and paced already.
pub type Asked = Request<Intake<Incoming>>;

/// A request that nobody has let in yet: all that may be looked at to decide it.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// What it asks for; `None` for a path or method that is not there.
    pub place: Option<Place>,
    /// What stood in the path's `{…}`.
    pub params: &'a Params,
    /// The method.
    pub method: &'a Method,
    /// The path and the query.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The client, behind proxies too.
    pub client: IpAddr,
    /// Whose page sent it, by its Origin.
    pub visitor: &'a Visitor,
}

/// A request that was let in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Its id (API4).
    pub request_id: RequestId,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
    /// The client, behind proxies too.
    pub client: IpAddr,
    /// When its head had been read.
    pub begun: Instant,
    /// What it asks for.
    pub place: Place,
    /// What stood in the path's `{…}`.
    pub params: Params,
    /// Who asks; `None` only where no token is needed and none was valid.
    pub caller: Option<Arc<Caller>>,
    /// The memory that all bodies share.
    pub budget: Budget,
}

/// The request as axum's routers and extractors take it, with the [`Visit`] among its extensions.
pub fn for_axum(visit: Arc<Visit>, request: Asked) -> Request<Body> {
    let empty = request.body().is_end_stream();
    let mut request = request.map(|body| if empty { Body::empty() } else { Body::new(body) });
    request.extensions_mut().insert(visit);
    request
}
