//! A server from its first moment to its last.

use crate::app::{App, Front};
use crate::caller::{Door, Porter, QueryTokens};
use crate::cookie::{Cookie, Way};
use crate::count::Counts;
use crate::edge::Settings;
use crate::edge::bind::{Admission, BindRefused, Binding, External, Front as Before, permit};
use crate::edge::guard::Edge;
use crate::edge::listener::{Drained, Listener};
use crate::edge::proxy::Network;
use crate::edge::stop::{Stage, Stop, Stopper, stop};
use crate::health::{self, Since};
use crate::live::agent::ACCEPT_WITHIN_MS;
use crate::live::run_file::RunFiles;
use crate::live::{Live, carry};
use crate::outgoing::{Calls, Guard};
use crate::program::{Bare, Program};
use crate::view;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_engine::engine::{OpenError, Options};
use tiltyard_engine::service::{Supervisor, all};
use tiltyard_engine::{Act, Engine, Pass, Urgency, sign_in, system, token};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::secret::Secret;
use tiltyard_model::task::lease::DEFAULT_LEASE_MS;
use tiltyard_model::time::DurationMs;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How a server is to be.
pub struct ServeOptions {
    /// The engine's part: folder, durability, clock, limits. Its `on_broken` is called too when the store breaks.
    pub engine: Options,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether addresses that other machines reach are allowed.
    pub external: External,
    /// Whether proxies stand in front; they are named in `edge.proxies`.
    pub behind_proxy: bool,
    /// TLS of the server's own port.
    pub tls: Option<TlsAcceptor>,
    /// Names, limits and times of the edge.
    pub edge: Settings,
    /// Who is let in.
    pub door: Door,
    /// Where `?token=` may carry a token.
    pub query_tokens: QueryTokens,
    /// `ADMIN_TOKEN`.
    pub admin_token: Option<Secret<String>>,
    /// How long a lease lasts whose claim does not say.
    pub default_lease_ms: DurationMs,
    /// How long an agent may take to accept an assigned task before it goes elsewhere.
    pub accept_within: Duration,
    /// The program around the server.
    pub program: Arc<dyn Program>,
    /// What runs may call besides public addresses (SEC15).
    pub outgoing_allow: Vec<Network>,
}

