//! A commit that is cut off: on the way there, on the way back, or somewhere in between. Whoever waits is told what happened,
//! and not what might have.

use super::site::{DATABASE, Site, cluster, short_or_long, until};
use crate::line::Answer;
use crate::load::Load;
use crate::seen::Log;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
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
/// Who need not wait for an outcome is turned away within this.
const MAX_TURNED_AWAY: Duration = Duration::from_secs(5);
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
    armed: Plan,
    /// Nobody gets through any more.
    is_closed: Arc<AtomicBool>,
    fired: watch::Receiver<u64>,
}

impl Cutter {
    async fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has one");
        let (armed, (tell, fired)) = (Arc::default(), watch::channel(0));
        let (plan, tell) = (Arc::clone(&armed), Arc::new(tell));
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&is_closed);
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                if closed.load(Ordering::SeqCst) {
                    continue;
                }
                tokio::spawn(carry(inner, database, Arc::clone(&plan), Arc::clone(&tell)));
            }
        });
        Self { address, armed, is_closed, fired }
    }

    /// Cuts the next commit, and comes back when that has happened.
    async fn cut(&mut self, moment: Moment) {
        let wanted = self.arm(moment, b"");
        self.has_cut(wanted).await;
    }

    /// The first commit of a connection that has carried these bytes will be cut; it is the cut of this number.
    fn arm(&self, moment: Moment, mark: &'static [u8]) -> u64 {
        *self.armed.lock().expect("nobody panics with it") = Some((moment, mark));
        *self.fired.borrow() + 1
    }

    async fn has_cut(&mut self, wanted: u64) {
        let fired = tokio::time::timeout(MAX_WAIT, self.fired.wait_for(|fired| *fired >= wanted)).await;
        fired.expect("a commit comes").expect("the cutter lives");
    }
}

/// When to cut, and the bytes that must have come before.
type Plan = Arc<Mutex<Option<(Moment, &'static [u8])>>>;

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
    let (mut chunk, mut marked) = (vec![0; CHUNK_BYTES], false);
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return false;
        }
        let place = position(&chunk[..count], WORD);
        let moment = {
            let mut plan = plan.lock().expect("nobody panics with it");
            marked |=
                plan.is_some_and(|(_, mark)| mark.is_empty() || position(&chunk[..count], mark).is_some());
            let is_it = marked && place.is_some();
            plan.take_if(|_| is_it).map(|(moment, _)| moment)
        };
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

fn position(bytes: &[u8], of: &[u8]) -> Option<usize> {
    bytes.windows(of.len()).position(|word| word == of)
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: watch::Receiver<bool>) -> bool {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        let is_deaf = *deaf.borrow();
        if count == 0 || is_deaf && position(&chunk[..count], WORD).is_some() {
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

/// Somebody waits for a commit that was cut off at this moment, and the database stays away: what he is told in the end.
async fn waits_for_it(moment: Moment) -> (Answer, String) {
    let cluster = cluster(Sync::Off, &[]);
    let mut cutter = Cutter::to(([127, 0, 0, 1], cluster.port()).into()).await;
    let store = format!("postgres://tiltyard@{}/{DATABASE}?sslmode=disable", cutter.address);
    let site = Site::open(&[store]).await;
    let (mut first, mut second) = (site.line(0), site.line(0));
    let task = |title: &str| json!({"kind": "chaos", "title": title});
    // What was open stays open: the commit ends it.
    cutter.is_closed.store(true, Ordering::SeqCst);
    let (cut, body) = (cutter.arm(moment, b"cut off"), task("cut off"));
    let asked = tokio::spawn(async move { first.post("/tasks", &body).await });
    cutter.has_cut(cut).await;
    let turned_away = second.post("/tasks", &task("behind it")).await.expect("it answers");
    assert_eq!((turned_away.status, turned_away.code()), (503, "store_unreachable"), "{}", turned_away.body);
    assert!(turned_away.took < MAX_TURNED_AWAY && turned_away.says_when(), "{turned_away:?}");
    assert!(!asked.is_finished(), "nobody can know yet");
    cutter.is_closed.store(false, Ordering::SeqCst);
    let answer = asked.await.expect("no panic").expect("it answers");
    let titles = cluster.ask(DATABASE, "SELECT string_agg(title, ',') FROM task").expect("it answers");
    (answer, titles)
}

// E1, E2, E7: while nobody can know what became of a commit, who has asked for it waits, and who has come later is turned away at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_e7_only_who_must_wait_waits_for_a_commit_that_was_cut_off() {
    let (answer, titles) = waits_for_it(Moment::After).await;
    assert_eq!((answer.status, titles.as_str()), (201, "cut off"), "{}", answer.body);
    let (answer, titles) = waits_for_it(Moment::Before).await;
    assert_eq!(
        (answer.status, answer.code(), titles.as_str()),
        (503, "store_unreachable", ""),
        "{}",
        answer.body
    );
}
