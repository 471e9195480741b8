//! One request as a handler sees it: who asks, what for, and the ways to an answer.

use crate::app::App;
use crate::edge::body;
use crate::edge::intake::Intake;
use crate::edge::place::Place;
use crate::edge::query;
use crate::edge::visit::{Asked, Visit};
use crate::reply::{Answer, Precondition, Reply};
use http::header::HeaderName;
use http::request::Parts;
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tiltyard_engine::act::Act;
use tiltyard_engine::once::Once::{Done, Replayed};
use tiltyard_engine::once::{self, Guard, Key};
use tiltyard_engine::readers::Rows;
use tiltyard_engine::{Pass, Urgency};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Right, Role};
use tiltyard_wire::endpoint as wire;
use tokio::time::timeout;

/// Who asks where no token is needed and none was shown: nobody, with nothing.
static NOBODY: LazyLock<Arc<Caller>> = LazyLock::new(|| {
    let reach = Reach::Only(Vec::new());
    Arc::new(Caller { owner: "nobody".to_owned(), role: Role::Viewer, reach, ..Caller::system() })
});

/// A request and the house it was let into.
pub(crate) struct Ask {
    /// The house.
    pub(crate) app: Arc<App>,
    /// What the edge knows of it.
    pub(crate) visit: Arc<Visit>,
    /// Method, path, headers.
    pub(crate) parts: Parts,
    /// Who asks.
    pub(crate) caller: Arc<Caller>,
    body: Option<Intake<Incoming>>,
    once: Option<Once>,
}

/// A request that is done once (API5), and says so until it is answered.
struct Once {
    key: Key,
    _running: Guard,
}

