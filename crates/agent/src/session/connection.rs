//! One connection, from `hello` to its end.

use super::feeder::{Feeder, MAX_BACKLOG_AT_ONCE};
use super::lane::{Ended, Lanes, dead, lanes};
use super::roster::{News, Roster, StopWord, Work};
use super::{Phase, Session, resource};
use crate::attempt::AttemptKey;
use crate::slots::Intake;
use crate::stop::StopReason;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_client::Error;
use tiltyard_client::socket::{Received, Receiver, Sender};
use tiltyard_wire::frame::{self, FromAgent, PROTOCOL, ToAgent, Welcome};
use tiltyard_wire::task::work::{Lease, VerdictStatus};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

/// How long `hello` and its answer may take.
const WELCOME_LIMIT: Duration = Duration::from_secs(15);
/// How long the last frames may take when the agent ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Frames that may come before `welcome`.
const MAX_EARLY_FRAMES: usize = 64;
/// Longest pause before what the server could not take is said again, whatever the server says.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Shortest time between two renewals, whatever the server says.
const MIN_RENEW_MS: i64 = 100;

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Parting {
    pub(super) error: Error,
    /// How long it had stood since `welcome`; `None` when it never did.
    pub(super) lived: Option<Duration>,
}

/// Connects, and speaks until the connection ends.
pub(super) async fn converse(session: &mut Session) -> Parting {
    let mut phase = session.phase.subscribe();
    let opened = tokio::select! {
        opened = open(session) => opened,
        _ = phase.wait_for(|phase| *phase == Phase::Closing) => Err(dead("the agent ends")),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return Parting { error, lived: None },
    };
    let since = Instant::now();
    let error = match Connection::begin(session, opened).run(session).await {
        Ok(()) => dead("the agent ends"),
        Err(error) => error,
    };
    Parting { error, lived: Some(since.elapsed()) }
}

struct Opened {
    sender: Sender<FromAgent>,
    receiver: Receiver<ToAgent>,
    welcome: Welcome,
    early: Vec<ToAgent>,
}

async fn open(session: &Session) -> Result<Opened, Error> {
    let (mut sender, mut receiver) = session.client.connect_agent().await?;
    let hello = FromAgent::Hello(session.hello());
    let welcomed = async {
        sender.send(&hello).await?;
        let mut early = Vec::new();
        loop {
            match receiver.receive().await? {
                Received::Frame(ToAgent::Welcome(welcome)) => return Ok((welcome, early)),
                Received::Frame(frame) if early.len() < MAX_EARLY_FRAMES => early.push(frame),
                Received::Frame(_) => return Err(dead("it says much, and no welcome")),
                Received::Unreadable(reason) => unreadable(&reason),
            }
        }
    };
    let welcomed = timeout(WELCOME_LIMIT, welcomed).await;
    let (welcome, early) = welcomed.map_err(|_| dead("it did not answer hello"))??;
    Ok(Opened { sender, receiver, welcome, early })
}

impl Session {
    fn hello(&self) -> frame::Hello {
        let identity = &self.identity;
        frame::Hello {
            protocol: PROTOCOL,
            name: identity.name.clone(),
            instance: self.instance.clone(),
            version: identity.version.clone(),
            host: identity.host.clone(),
            slots: u32::try_from(self.roster.host().slots().limit()).unwrap_or(u32::MAX),
            capabilities: identity.capabilities.clone(),
            kinds: Some(self.roster.host().kinds()),
            queues: identity.queues.clone(),
            holds: self.roster.holds(),
        }
    }

    fn renew(&self, phase: Phase) -> FromAgent {
        let (leases, draining) = (self.roster.holds(), phase != Phase::Working);
        FromAgent::Renew(frame::Renew { leases, draining })
    }

