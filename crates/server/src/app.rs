//! The house behind the edge: the engine, who is let in, and everything that lives longer than a request.

use crate::ask::{Ask, covered};
use crate::caller::{Porter, parameters};
use crate::cookie::Cookie;
use crate::count::Counts;
use crate::edge::house::{Answered, House};
use crate::edge::place::Place;
use crate::edge::stop::Stop;
use crate::edge::visit::{Asked, Knock, Visit};
use crate::health::Since;
use crate::live::Live;
use crate::live::run_file::RunFiles;
use crate::parameter;
use crate::problem::Problem;
use crate::program::Program;
use crate::record::refused_call;
use crate::route::route;
use crate::taken::Giver;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_engine::audit::refused::refused;
use tiltyard_engine::{Durability, Engine, Pass};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_wire::endpoint::Endpoint;
use tokio::runtime::Handle;

/// How long somebody whom this server does not know waits for what other servers know.
const NEWS_PATIENCE: Duration = Duration::from_secs(1);

/// What all requests share.
pub(crate) struct App {
    /// Where everything is done.
    pub(crate) engine: Arc<Engine>,
    /// Who looks at tokens.
    pub(crate) porter: Porter,
    /// What a browser is given when it signs in.
    pub(crate) cookie: Cookie,
    /// How long a lease lasts whose claim does not say.
    pub(crate) default_lease_ms: DurationMs,
    /// How long an agent may take to accept an assigned task.
    pub(crate) accept_within: Duration,
    /// The most bytes of an artifact.
    pub(crate) artifact_bytes: u64,
    /// Hears that the server is to end.
    pub(crate) stop: Stop,
    /// Who is connected.
    pub(crate) live: Arc<Live>,
    /// The store's name in its events (D50).
    pub(crate) source: Arc<str>,
    /// The events of each run as a file (D25).
    pub(crate) run_files: Arc<RunFiles>,
    /// What came in, by place and code.
    pub(crate) counts: Counts,
    /// Since when each part is as it is.
    pub(crate) since: Since,
    /// The program around the server.
    pub(crate) program: Arc<dyn Program>,
    /// When it began to answer.
    pub(crate) started_at: TimeMs,
    /// Where work goes on that no request waits for.
    pub(crate) runtime: Handle,
}

impl App {
    /// Whether an acknowledgement comes before the disk has what it acknowledges.
    pub(crate) fn is_relaxed(&self) -> bool {
        self.engine.store().durability() == Durability::Relaxed
    }

    /// Who gives back what this caller claims and does not get.
    pub(crate) fn taken(&self, pass: &Pass) -> Giver {
        Giver::new(&self.engine, self.runtime.clone(), pass.clone())
    }
}

/// The house as the edge sees it.
#[derive(Clone)]
pub(crate) struct Front(pub(crate) Arc<App>);

impl House for Front {
    async fn authenticate(&self, knock: &Knock<'_>) -> Result<Arc<Caller>, Refusal> {
        let refused = match self.0.porter.let_in(knock) {
            Err(refusal) if self.0.engine.store().is_shared() => refusal,
            let_in => return let_in,
        };
        // Another server may have made the token a moment ago.
        self.0.engine.door().caught_up(NEWS_PATIENCE).await;
        self.0.porter.let_in(knock).map_err(|_| refused)
    }

    /// A scope that is named must be the token's, wherever it is named (SEC4).
    fn permit(&self, knock: &Knock<'_>, caller: &Caller) -> Result<(), Refusal> {
        for scope in knock.uri.query().into_iter().flat_map(|query| parameters(query, "scope")) {
            covered(caller, &scope)?;
        }
        match (knock.place, knock.params.get("name")) {
            (
                Some(Place::Api(Endpoint::ScopeGet | Endpoint::ScopePut | Endpoint::ScopeDelete)),
                Some(scope),
            ) => covered(caller, scope).map(drop),
            _ => Ok(()),
        }
    }

    async fn answer(&self, visit: Arc<Visit>, request: Asked) -> Response {
        let place = visit.place;
        let ask = Ask::new(Arc::clone(&self.0), visit, request);
        let checked = match ask.check_no_body() {
            Ok(()) => parameter::check(&ask).await,
            Err(refusal) => Err(refusal),
        };
        let answered = match checked {
            Ok(()) => route(place, ask).await,
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| Problem::from(refusal).into_response())
    }

    fn answered(&self, answered: &Answered<'_>) {
        self.0.counts.see(answered.place, answered.status, answered.took);
        let call = answered.code.map(|code| refused_call(answered, code));
        if let Some(written) = call.and_then(|call| refused(&self.0.engine, call)) {
            self.0.runtime.spawn(written);
        }
    }
}
