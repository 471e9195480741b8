//! Load: many hands that submit and work, and write down what they hear. They outlive every server: when one is gone
//! they wait for the next, and say again whatever was left without an answer. Where there are several servers they go from one
//! to another, and leave one that cannot help them.

mod produce;
mod work;

use crate::ledger::{Kind, Ledger};
use crate::line::{Answer, Line, Silence};
use crate::server::Server;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Hands that submit.
const PRODUCERS: u64 = 6;
/// Hands that work: those that settle one by one, those that settle many, those that claim without a `claim_id`.
const WORKERS: [u64; 3] = [3, 2, 2];
/// Producers wait while more acknowledged tasks than this are unfinished.
const MAX_OPEN: i64 = 150;
/// How long a hand waits for another server before it tries the old one again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The pause before a busy server is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// A request of which nothing is heard for so long was forgotten: far longer than any disk or any load explains.
const MAX_ANSWER: Duration = Duration::from_secs(30);
/// A hand that is well goes to another server once in so many requests.
const MOVES_ONCE_IN: u64 = 12;
/// Bounds the failure of hands that never come to an end.
const MAX_END: Duration = Duration::from_secs(60);

/// What the hands are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Submit and work.
    Produce,
    /// Only work.
    Drain,
    /// Come to an end, once what was said has been answered.
    Stop,
}

/// The load on whatever server there is.
pub(crate) struct Load {
    /// What it writes.
    pub(crate) ledger: Arc<Ledger>,
    addresses: watch::Sender<Vec<SocketAddr>>,
    phase: watch::Sender<Phase>,
    hands: JoinSet<()>,
}

impl Load {
    /// Hands that wait for a server.
    pub(crate) fn new() -> Self {
        let (addresses, phase) = (watch::Sender::new(Vec::new()), watch::Sender::new(Phase::Produce));
        let mut load = Self { ledger: Arc::new(Ledger::new()), addresses, phase, hands: JoinSet::new() };
        for number in 0..PRODUCERS {
            let hand = load.hand(format!("p{number}"), number);
            load.hands.spawn(produce::produce(hand));
        }
        for number in 0..WORKERS[0] {
            let hand = load.hand(format!("single-{number}"), 100 + number);
            load.hands.spawn(work::one_by_one(hand));
        }
        for number in 0..WORKERS[1] {
            let hand = load.hand(format!("batch-{number}"), 200 + number);
            load.hands.spawn(work::in_batches(hand));
        }
        for number in 0..WORKERS[2] {
            let hand = load.hand(format!("careless-{number}"), 300 + number);
            load.hands.spawn(work::carelessly(hand));
        }
        load
    }

    fn hand(&self, name: String, seed: u64) -> Hand {
        Hand {
            name,
            count: 0,
            chance: Chance::from(seed),
            ledger: Arc::clone(&self.ledger),
            addresses: self.addresses.subscribe(),
            phase: self.phase.subscribe(),
            line: None,
        }
    }

    /// Tells the hands where the server is.
    pub(crate) fn go(&self, server: &Server) {
        self.go_to(&[server.address]);
    }

    /// Tells the hands where the servers are.
    pub(crate) fn go_to(&self, servers: &[SocketAddr]) {
        self.addresses.send_replace(servers.to_vec());
    }

    /// Waits until `count` more answers of success were heard.
    pub(crate) async fn heard(&self, count: u64) {
        let mut heard = self.ledger.heard();
        let wanted = *heard.borrow() + count;
        let all = tokio::time::timeout(MAX_END, heard.wait_for(|heard| *heard >= wanted)).await;
        all.expect("the server goes on answering").expect("the ledger lives");
    }

    /// Nothing new is submitted from here on.
    pub(crate) fn drain(&self) {
        self.phase.send_replace(Phase::Drain);
    }