    fn welcomed(&self, welcome: &Welcome) {
        let host = self.roster.host();
        if let Ok(grace_ms) = u64::try_from(welcome.stop_grace_ms) {
            host.set_stop_grace_ms(grace_ms);
        }
        self.set_draining(welcome.draining);
        let (server, version) = (self.client.url(), &welcome.server);
        tracing::info!(target: "agent", server, version, epoch = welcome.epoch, "connected");
        self.status.send_modify(|status| {
            status.connected = true;
            status.welcomes += 1;
            status.trouble = None;
        });
    }

    /// The server's wish; once this process is to end, it takes nothing new whatever the server says.
    fn set_draining(&self, draining: bool) {
        let draining = draining || *self.phase.borrow() != Phase::Working;
        let intake = if draining { Intake::Draining } else { Intake::Open };
        self.roster.host().slots().set_intake(intake);
    }
}

/// A connection that stands.
struct Connection {
    receiver: Receiver<ToAgent>,
    early: Vec<ToAgent>,
    renew_every: Duration,
    voice: Voice,
    writer: JoinSet<Result<(), Error>>,
}

/// What happens on a connection.
enum Happening {
    /// The session has come to another phase of its life.
    Phase(Phase),
    /// It is time to renew the leases.
    Renewal,
    /// It is time to tell the resources.
    Look,
    /// The server could not take a frame before, and may now.
    Again,
    /// Something has become of an assignment.
    News(News),
    /// A story is told.
    Fed(Result<AttemptKey, JoinError>),
    /// A frame came.
    Heard(Received<ToAgent>),
    /// The connection is gone.
    End(Error),
}

/// What a connection waits for besides frames.
struct Clocks {
    phase: watch::Receiver<Phase>,
    renewals: Interval,
    looks: Interval,
    silent_at: Instant,
}

impl Clocks {
    fn new(renew_every: Duration, session: &Session) -> Self {
        Self {
            phase: session.phase.subscribe(),
            renewals: every(renew_every),
            looks: every(session.times.resources),
            silent_at: Instant::now() + session.times.silence,
        }
    }
}

/// The speaking side of a connection.
struct Voice {
    lanes: Lanes,
    roster: Arc<Roster>,
    client: tiltyard_client::Client,
    resettle: Duration,
    backlog: Arc<Semaphore>,
    refusals: watch::Sender<u64>,
    /// When to say again what the server could not take.
    again_at: Option<Instant>,
    again: watch::Sender<u64>,
    /// Attempts that have their feeder.
    fed: HashSet<AttemptKey>,
    feeders: JoinSet<AttemptKey>,
}

impl Connection {
    fn begin(session: &Session, opened: Opened) -> Self {
        let Opened { sender, receiver, welcome, early } = opened;
        session.welcomed(&welcome);
        let (lanes, outlet) = lanes();
        let mut writer = JoinSet::new();
        writer.spawn(outlet.write(sender));
        let voice = Voice {
            lanes,
            roster: Arc::clone(&session.roster),
            client: session.client.clone(),
            resettle: session.times.resettle,
            backlog: Arc::new(Semaphore::new(MAX_BACKLOG_AT_ONCE)),
            refusals: watch::channel(0).0,
            again_at: None,
            again: watch::channel(0).0,
            fed: HashSet::new(),
            feeders: JoinSet::new(),
        };
        let renew_ms = welcome.renew_every_ms.max(MIN_RENEW_MS);
        let renew_every = Duration::from_millis(u64::try_from(renew_ms).unwrap_or(u64::MAX));
        Self { receiver, early, renew_every, voice, writer }
    }

    /// Until the connection ends (the error), or the session does.
    async fn run(mut self, session: &mut Session) -> Result<(), Error> {
        let gone = |Ended| dead("the connection ended");
        self.voice.catch_up().map_err(gone)?;
        for frame in std::mem::take(&mut self.early) {
            self.voice.hear(frame, session).map_err(gone)?;
        }
        let mut clocks = Clocks::new(self.renew_every, session);
        loop {
            let happening = self.next(session, &mut clocks).await;
            match happening {
                Happening::Phase(Phase::Closing) => return self.close().await,
                Happening::End(error) => return Err(error),
                other => self.voice.react(other, session).map_err(gone)?,
            }
        }
    }

