//! A network between a reader and the server: it breaks connections, or holds them up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tiltyard_testkit::TestServer;
use tiltyard_testkit::server::ADMIN_TOKEN;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The network.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    /// While this is true, nothing goes from the server to the reader.
    pub(crate) held: watch::Sender<bool>,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// Where a connection breaks.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    Never,
    /// After some bytes of answers; how many follows from a seed.
    Random {
        seed: u64,
        most_bytes: u64,
    },
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, found) = watch::channel(None);
        let (held, hold) = watch::channel(false);
        let cuts = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(serve(listener, found, hold, cut, Arc::clone(&cuts)));
        Self { address, target, held, cuts, task }
    }

    /// A server behind it.
    pub(crate) async fn server(&self) -> TestServer {
        let own = self.address.to_string();
        let server = TestServer::start_with(|options| options.edge.hosts.push(own)).await.unwrap();
        self.target.send_replace(Some(server.address()));
        server
    }

    /// A client in front of it.
    pub(crate) fn client(&self) -> Client {
        let token = Some(ADMIN_TOKEN.to_owned().into());
        let url = format!("http://{}", self.address);
        Client::new(&Destination { url, token, ..Destination::default() }).unwrap()
    }

    /// How many connections it has broken.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(SeqCst)
    }
}

async fn serve(
    listener: TcpListener,
    target: watch::Receiver<Option<SocketAddr>>,
    hold: watch::Receiver<bool>,
    cut: Cut,
    cuts: Arc<AtomicU64>,
) {
    let mut number = 0;
    loop {
        let (reader, _) = listener.accept().await.unwrap();
        number += 1;
        let left = match cut {
            Cut::Never => u64::MAX,
            Cut::Random { seed, most_bytes } => mix(seed ^ number) % most_bytes,
        };
        let (mut target, hold, cuts) = (target.clone(), hold.clone(), Arc::clone(&cuts));
        tokio::spawn(async move {
            let address = target.wait_for(Option::is_some).await.unwrap().unwrap();
            let server = TcpStream::connect(address).await.unwrap();
            if pass(reader, server, hold, left).await == Passed::Cut {
                cuts.fetch_add(1, SeqCst);
            }
        });
    }
}

#[derive(PartialEq)]
enum Passed {
    Whole,
    Cut,
}

/// Passes at most `left` bytes of answers.
async fn pass(
    reader: TcpStream,
    server: TcpStream,
    mut hold: watch::Receiver<bool>,
    mut left: u64,
) -> Passed {
    let (mut asks, mut hears) = reader.into_split();
    let (mut answers, mut asked) = server.into_split();
    let up = tokio::spawn(async move { copy(&mut asks, &mut asked).await });
    let mut piece = vec![0; 4_096];
    let passed = loop {
        if hold.wait_for(|held| !held).await.is_err() {
            break Passed::Whole;
        }
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            break Passed::Cut;
        }
        match answers.read(&mut piece[..most]).await {
            Ok(0) | Err(_) => break Passed::Whole,
            Ok(bytes) => {
                left -= bytes as u64;
                if hears.write_all(&piece[..bytes]).await.is_err() {
                    break Passed::Whole;
                }
            }
        }
    };
    up.abort();
    passed
}

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