    /// Ends the hands, each once its last word is answered.
    pub(crate) async fn stop(mut self) -> Arc<Ledger> {
        self.phase.send_replace(Phase::Stop);
        let ended = tokio::time::timeout(MAX_END, async {
            while let Some(hand) = self.hands.join_next().await {
                hand.expect("no hand panics");
            }
        });
        ended.await.expect("every hand comes to its end");
        self.ledger
    }

    /// Ends the hands where they stand: what they said last stays unknown.
    pub(crate) async fn drop_everything(mut self) -> Arc<Ledger> {
        self.hands.shutdown().await;
        self.ledger
    }
}

/// One that submits or works.
struct Hand {
    name: String,
    count: u64,
    chance: Chance,
    ledger: Arc<Ledger>,
    addresses: watch::Receiver<Vec<SocketAddr>>,
    phase: watch::Receiver<Phase>,
    line: Option<Line>,
}

/// What is said.
#[derive(Debug, Clone)]
struct Ask {
    path: String,
    key: Option<String>,
    body: Value,
}

impl Ask {
    fn new(path: impl Into<String>, body: Value) -> Self {
        Self { path: path.into(), key: None, body }
    }
}

impl Hand {
    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// A name that nobody else has.
    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{}-{what}-{}", self.name, self.count)
    }

    /// Says it once.
    async fn once(&mut self, ask: &Ask) -> Result<Answer, Silence> {
        let mut line = self.line().await;
        let asked = async {
            match &ask.key {
                Some(key) => line.post_once(&ask.path, key, &ask.body).await,
                None => line.post(&ask.path, &ask.body).await,
            }
        };
        let Ok(answer) = tokio::time::timeout(MAX_ANSWER, asked).await else {
            let text = format!("{}: nothing was heard of {} for {MAX_ANSWER:?}", self.name, ask.path);
            self.ledger.fault(Kind::Answer, text);
            return Err(Silence::Unknown);
        };
        let stays = match &answer {
            Ok(answer) if answer.is_done() => {
                self.ledger.hear();
                !self.chance.once_in(MOVES_ONCE_IN)
            }
            Ok(answer) if is_busy(answer) => {
                tokio::time::sleep(BUSY_PAUSE).await;
                false
            }
            Ok(_) => true,
            Err(_) => {
                self.wait_for_another().await;
                false
            }
        };
        if let Ok(answer) = &answer
            && answer.status == 503
            && !answer.says_when()
        {
            let text = format!("{} was refused without a time to come again: {}", ask.path, answer.body);
            self.ledger.fault(Kind::Answer, text);
        }
        // From the next one nothing is known yet.
        self.line = Some(line).filter(|_| stays || self.addresses.borrow().len() < 2);
        answer
    }

    /// The server is gone: where it was the only one there is nobody to talk to.
    async fn wait_for_another(&mut self) {
        let pause = if self.addresses.borrow().len() < 2 { LOOK_AGAIN } else { BUSY_PAUSE };
        // What has not changed meanwhile is tried again.
        let _ = tokio::time::timeout(pause, self.addresses.changed()).await;
    }

    /// Says it until somebody answers who is not too busy.
    async fn again_and_again(&mut self, ask: &Ask) -> Answer {
        loop {
            match self.once(ask).await {
                Ok(answer) if !is_busy(&answer) => return answer,
                _ => {}
            }
        }
    }

    /// The line to one of the present servers.
    async fn line(&mut self) -> Line {
        let addresses = self.addresses.wait_for(|addresses| !addresses.is_empty()).await;
        let addresses = addresses.expect("the load lives").clone();
        match self.line.take() {
            Some(line) if addresses.contains(&line.address()) => line,
            _ => Line::to(addresses[self.chance.below(addresses.len() as u64) as usize]),
        }
    }
}

/// Whether the same may be said again a little later: the server is busy, or another hand's like request is under way.
fn is_busy(answer: &Answer) -> bool {
    answer.status == 503 || answer.code() == "idempotency_running"
}

/// SplitMix64: chance that comes again.
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of a seed.
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to below `below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % below
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