    async fn next(&mut self, session: &mut Session, clocks: &mut Clocks) -> Happening {
        let happening = tokio::select! {
            biased;
            // The session outlives its connections, so this never fails.
            _ = clocks.phase.changed() => Happening::Phase(*clocks.phase.borrow_and_update()),
            _ = clocks.renewals.tick() => Happening::Renewal,
            _ = clocks.looks.tick() => Happening::Look,
            () = at(self.voice.again_at) => Happening::Again,
            Some(news) = session.news.recv() => Happening::News(news),
            Some(over) = self.voice.feeders.join_next() => Happening::Fed(over),
            Some(written) = self.writer.join_next() => Happening::End(broken(written)),
            received = self.receiver.receive() => received.map_or_else(Happening::End, Happening::Heard),
            () = sleep_until(clocks.silent_at) => Happening::End(dead("it has fallen silent")),
        };
        if let Happening::Heard(_) = happening {
            clocks.silent_at = Instant::now() + session.times.silence;
        }
        happening
    }

    /// Lets the last frames go out.
    async fn close(self) -> Result<(), Error> {
        let Self { voice, mut writer, .. } = self;
        drop(voice);
        // Whoever does not take them in time will see the connection end.
        let _ = timeout(CLOSE_LIMIT, writer.join_next()).await;
        Ok(())
    }
}

impl Voice {
    /// What a new connection has to hear of the time before it.
    fn catch_up(&mut self) -> Result<(), Ended> {
        self.tell_stops()?;
        self.roster.works().into_iter().for_each(|work| self.feed(work));
        Ok(())
    }

    fn tell_stops(&self) -> Result<(), Ended> {
        for lease in self.roster.stopping() {
            self.lanes.urgent(FromAgent::Stopping(lease))?;
        }
        for lease in self.roster.recently_stopped() {
            self.lanes.urgent(FromAgent::Stopped(lease))?;
        }
        Ok(())
    }

    /// Says again what may not have been taken: which frame it was is not said.
    fn say_again(&mut self, session: &Session) -> Result<(), Ended> {
        self.again_at = None;
        self.lanes.urgent(session.renew(*session.phase.borrow()))?;
        self.again.send_modify(|count| *count += 1);
        self.tell_stops()
    }

    fn feed(&mut self, work: Arc<Work>) {
        if !self.fed.insert(work.key.clone()) {
            return;
        }
        let key = work.key.clone();
        let feeder = Feeder {
            work,
            roster: Arc::clone(&self.roster),
            lanes: self.lanes.clone(),
            client: self.client.clone(),
            resettle: self.resettle,
            backlog: Arc::clone(&self.backlog),
            refusals: self.refusals.subscribe(),
            again: self.again.subscribe(),
        };
        let _: AbortHandle = self.feeders.spawn(async move {
            feeder.run().await;
            key
        });
    }

    fn react(&mut self, happening: Happening, session: &Session) -> Result<(), Ended> {
        match happening {
            Happening::Phase(phase) => self.lanes.urgent(session.renew(phase)),
            Happening::Renewal => self.lanes.urgent(session.renew(*session.phase.borrow())),
            Happening::Look => self.look(session),
            Happening::Again => self.say_again(session),
            Happening::News(news) => self.tell(news),
            Happening::Heard(Received::Frame(frame)) => self.hear(frame, session),
            Happening::Heard(Received::Unreadable(reason)) => {
                unreadable(&reason);
                Ok(())
            }
            Happening::Fed(Ok(key)) => {
                self.fed.remove(&key);
                Ok(())
            }
            Happening::Fed(Err(error)) => {
                tracing::error!(target: "agent", %error, "telling an attempt's story broke");
                Ok(())
            }
            Happening::End(_) => Err(Ended),
        }
    }

