//! The conversation with one server: connects, says who this is, takes work, tells outcomes, and connects again for
//! as long as it lives (C1 to C3).
//!
//! What is done does not hang on a connection: attempts run on through a cut, the roster keeps them, and each new
//! connection goes on where the last one was acknowledged.

mod backoff;
mod connection;
mod feeder;
mod lane;
mod resource;
mod roster;
mod said;
mod wind_down;

pub use backoff::Backoff;
pub use wind_down::Shutdown;

use crate::host::Host;
use backoff::Pauses;
use roster::{News, Roster};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_client::{Client, Error};
use tokio::sync::{mpsc, watch};

/// News of attempts that wait for the connection to take them up.
const MAX_WAITING_NEWS: usize = 64;

/// Who this agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name, a slug.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// The machine.
    pub host: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The queues it takes from; the server's choice when empty.
    pub queues: Vec<String>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Pauses between two tries to connect.
    pub backoff: Backoff,
    /// Silence after which a connection counts as dead.
    pub silence: Duration,
    /// How long an outcome waits for its answer before it is told again.
    pub resettle: Duration,
    /// How long an assignment that cannot be taken is held before it goes back, so that it does not come again at
    /// once.
    pub refusal: Duration,
    /// How often the machine's resources are told.
    pub resources: Duration,
    /// When told to end: how long attempts may still finish by themselves.
    pub finish: Duration,
    /// When told to end: how long outcomes may take to be told; what is left is told by the next process.
    pub flush: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            silence: Duration::from_millis(tiltyard_wire::frame::MAX_SILENCE_MS),
            resettle: Duration::from_secs(15),
            refusal: Duration::from_secs(1),
            resources: Duration::from_secs(10),
            finish: Duration::from_secs(5),
            flush: Duration::from_secs(3),
        }
    }
}

/// What a session is made of.
#[derive(Debug)]
pub struct SessionSettings {
    /// Who this agent is.
    pub identity: Identity,
    /// The agent's own folder: how much space it has is told.
    pub folder: PathBuf,
    /// How long things may take.
    pub times: Times,
}

/// How the session stands, for whoever waits for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether a server has welcomed this agent and the connection stands.
    pub connected: bool,
    /// How often it has been welcomed.
    pub welcomes: u64,
    /// Why there is no connection.
    pub trouble: Option<String>,
}

/// One agent's conversation with its server.
#[derive(Debug)]
pub struct Session {
    client: Client,
    identity: Identity,
    /// This process: another text for each start.
    instance: String,
    folder: PathBuf,
    times: Times,
    roster: Arc<Roster>,
    news: mpsc::Receiver<News>,
    status: watch::Sender<Status>,
    phase: watch::Sender<Phase>,
}

/// Where the session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It takes work.
    Working,
    /// It takes nothing new, and finishes what runs.
    Draining,
    /// It says good-bye.
    Closing,
}

impl Session {
    /// A session of `host`, which has recovered ([`Host::recover`]). Nothing is sent yet.
    ///
    /// # Errors
    /// When the system has no randomness to give, which each process needs to be told from the one before.
    pub fn new(client: Client, host: Arc<Host>, settings: SessionSettings) -> std::io::Result<Self> {
        let SessionSettings { identity, folder, times } = settings;
        let instance = tiltyard_client::request::random_key()?;
        let (sender, news) = mpsc::channel(MAX_WAITING_NEWS);
        let roster = Roster::new(host, sender, times.refusal);
        let (status, _) = watch::channel(Status::default());
        let (phase, _) = watch::channel(Phase::Working);
        Ok(Self { client, identity, instance, folder, times, roster, news, status, phase })
    }

    /// How it stands.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Speaks with the server until `shutdown` says that it is over. Losing the server is no reason to end.
    pub async fn run(mut self, shutdown: watch::Receiver<Shutdown>) {
        let winding = wind_down::wind_down(Winding::of(&self), shutdown);
        let talking = self.keep_talking();
        tokio::join!(winding, talking);
    }

    async fn keep_talking(&mut self) {
        let mut pauses = Pauses::new(self.times.backoff);
        let mut phase = self.phase.subscribe();
        while *phase.borrow_and_update() != Phase::Closing {
            let parting = connection::converse(self).await;
            self.roster.detach();
            if *phase.borrow_and_update() == Phase::Closing {
                break;
            }
            let pause = pauses.next(&parting);
            self.lost(&parting.error, pause);
            // Only the end cuts the pause short; draining has nothing to do without a server.
            let closing = phase.wait_for(|phase| *phase == Phase::Closing);
            let _ = tokio::time::timeout(pause, closing).await;
        }
    }

    fn lost(&self, error: &Error, pause: Duration) {
        let (pause_ms, server) = (pause.as_millis(), self.client.url());
        if error.is_passing() {
            tracing::info!(target: "agent", %error, server, pause_ms, "there is no connection; it is tried again");
        } else {
            tracing::warn!(target: "agent", %error, server, pause_ms, "the server does not take this agent; it is tried again");
        }
        self.status.send_modify(|status| {
            status.connected = false;
            status.trouble = Some(error.to_string());
        });
    }
}

/// What the end of a session works on.
pub(crate) struct Winding {
    roster: Arc<Roster>,
    times: Times,
    phase: watch::Sender<Phase>,
    status: watch::Receiver<Status>,
}

impl Winding {
    fn of(session: &Session) -> Self {
        Self {
            roster: Arc::clone(&session.roster),
            times: session.times,
            phase: session.phase.clone(),
            status: session.status.subscribe(),
        }
    }
}
