//! Several servers over one database, and the load on all of them.

use crate::check::assert_whole;
use crate::kill::{assert_followed, drained};
use crate::ledger::Word;
use crate::line::{Answer, Line, Silence};
use crate::load::Load;
use crate::seen::{Log, Seen, look_closely, read};
use crate::server::{Server, Yard};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync};

/// The database of every site.
pub(super) const DATABASE: &str = "tiltyard";
/// Bounds the failure of something that never happens.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// More reads at once than a server has readers.
const MANY_READS: usize = 16;
/// The pause between two looks at what tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether the long versions are run.
pub(super) fn is_soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// One number in `make test`, another in `make soak`.
pub(crate) fn short_or_long<T>(short: T, long: T) -> T {
    if is_soak() { long } else { short }
}

/// A server of PostgreSQL of a test's own, with an empty database.
pub(crate) fn cluster(sync: Sync, settings: &[&str]) -> Cluster {
    let cluster = Cluster::start(sync, settings).expect("PostgreSQL starts");
    cluster.ask("postgres", &format!("CREATE DATABASE {DATABASE}")).expect("a database");
    cluster
}

/// Servers over one database.
pub(super) struct Site {
    yards: Vec<Yard>,
    servers: Vec<Option<Server>>,
}

impl Site {
    /// One running server for each of these addresses of the same store.
    pub(super) async fn open(stores: &[String]) -> Self {
        Self::open_with(stores, |_, yard| yard.command()).await
    }

    /// The same where not every server is started in the usual way.
    pub(super) async fn open_with(
        stores: &[String],
        command: impl Fn(usize, &Yard) -> tokio::process::Command,
    ) -> Self {
        let yards: Vec<Yard> = stores.iter().map(|store| Yard::at(store)).collect();
        let mut servers = Vec::new();
        for (place, yard) in yards.iter().enumerate() {
            servers.push(Some(yard.start_as(command(place, yard)).await));
        }
        Self { yards, servers }
    }

    /// Servers that were started elsewhere.
    pub(super) fn of(started: impl IntoIterator<Item = (Yard, Server)>) -> Self {
        let (yards, servers): (Vec<Yard>, Vec<Server>) = started.into_iter().unzip();
        Self { yards, servers: servers.into_iter().map(Some).collect() }
    }

    /// Starts the server of a place, at another port than the one before it.
    pub(super) async fn start(&mut self, place: usize) {
        self.start_as(place, Yard::command).await;
    }

    /// The same in another way than usual.
    pub(super) async fn start_as(
        &mut self,
        place: usize,
        command: impl Fn(&Yard) -> tokio::process::Command,
    ) {
        let yard = &self.yards[place];
        self.servers[place] = Some(yard.start_as(command(yard)).await);
    }

    /// Kills one (`kill -9`).
    pub(super) async fn kill(&mut self, place: usize) {
        self.servers[place].take().expect("it runs").kill().await;
    }

    /// Ends one in order (TERM).
    pub(super) async fn end(&mut self, place: usize) {
        let mut server = self.servers[place].take().expect("it runs");
        server.signal(rustix::process::Signal::TERM);
        let ended = server.ended().await;
        assert!(ended.success(), "{ended}: {}", self.log(place));
    }

    /// The server of a place, which runs.
    pub(super) fn server(&self, place: usize) -> &Server {
        self.servers[place].as_ref().expect("it runs")
    }

    /// What the servers of a place have written about themselves.
    pub(super) fn log(&self, place: usize) -> String {
        self.yards[place].log()
    }

    /// A connection to one.
    pub(super) fn line(&self, place: usize) -> Line {
        self.server(place).line()
    }

    /// Where those that run are.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().flatten().map(|server| server.address).collect()
    }

    /// Which run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.servers.len()).filter(|place| self.servers[*place].is_some()).collect()
    }

    /// Each of them is still the process that was started.
    pub(super) fn assert_none_ended(&mut self) {
        for (place, server) in self.servers.iter_mut().enumerate() {
            let runs = server.as_mut().is_none_or(Server::runs);
            assert!(runs, "server {place} has ended");
        }
    }

    /// Every server has needed all of its readers once.
    pub(super) async fn read_at_once(&self) {
        let reads = self.running().into_iter().flat_map(|place| (0..MANY_READS).map(move |_| place));
        let mut under_way = tokio::task::JoinSet::new();
        for place in reads {
            let mut line = self.line(place);
            under_way.spawn(async move { read(&mut line, "/tasks?limit=100").await });
        }
        while let Some(read) = under_way.join_next().await {
            read.expect("it is read");
        }
    }

    /// What a server answers to whoever asks whether it is ready.
    pub(super) async fn ready(&self, place: usize) -> Answer {
        self.line(place).probe("/readyz").await.expect("it answers")
    }

    /// Waits until a server acknowledges a write again; how long that took.
    pub(super) async fn serves(&self, place: usize, load: &Load, since: Instant) -> Duration {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let title = format!("probe-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            load.ledger.will_submit(&title, None, None);
            let answer = self.line(place).post("/tasks", &json!({"kind": "chaos", "title": title})).await;
            let word = match &answer {
                Ok(answer) if answer.is_done() => {
                    Word::Done(answer.body["id"].as_str().unwrap_or_default().to_owned())
                }
                Ok(_) | Err(Silence::Unsent) => Word::Refused,
                Err(Silence::Unknown) => Word::Unknown,
            };
            load.ledger.submitted(&title, word);
            if answer.as_ref().is_ok_and(Answer::is_done) {
                return since.elapsed();
            }
            assert!(since.elapsed() < MAX_WAIT, "server {place} does not serve: {answer:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Lets the load come to its end, and holds what was acknowledged against what every server says.
    pub(super) async fn settle(&mut self, load: Load, log: &mut Log) -> Seen {
        load.go_to(&self.addresses());
        load.drain();
        let first = self.running()[0];
        drained(self.server(first), log, &load).await;
        let ledger = load.stop().await;
        let seen = look_closely(self.server(first), log).await;
        assert_whole(&ledger, &seen);
        for place in self.running() {
            assert_followed(self.server(place), log).await;
        }
        self.assert_none_ended();
        seen
    }
}

/// Waits until something is so.
pub(super) async fn until(what: &str, within: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < within, "it did not happen within {within:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    began.elapsed()
}