    fn look(&self, session: &Session) -> Result<(), Ended> {
        let resources = resource::look(self.roster.host(), &session.folder);
        self.lanes.urgent(FromAgent::Resources(resources))
    }

    fn tell(&mut self, news: News) -> Result<(), Ended> {
        match news {
            News::Begun(work) => {
                self.lanes.urgent(FromAgent::Accept(work.lease))?;
                self.feed(work);
                Ok(())
            }
            News::CalledOff(lease) => self.lanes.urgent(FromAgent::Stopped(lease)),
            News::Refused(Lease { id, generation }, reason) => {
                tracing::info!(target: "agent", task_id = %id, generation, reason, "an assignment goes back");
                self.lanes.urgent(FromAgent::Refuse(frame::Refuse { id, generation, reason }))
            }
        }
    }

    fn hear(&mut self, frame: ToAgent, session: &Session) -> Result<(), Ended> {
        match frame {
            ToAgent::Assign(assign) => self.roster.arrive(*assign),
            ToAgent::Settled(settled) => self.settled(settled),
            ToAgent::Drop(dropped) => {
                for lease in dropped.leases {
                    let why = &lease.code;
                    tracing::info!(target: "agent", task_id = %lease.id, generation = lease.generation, why, "a lease is lost");
                    let lease = Lease { id: lease.id, generation: lease.generation };
                    self.stop(lease, StopReason::Dropped)?;
                }
            }
            ToAgent::Cancel(cancel) => {
                let lease = Lease { id: cancel.id, generation: cancel.generation };
                self.stop(lease, StopReason::Cancelled)?;
            }
            ToAgent::Drain(drain) => session.set_draining(drain.draining),
            ToAgent::Ping(ping) => self.lanes.urgent(FromAgent::Pong(ping))?,
            ToAgent::Error(error) => self.refused(&error),
            ToAgent::Welcome(welcome) => session.welcomed(&welcome),
            // Nothing changes.
            ToAgent::Keep(_) => {}
        }
        Ok(())
    }

    fn settled(&self, settled: frame::Settled) {
        let frame::Settled { id, generation, status, code } = settled;
        if status == VerdictStatus::Refused {
            let code = code.unwrap_or_default();
            tracing::warn!(target: "agent", task_id = %id, generation, code, "the server does not take an outcome");
        }
        self.roster.settled(Lease { id, generation });
    }

    fn stop(&self, lease: Lease, reason: StopReason) -> Result<(), Ended> {
        match self.roster.stop(lease, reason) {
            StopWord::Stopping => self.lanes.urgent(FromAgent::Stopping(lease)),
            StopWord::Stopped => self.lanes.urgent(FromAgent::Stopped(lease)),
            StopWord::Unknown => Ok(()),
        }
    }

    /// Which frame it was is not said; should it have been one of a log, its feeder looks.
    fn refused(&mut self, error: &frame::Error) {
        let frame::Error { code, detail, request_id, retry_after_ms } = error;
        tracing::warn!(target: "agent", code, detail, request_id, retry_after_ms, "the server does not take a frame");
        if let Some(pause_ms) = *retry_after_ms {
            let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or_default()).min(MAX_PAUSE);
            self.again_at.get_or_insert_with(|| Instant::now() + pause);
        }
        self.refusals.send_modify(|count| *count += 1);
    }
}

/// Waits until then; for ever where there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn broken(written: Result<Result<(), Error>, JoinError>) -> Error {
    match written {
        Ok(Err(error)) => error,
        Ok(Ok(())) => dead("the connection was closed"),
        Err(error) => dead(&error.to_string()),
    }
}

fn unreadable(reason: &str) {
    tracing::warn!(target: "agent", reason, "a frame of the server is passed over");
}