/// What a request is done once by.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Ask {
    /// A request that the edge let in.
    pub(crate) fn new(app: Arc<App>, visit: Arc<Visit>, request: Asked) -> Self {
        let (parts, body) = request.into_parts();
        let caller = visit.caller.clone().unwrap_or_else(|| Arc::clone(&NOBODY));
        Self { app, visit, parts, caller, body: Some(body), once: None }
    }

    /// Whether the caller showed a valid token.
    pub(crate) fn is_known(&self) -> bool {
        self.visit.caller.is_some()
    }

    /// Who enters the engine.
    pub(crate) fn pass(&self) -> Pass {
        Pass {
            caller: Caller::clone(&self.caller),
            request_id: Some(self.visit.request_id.as_str().to_owned()),
            client: Some(self.visit.client.to_string()),
        }
    }

    /// What stood in a `{…}` of the path.
    pub(crate) fn place(&self, name: &str) -> &str {
        self.visit.params.get(name).unwrap_or_default()
    }

    /// The id in the path.
    ///
    /// # Errors
    /// 404 for a text that is no id of that noun: nothing has it.
    pub(crate) fn id(&self, noun: Noun) -> Result<Id, Refusal> {
        self.id_at("id", noun)
    }

    /// The id at a place of the path.
    ///
    /// # Errors
    /// As [`Ask::id`].
    pub(crate) fn id_at(&self, place: &str, noun: Noun) -> Result<Id, Refusal> {
        let text = self.place(place);
        let shown: String = text.chars().take(64).collect();
        Id::parse_as(noun, text).map_err(|_| Refusal::missing(word(noun), shown))
    }

    /// The parameters.
    ///
    /// # Errors
    /// 400 `bad_parameter` for one that is unknown or has a wrong value.
    pub(crate) fn query<Q: DeserializeOwned>(&self) -> Result<Q, Refusal> {
        query::read(&self.parts.uri)
    }

    /// A body where none is taken would silently do nothing (API7).
    ///
    /// # Errors
    /// 422 `invalid`.
    pub(crate) fn check_no_body(&self) -> Result<(), Refusal> {
        let takes =
            !matches!(self.visit.place, Place::Api(endpoint) if endpoint.row().body == wire::Form::Empty);
        if takes || self.body.as_ref().is_none_or(Body::is_end_stream) {
            return Ok(());
        }
        Err(Refusal::field("", "this call takes no body: leave it out, what it could say is in the path"))
    }

    /// The body.
    ///
    /// # Errors
    /// As [`body::read`]; 422 `idempotency_mismatch` and 409 `idempotency_running` where the request has a key.
    pub(crate) async fn body<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let body = self.take_body()?;
        let (text, _share) = body::whole(&self.parts.headers, body, &self.visit.budget).await?;
        if self.has_key() {
            self.begin_once(&text)?;
        }
        body::parse(&text).map_err(|refusal| match self.visit.place {
            Place::Api(endpoint) => body::with_every_fault(endpoint, &text, refusal),
            Place::Outside(_) => refusal,
        })
    }

    /// A body that is a text of one of these media types.
    ///
    /// # Errors
    /// As [`body::text_of`], and as [`Ask::body`] for its key.
    pub(crate) async fn text_body(&mut self, types: &[&str]) -> Result<String, Refusal> {
        let body = self.take_body()?;
        let text = body::text_of(&self.parts.headers, body, &self.visit.budget, types).await?;
        if self.has_key() {
            self.begin_once(text.as_bytes())?;
        }
        Ok(text)
    }

    /// A body whose texts may hold any character: they go into files, not into the store.
    ///
    /// # Errors
    /// As [`Ask::body`].
    pub(crate) async fn verbatim_body<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let body = self.take_body()?;
        let (text, _share) = body::whole(&self.parts.headers, body, &self.visit.budget).await?;
        body::parse_verbatim(&text)
    }

    /// A body that may be left out.
    ///
    /// # Errors
    /// As [`Ask::body`].
    pub(crate) async fn optional_body<T: DeserializeOwned + Default>(&mut self) -> Result<T, Refusal> {
        if self.body.as_ref().is_none_or(Body::is_end_stream) {
            self.no_body()?;
            return Ok(T::default());
        }
        self.body().await
    }

    /// Says that the request needs no body.
    ///
    /// # Errors
    /// As [`Ask::body`], for its key.
    pub(crate) fn no_body(&mut self) -> Result<(), Refusal> {
        if self.has_key() { self.begin_once(&[]) } else { Ok(()) }
    }

    /// Says which bytes the request has brought, once they were taken.
    ///
    /// # Errors
    /// As [`Ask::body`], for its key.
    pub(crate) fn brought(&mut self, sha256: &str) -> Result<(), Refusal> {
        if self.has_key() { self.begin_once(sha256.as_bytes()) } else { Ok(()) }
    }

    /// Whether the request is to be done once: a claim has its own id, a settle its generation (API5).
    fn has_key(&self) -> bool {
        let Place::Api(endpoint) = self.visit.place else { return false };
        let row = endpoint.row();
        // Keys are a token's own: who shows none has none.
        row.method == wire::Method::Post
            && !matches!(row.right, Right::Work | Right::Open)
            && self.parts.headers.contains_key(IDEMPOTENCY_KEY)
    }

    fn begin_once(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let mut keys = self.parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let bad =
            || Refusal::new(Code::BadParameter, "Idempotency-Key must be sent once, in printable ASCII");
        let key = keys
            .next()
            .filter(|_| keys.next().is_none())
            .and_then(|key| key.to_str().ok())
            .ok_or_else(bad)?;
        let (path, query) = (self.parts.uri.path(), self.parts.uri.query().unwrap_or_default());
        let request = [path.as_bytes(), query.as_bytes(), body];
        let key = Key::of(&self.caller, self.visit.place.name(), key, &request)?;
        let running = self.app.engine.once().begin(&key)?;
        self.once = Some(Once { key, _running: running });
        Ok(())
    }

    /// The body as it comes.
    ///
    /// # Errors
    /// When it was taken already, which is a fault of ours.
    pub(crate) fn take_body(&mut self) -> Result<Intake<Incoming>, Refusal> {
        self.body.take().ok_or_else(|| Refusal::new(Code::Internal, "a body was read twice"))
    }

    /// What `If-Match` demands.
    pub(crate) fn precondition(&self) -> Precondition {
        Precondition::of(&self.parts.headers)
    }

    /// The scope in which a thing is made, or named by slug.
    ///
    /// # Errors
    /// 403 for a scope that is not the token's, 422 `scope_required` where it must be named.
    pub(crate) fn scope(&self, named: Option<&str>) -> Result<String, Refusal> {
        scope_of(&self.caller, named).map(str::to_owned)
    }

    /// The scopes that a list covers: the named one, or all of the token's (`None`: all there are).
    ///
    /// # Errors
    /// 403 for a scope that is not the token's.
    pub(crate) fn scopes(&self, named: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
        match (named, &self.caller.reach) {
            (Some(named), _) => Ok(Some(vec![covered(&self.caller, named)?.to_owned()])),
            (None, Reach::All) => Ok(None),
            (None, Reach::Only(own)) => Ok(Some(own.clone())),
        }
    }

    /// Does a deed and shows what came of it; under an `Idempotency-Key` once, and then shows the same again.
    ///
    /// # Errors
    /// What the deed says.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        urgency: Urgency,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
        show: impl FnOnce(T) -> Reply + Send + 'static,
    ) -> Answer {
        let Some(Once { key, .. }) = &self.once else {
            let done = self.app.engine.enter(self.pass(), urgency, deed).await?;
            return Ok(show(done).into_response());
        };
        let key = *key;
        let shown = |act: &mut Act<'_>| deed(act).map(show);
        let deed = move |act: &mut Act<'_>| once::once(act, Some(&key), Reply::kept, shown);
        Ok(match self.app.engine.enter(self.pass(), urgency, deed).await? {
            Done(reply) => reply.into_response(),
            Replayed(kept) => Reply::again(kept),
        })
    }

    /// Does work of many deeds; under an `Idempotency-Key` once. A server that ends in the middle has done a part.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn act_many(&self, work: impl Future<Output = Result<Reply, Refusal>>) -> Answer {
        let Some(Once { key, .. }) = &self.once else { return Ok(work.await?.into_response()) };
        let (key, holder) = (*key, once::Holder::draw()?);
        // Of one server alone, the key is held in memory.
        let shares = self.app.engine.store().is_shared();
        let find = move |act: &mut Act<'_>| {
            if shares { once::reserve(act, &key, holder) } else { once::find(act, &key) }
        };
        if let Some(kept) = self.app.engine.enter(self.pass(), Urgency::Normal, find).await? {
            return Ok(Reply::again(kept));
        }
        let done = if shares { self.under_way(key, holder, work).await? } else { Done(work.await?) };
        let reply = match done {
            Done(reply) => reply,
            Replayed(kept) => return Ok(Reply::again(kept)),
        };
        let whole = reply.whole();
        let keep = move |act: &mut Act<'_>| once::keep(act, &key, holder, &whole);
        let kept = self.app.engine.enter(self.pass(), Urgency::Normal, keep).await?;
        Ok(kept.map_or_else(|| reply.into_response(), Reply::again))
    }

    /// Does the work, and says meanwhile that it is under way, for the other servers. When one of them took it over, because nothing was
    /// heard of this one for too long, the rest of it is left to that one.
    async fn under_way(
        &self,
        key: Key,
        holder: once::Holder,
        work: impl Future<Output = Result<Reply, Refusal>>,
    ) -> Result<once::Once<Reply>, Refusal> {
        let mut work = std::pin::pin!(work);
        let every = Duration::from_millis(once::UNDER_WAY_MS.unsigned_abs() / 3);
        let done = loop {
            match timeout(every, &mut work).await {
                Ok(done) => break done,
                Err(_) => {
                    let told = self.note(move |act| once::go_on(act, &key, holder)).await?;
                    if let Some(kept) = told.flatten() {
                        return Ok(Replayed(kept));
                    }
                }
            }
        };
        if done.is_err() {
            self.note(move |act| once::release(act, &key, holder)).await?;
        }
        done.map(Done)
    }

    /// Says something that only spares others a wait: `None` where it could not be said.
    ///
    /// # Errors
    /// 409 `idempotency_running` when somebody else has the request under way.
    async fn note<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Option<T>, Refusal> {
        match self.app.engine.enter(self.pass(), Urgency::Normal, deed).await {
            Ok(told) => Ok(Some(told)),
            Err(refusal) if refusal.code == Code::IdempotencyRunning => Err(refusal),
            Err(refusal) => {
                tracing::warn!(target: "api", "other servers do not hear how far a request is: {refusal}");
                Ok(None)
            }
        }
    }

    /// Reads, as far as the caller may see.
    ///
    /// # Errors
    /// What `read` says.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows, &Caller) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let caller = Arc::clone(&self.caller);
        self.app.engine.read(move |rows| read(rows, &caller)).await
    }
}

