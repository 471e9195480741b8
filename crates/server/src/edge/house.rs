//! What the edge asks of the house behind it: who knocks, may they, and what is the answer.

use crate::edge::place::Place;
use crate::edge::request_id::RequestId;
use crate::edge::visit::{Asked, Knock, Visit};
use axum::response::Response;
use http::{Method, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;

/// The floor above the edge. One for the server; nothing here is per route, so no route can leave the column.
pub trait House: Send + Sync + 'static {
    /// Who knocks, by token, ticket or cookie.
    ///
    /// # Errors
    /// `unauthenticated` where there is nothing or nothing valid: that alone is charged to the address. Anything
    /// else (a store that does not answer) is passed on.
    fn authenticate(&self, knock: &Knock<'_>) -> impl Future<Output = Result<Arc<Caller>, Refusal>> + Send;

    /// Whether the caller may do this here, as far as path and query say: scopes above all. That its role holds
    /// the place's right has been checked.
    ///
    /// # Errors
    /// `scope_forbidden` and the like.
    fn permit(&self, knock: &Knock<'_>, caller: &Caller) -> Result<(), Refusal>;

    /// The answer. It is dropped in the middle when the client goes away.
    fn answer(&self, visit: Arc<Visit>, request: Asked) -> impl Future<Output = Response> + Send;

    /// Hears of every answer, refusals by the column too: for counters and the audit of refusals.
    fn answered(&self, _: &Answered<'_>) {}
}

impl<H: House> House for Arc<H> {
    fn authenticate(&self, knock: &Knock<'_>) -> impl Future<Output = Result<Arc<Caller>, Refusal>> + Send {
        (**self).authenticate(knock)
    }

    fn permit(&self, knock: &Knock<'_>, caller: &Caller) -> Result<(), Refusal> {
        (**self).permit(knock, caller)
    }

    fn answer(&self, visit: Arc<Visit>, request: Asked) -> impl Future<Output = Response> + Send {
        (**self).answer(visit, request)
    }

    fn answered(&self, answered: &Answered<'_>) {
        (**self).answered(answered);
    }
}

/// A request and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Its id.
    pub request_id: &'a RequestId,
    /// The client, behind proxies too.
    pub client: IpAddr,
    /// The method.
    pub method: &'a Method,
    /// The path, without the query: a query may hold a token.
    pub path: &'a str,
    /// What it asked for, where that is known.
    pub place: Option<Place>,
    /// Who asked, where that is known.
    pub caller: Option<&'a Caller>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The code of the refusal, if it was refused.
    pub code: Option<Code>,
    /// From the head's last byte to the answer's head.
    pub took: Duration,
    /// What was said to whom it was refused.
    pub cause: Option<&'a str>,
}
