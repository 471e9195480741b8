//! A stretch of network that a test can break: all passes, nothing comes back, or nobody gets through.

use anyhow::Context;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes that are carried at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Everything, to this server.
    Open(SocketAddr),
    /// What is asked; answers are lost.
    Deaf(SocketAddr),
    /// Nothing: what is open breaks, what is new is closed at once.
    Cut,
}

/// What passes, and how often everything was cut: a cut breaks what is open, however soon it is mended.
#[derive(Debug, Clone, Copy)]
struct Lane {
    flow: Flow,
    cuts: u64,
}

/// A TCP proxy on loopback. It keeps its address whatever stands behind it.
pub struct Proxy {
    address: SocketAddr,
    lane: watch::Sender<Lane>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// One that lets nobody through yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the proxy")?;
        let address = listener.local_addr().context("the proxy's address")?;
        let lane = watch::Sender::new(Lane { flow: Flow::Cut, cuts: 0 });
        let task = tokio::spawn(accept(listener, lane.subscribe()));
        Ok(Self { address, lane, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a client wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everything through to `server`.
    pub fn open(&self, server: SocketAddr) {
        self.lane.send_modify(|lane| lane.flow = Flow::Open(server));
    }

    /// From now on what is said still arrives, but no answer comes back.
    pub fn deafen(&self) {
        self.lane.send_modify(|lane| {
            if let Flow::Open(server) = lane.flow {
                lane.flow = Flow::Deaf(server);
            }
        });
    }

    /// Breaks every connection and lets nobody through.
    pub fn cut(&self) {
        self.lane.send_modify(|lane| *lane = Lane { flow: Flow::Cut, cuts: lane.cuts + 1 });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, lane: watch::Receiver<Lane>) {
    // They end with this task.
    let mut carried = JoinSet::new();
    while let Ok((inner, _)) = listener.accept().await {
        carried.spawn(carry(inner, lane.clone()));
        while carried.try_join_next().is_some() {}
    }
}

async fn carry(inner: TcpStream, lane: watch::Receiver<Lane>) {
    let Lane { flow: Flow::Open(server) | Flow::Deaf(server), cuts } = *lane.borrow() else { return };
    let Ok(outer) = TcpStream::connect(server).await else { return };
    let quick = inner.set_nodelay(true).and_then(|()| outer.set_nodelay(true));
    if quick.is_err() {
        return;
    }
    let (mut asks, answered) = inner.into_split();
    let (answers, mut asked) = outer.into_split();
    let mut changes = lane.clone();
    // Whichever end closes, closes both.
    tokio::select! {
        _ = changes.wait_for(|lane| lane.cuts != cuts) => {}
        _ = copy(&mut asks, &mut asked) => {}
        () = hand_back(answers, answered, &lane) => {}
    }
}

async fn hand_back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lane: &watch::Receiver<Lane>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        let deaf = matches!(lane.borrow().flow, Flow::Deaf(_));
        if !deaf && to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