/// The scope that a caller names, or the only one it can mean.
///
/// # Errors
/// As [`Ask::scope`].
pub(crate) fn scope_of<'a>(caller: &'a Caller, named: Option<&'a str>) -> Result<&'a str, Refusal> {
    match named {
        Some(named) => covered(caller, named),
        None => caller.reach.only().ok_or_else(|| {
            let said = "the token has several scopes: say which one by `scope` in the body or `?scope=`";
            Refusal::fault(Code::ScopeRequired, "/scope", said)
        }),
    }
}

/// A scope that the caller names, where the token covers it (SEC4).
///
/// # Errors
/// 403 `scope_forbidden`.
pub(crate) fn covered<'a>(caller: &Caller, named: &'a str) -> Result<&'a str, Refusal> {
    if caller.reach.covers(named) {
        return Ok(named);
    }
    let shown: String = named.chars().take(64).collect();
    let said = format!("the token does not cover the scope `{shown}`; use one of its own, or another token");
    Err(Refusal::new(Code::ScopeForbidden, said))
}

/// What a thing is called in a sentence.
fn word(noun: Noun) -> &'static str {
    match noun {
        Noun::Task => "task",
        Noun::Run => "run",
        Noun::Gate => "gate",
        Noun::Artifact => "artifact",
        Noun::Change => "change",
        Noun::Token => "token",
        Noun::DeadLetter => "dead letter",
        Noun::Act => "act",
        Noun::Backup => "backup",
    }
}
