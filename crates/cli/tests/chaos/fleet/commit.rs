//! A commit that is cut off: on the way there, on the way back, or somewhere in between. Whoever waits is told what happened,
//! and not what might have.

use super::site::{DATABASE, Site, cluster, short_or_long, until};
use crate::load::Load;
use crate::seen::Log;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::Sync;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes that are carried at once; larger than what a batch sends at once, or the word is looked for in two pieces.
const CHUNK_BYTES: usize = 1024 * 1024;
/// The end of the statement, as the client says it and as the server says that it is done.
const WORD: &[u8] = b"COMMIT\0";
/// What stands before it in a message of the client: its kind and its length.
const HEAD_BYTES: usize = 5;
/// Bounds the failure of a commit that never comes.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Answers of success between two cuts.
const HEARD: u64 = 8;

/// When the next commit is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// All but the commit itself has arrived: it does not happen.
    Before,
    /// It is under way: it happens or not.
    Amidst,
    /// It has happened, and its answer is on the way.
    After,
}

/// A way to the database that is cut once a time.
struct Cutter {
    address: SocketAddr,
    armed: Arc<Mutex<Option<Moment>>>,
    fired: watch::Receiver<u64>,
}

impl Cutter {
    async fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has one");
        let (armed, (tell, fired)) = (Arc::default(), watch::channel(0));
        let (plan, tell) = (Arc::clone(&armed), Arc::new(tell));
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                tokio::spawn(carry(inner, database, Arc::clone(&plan), Arc::clone(&tell)));
            }
        });
        Self { address, armed, fired }
    }

    /// Cuts the next commit, and comes back when that has happened.
    async fn cut(&mut self, moment: Moment) {
        let wanted = *self.fired.borrow() + 1;
        *self.armed.lock().expect("nobody panics with it") = Some(moment);
        let fired = tokio::time::timeout(MAX_WAIT, self.fired.wait_for(|fired| *fired >= wanted)).await;
        fired.expect("a commit comes").expect("the cutter lives");
    }
}

type Plan = Arc<Mutex<Option<Moment>>>;

async fn carry(inner: TcpStream, database: SocketAddr, plan: Plan, tell: Arc<watch::Sender<u64>>) {
    let Ok(outer) = TcpStream::connect(database).await else { return };
    inner.set_nodelay(true).expect("a socket");
    outer.set_nodelay(true).expect("a socket");
    let (asks, answered) = inner.into_split();
    let (answers, asked) = outer.into_split();
    let (deaf, hears) = watch::channel(false);
    // Whichever end closes, closes both.
    tokio::select! {
        cut = there(asks, asked, plan, deaf) => {
            if cut {
                tell.send_modify(|count| *count += 1);
            }
        }
        cut = back(answers, answered, hears) => {
            if cut {
                tell.send_modify(|count| *count += 1);
            }
        }
    }
}

/// Says whether a commit was cut off.
async fn there(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: Plan,
    deaf: watch::Sender<bool>,
) -> bool {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return false;
        }
        let place = chunk[..count].windows(WORD.len()).position(|word| word == WORD);
        let moment = place.and_then(|_| plan.lock().expect("nobody panics with it").take());
        let sent = match (moment, place) {
            (Some(Moment::Before), Some(place)) => place - HEAD_BYTES.min(place),
            _ => count,
        };
        if moment == Some(Moment::After) {
            deaf.send_replace(true);
        }
        if to.write_all(&chunk[..sent]).await.is_err() {
            return moment.is_some();
        }
        match moment {
            Some(Moment::Before | Moment::Amidst) => return true,
            // The other direction ends it.
            Some(Moment::After) => std::future::pending().await,
            None => {}
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: watch::Receiver<bool>) -> bool {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        let is_deaf = *deaf.borrow();
        if count == 0 || is_deaf && chunk[..count].windows(WORD.len()).any(|word| word == WORD) {
            return is_deaf;
        }
        if !is_deaf && to.write_all(&chunk[..count]).await.is_err() {
            return false;
        }
    }
}

// E1, E2, O16: one of two servers has its commits cut off, again and again. What was said to be done is there, what was said not
// to be is not, and nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_e2_a_commit_that_is_cut_off_is_found_out_in_both_directions() {
    let cluster = cluster(Sync::Off, &[]);
    let mut cutter = Cutter::to(([127, 0, 0, 1], cluster.port()).into()).await;
    let cut = format!("postgres://tiltyard@{}/{DATABASE}?sslmode=disable", cutter.address);
    let (mut site, load, mut log) =
        (Site::open(&[cut, cluster.tcp_url(DATABASE)]).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    let tries = short_or_long(6, 200);
    for _ in 0..tries {
        for moment in [Moment::Before, Moment::Amidst, Moment::After] {
            cutter.cut(moment).await;
            // It has found out by then; what it commits to make sure is not cut off.
            site.serves(0, &load, Instant::now()).await;
            load.heard(HEARD).await;
        }
    }
    let found_out = |site: &Site| site.log(0).matches("its outcome is looked for").count();
    until("every outcome was looked for", MAX_WAIT, async || found_out(&site) >= 3 * tries).await;
    let seen = site.settle(load, &mut log).await;
    println!("{} commits were cut off, {} tasks", 3 * tries, seen.tasks.len());
}