impl ServeOptions {
    /// The defaults, for a data folder: loopback, a free port, tokens.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            engine: Options::new(folder),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            external: External::Forbidden,
            behind_proxy: false,
            tls: None,
            edge: Settings::default(),
            door: Door::Tokens,
            query_tokens: QueryTokens::Loopback,
            admin_token: None,
            default_lease_ms: DEFAULT_LEASE_MS,
            accept_within: Duration::from_millis(ACCEPT_WITHIN_MS),
            program: Arc::new(Bare::default()),
            outgoing_allow: Vec::new(),
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings forbid the address.
    #[error(transparent)]
    Bind(#[from] BindRefused),
    /// The system does not give the address.
    #[error("cannot listen on {address}: {error}; is another server running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error("the data folder {} cannot be made: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The engine does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `ADMIN_TOKEN` cannot be one, or the first token cannot be made.
    #[error("{0}")]
    Token(Refusal),
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was stopped.
    Stopped,
    /// The store can no longer be trusted (E2): the program is to end with code 5, and its restart recovers.
    Broken(String),
}

/// What a store without tokens gets at its first start.
#[derive(Debug, Clone)]
pub struct First {
    /// The text of an admin token.
    pub token: Secret<String>,
    /// A one-time code that signs a browser in as its owner.
    pub code: Secret<String>,
}

/// A server that answers.
pub struct Running {
    address: SocketAddr,
    engine: Arc<Engine>,
    stopper: Stopper,
    first: Option<First>,
    served: JoinHandle<End>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Running {
    /// Where it answers, with the port that was picked.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its engine: for what can be set while it runs.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The first token and a code to sign in with, where this start made them: to be shown once (SEC2).
    pub const fn first(&self) -> Option<&First> {
        self.first.as_ref()
    }

    /// Asks it to end in order: nothing new is taken, what is in flight is finished, agents and streams are told.
    /// [`Running::join`] waits for it.
    pub fn stop(&self) {
        self.stopper.reach(Stage::Draining);
    }

    /// Asks it to end at once.
    pub fn end(&self) {
        self.stopper.reach(Stage::Ended);
    }

    /// What can ask it to end, from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until it has ended, by itself or because it was asked to.
    pub async fn join(self) -> End {
        let Self { stopper, served, .. } = self;
        let ended = served.await;
        drop(stopper);
        ended.unwrap_or_else(|error| End::Broken(format!("the server's own task broke off: {error}")))
    }
}

/// Starts a server: opens the store, begins to answer, and runs the services.
///
/// # Errors
/// See [`StartError`].
pub async fn serve(options: ServeOptions) -> Result<Running, StartError> {
    let listener = listen(&options)?;
    let address = listener.address();
    make_folder(&options.engine.folder)?;
    let (broken, breakage) = watch::channel(None);
    let mut opening = telling(options.engine, broken);
    if let Some(sharing) = opening.sharing.as_mut().filter(|sharing| sharing.address.is_empty()) {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        sharing.address = format!("{scheme}://{address}");
    }
    opening.outgoing = Arc::new(Calls::new(Guard::new(options.outgoing_allow)));
    let engine = Engine::open(opening).await?;
    let first = tokens(&engine, options.admin_token.as_ref(), options.door).await?;
    let began = |act: &mut Act<'_>| system::started(act, env!("CARGO_PKG_VERSION"));
    engine.enter(Pass::system(), Urgency::Urgent, began).await.map_err(OpenError::from)?;
    let services = Supervisor::start(&engine, all());
    let (stopper, heard) = stop();
    let way = if options.tls.is_some() || options.behind_proxy { Way::Secure } else { Way::Plain };
    let cookie = Cookie::new(address.port(), way);
    let porter = Porter::new(options.door, options.query_tokens, &engine, cookie.clone());
    let live = Arc::new(Live::new(&engine, heard.clone()));
    tokio::spawn(carry(Arc::clone(&live), engine.door().effects()));
    let source = view::event::source_of(&engine).into();
    let run_files = RunFiles::new(&engine, &source);
    tokio::spawn(Arc::clone(&run_files).run(heard.clone()));
    let app = Arc::new(App {
        engine: Arc::clone(&engine),
        porter,
        cookie,
        default_lease_ms: options.default_lease_ms,
        accept_within: options.accept_within,
        artifact_bytes: options.edge.bodies.artifact_bytes,
        stop: heard.clone(),
        live,
        source,
        run_files,
        since: Since::start(engine.clock().now().wall),
        program: options.program,
        started_at: engine.clock().now().wall,
        counts: Counts::new(),
        runtime: tokio::runtime::Handle::current(),
    });
    tokio::spawn(health::watch(Arc::clone(&app)));
    let edge = Arc::new(Edge::new(options.edge, address.port(), Front(app)));
    let serving = tokio::spawn(listener.serve(edge, heard.clone()));
    let house = House {
        engine: Arc::clone(&engine),
        services,
        serving,
        breakage,
        stopper: stopper.clone(),
        stop: heard,
    };
    tracing::info!(target: "api", %address, "the server answers");
    Ok(Running { address, engine, stopper, first, served: tokio::spawn(house.live()) })
}

/// Takes `ADMIN_TOKEN`; without one, a store that never had a token gets its first (SEC2).
async fn tokens(
    engine: &Engine,
    admin: Option<&Secret<String>>,
    door: Door,
) -> Result<Option<First>, StartError> {
    if let Some(admin) = admin {
        engine.tokens().take_admin(admin.expose()).map_err(StartError::Token)?;
    }
    if admin.is_some() || door == Door::Open {
        return Ok(None);
    }
    let for_token = token::random().map_err(StartError::Token)?;
    let for_code = token::random().map_err(StartError::Token)?;
    let deed = move |act: &mut Act<'_>| {
        let Some(minted) = token::first(act, &for_token)? else { return Ok(None) };
        let code = sign_in::offer_first(act, &minted.token.caller(), &for_code)?;
        Ok(Some(First { token: minted.text.into(), code: code.text }))
    };
    engine.enter(Pass::system(), Urgency::Urgent, deed).await.map_err(StartError::Token)
}

fn listen(options: &ServeOptions) -> Result<Listener, StartError> {
    let front = match (options.behind_proxy, &options.tls) {
        (true, _) => Before::Proxy(&options.edge.proxies),
        (false, Some(_)) => Before::Tls,
        (false, None) => Before::Plain,
    };
    let admission = match options.door {
        Door::Tokens => Admission::Tokens,
        Door::Open => Admission::Everyone,
    };
    permit(&Binding { address: options.listen, external: options.external, front, admission })?;
    let address = options.listen;
    let listener = Listener::bind(address).map_err(|error| StartError::Listen { address, error })?;
    Ok(match &options.tls {
        Some(tls) => listener.with_tls(tls.clone()),
        None => listener,
    })
}

/// The data folder is its owner's alone (SEC16).
fn make_folder(folder: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| StartError::Folder { folder: folder.to_owned(), error })
}

/// The engine's options, with somebody who hears when the store breaks.
fn telling(options: Options, broken: watch::Sender<Option<String>>) -> Options {
    let also = options.on_broken;
    let on_broken = Box::new(move |why: &str| {
        also(why);
        broken.send_replace(Some(why.to_owned()));
    });
    Options { on_broken, ..options }
}

/// What must end in order.
struct House {
    engine: Arc<Engine>,
    services: Supervisor,
    serving: JoinHandle<Drained>,
    breakage: watch::Receiver<Option<String>>,
    stopper: Stopper,
    stop: Stop,
}

impl House {
    async fn live(mut self) -> End {
        let end = tokio::select! {
            why = broken(&mut self.breakage) => End::Broken(why),
            _ = self.stop.reached(Stage::Draining) => End::Stopped,
        };
        if let End::Broken(why) = &end {
            tracing::error!(target: "store", "{why}");
            // Nothing can be finished any more; whoever waits is told so by the door.
            self.stopper.reach(Stage::Ended);
        }
        match self.serving.await {
            Ok(Drained { cut: 0 }) => {}
            Ok(Drained { cut }) => tracing::warn!(target: "api", cut, "connections were cut at the end"),
            Err(error) => tracing::error!(target: "api", %error, "the listener broke off"),
        }
        drop(self.services);
        if end == End::Stopped
            && let Err(error) = self.engine.enter(Pass::system(), Urgency::Urgent, system::stopped).await
        {
            tracing::error!(target: "store", %error, "the end of the server is not on record");
        }
        if let Err(error) = self.engine.close().await {
            tracing::error!(target: "store", %error, "the store was not closed in order");
        }
        end
    }
}

/// Why the store broke, once it does.
async fn broken(breakage: &mut watch::Receiver<Option<String>>) -> String {
    let heard = breakage.wait_for(Option::is_some).await.map(|why| why.clone().unwrap_or_default());
    match heard {
        Ok(why) => why,
        // Nobody is left to say so: the engine ended in order.
        Err(_) => std::future::pending().await,
    }
}
