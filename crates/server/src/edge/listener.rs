//! The listener: takes connections, as many as it may, and ends them when the server stops (SEC13, O2).

use crate::edge::connection;
use crate::edge::descriptor;
use crate::edge::guard::Edge;
use crate::edge::house::House;
use crate::edge::link::{Link, Stream, Wire};
use crate::edge::request_id::RequestId;
use crate::edge::slots::{Slot, Slots};
use crate::edge::stop::{self, Stage, Stop};
use crate::problem;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::refusal::Refusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections that the system may hold before they are accepted.
const ACCEPT_BACKLOG: u32 = 4_096;

/// How long to wait when the system has no more files to give, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 100;

/// Connections beyond the limits that are told so at once; more are closed without a word.
const MAX_TURNED_AWAY: usize = 64;

/// How long telling them may take, in milliseconds.
const TURN_AWAY_MS: u64 = 1_000;

/// A socket that listens.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because their time was up.
    pub cut: usize,
}

impl Listener {
    /// Listens on `address`; port 0 picks a free one. Whether it may is [`crate::edge::bind`]'s to say.
    ///
    /// # Errors
    /// What the system says: the port is taken, the address is not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted server gets its port back while old connections linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let tcp = socket.listen(ACCEPT_BACKLOG)?;
        let address = tcp.local_addr()?;
        Ok(Self { tcp, tls: None, address })
    }

    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, tls: TlsAcceptor) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The address, with the port that was picked.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`: from `Draining` on nothing new is taken, requests in flight are finished, idle
    /// connections closed; after `settings.drain`, or at `Ended`, what is left is cut.
    pub async fn serve<H: House>(self, edge: Arc<Edge<H>>, stop: Stop) -> Drained {
        let settings = edge.settings.clone();
        let max_connections = descriptor::room_for(settings.max_connections);
        if max_connections < settings.max_connections {
            tracing::warn!(target: "api", max_connections, "fewer connections than set: raise the limit of open files");
        }
        let slots = Slots::new(max_connections, settings.max_connections_per_address, settings.proxies);
        // The connections hear this one, so that they end with this call, whoever else lives on in the process.
        let (stopper, heard) = stop::stop();
        let door =
            Door { edge, stop: heard, tls: self.tls, turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)) };
        tokio::select! {
            biased;
            _ = stop.clone().reached(Stage::Draining) => {}
            () = accept(&self.tcp, &slots, &door) => {}
        }
        drop(self.tcp);
        stopper.reach(Stage::Draining);
        tokio::select! {
            () = slots.emptied() => {}
            () = sleep(settings.drain) => {}
            _ = stop.reached(Stage::Ended) => {}
        }
        let cut = slots.taken();
        stopper.reach(Stage::Ended);
        Drained { cut }
    }
}

/// What every connection needs on its way in.
struct Door<H> {
    edge: Arc<Edge<H>>,
    stop: Stop,
    tls: Option<TlsAcceptor>,
    turned_away: Arc<Semaphore>,
}

/// Takes connections for ever. A connection that fails while it is taken is the client's affair; a system that
/// has no more files to give is waited for, and said.
async fn accept<H: House>(tcp: &TcpListener, slots: &Slots, door: &Door<H>) {
    loop {
        match tcp.accept().await {
            Ok((stream, peer)) => door.take(stream, peer, slots.take(peer.ip())),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(target: "api", %error, "cannot take connections; raise the limit of open files");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl<H: House> Door<H> {
    fn take(&self, stream: TcpStream, peer: SocketAddr, slot: Result<Slot, Refusal>) {
        let tls = self.tls.clone();
        match slot {
            Ok(slot) => {
                let (edge, stop) = (Arc::clone(&self.edge), self.stop.clone());
                tokio::spawn(admit(stream, peer, slot, tls, edge, stop));
            }
            Err(refusal) => {
                if let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() {
                    tokio::spawn(async move {
                        turn_away(stream, tls, refusal).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

async fn admit<H: House>(
    tcp: TcpStream,
    peer: SocketAddr,
    slot: Slot,
    tls: Option<TlsAcceptor>,
    edge: Arc<Edge<H>>,
    stop: Stop,
) {
    // Answers are small and whole: holding them back for more would only add latency. A socket that refuses the
    // option works without it.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(target: "api", %error, "no TCP_NODELAY");
    }
    // A client that does not finish its handshake in a head's time is not worth a slot.
    if let Ok(Ok(stream)) = timeout(edge.settings.head_read, secure(tcp, tls)).await {
        let link = Arc::new(Link::new(peer.ip()));
        connection::run(Wire::new(stream, link, slot), edge, stop).await;
    }
}

async fn secure(tcp: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Stream> {
    match tls {
        None => Ok(Stream::Plain(tcp)),
        Some(tls) => Ok(Stream::Tls(Box::new(tls.accept(tcp).await?))),
    }
}

/// Tells a connection beyond the limits why it is not taken, and reads what it sends meanwhile, so that closing
/// does not take the answer back.
async fn turn_away(tcp: TcpStream, tls: Option<TlsAcceptor>, refusal: Refusal) {
    let told = async {
        let mut stream = secure(tcp, tls).await?;
        stream.write_all(&problem::raw(&refusal, RequestId::new().as_str())).await?;
        stream.shutdown().await?;
        let mut thrown_away = [0; 1_024];
        while stream.read(&mut thrown_away).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whoever does not listen in time has been told as far as one can be.
    drop(timeout(Duration::from_millis(TURN_AWAY_MS), told).await);
}
