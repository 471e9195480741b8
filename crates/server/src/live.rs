//! What lives longer than a request: sockets of agents, streams of events. The registry knows who is connected, and
//! carries what the door says to those whom it concerns.

pub(crate) mod agent;
pub(crate) mod event;
pub(crate) mod leash;
pub(crate) mod log;
pub(crate) mod objection;
mod pace;
pub(crate) mod run_file;
pub(crate) mod seat;
pub(crate) mod session;
pub(crate) mod sse;

use crate::edge::stop::Stop;
use leash::{HeldBy, Leash};
use log::Growth;
use parking_lot::Mutex;
use seat::{Links, Order, Seat};
use session::Close;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tiltyard_engine::token::Tokens;
use tiltyard_engine::{Effect, Engine};
use tiltyard_model::role::Caller;
use tiltyard_model::time::TimeMs;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Ends of tokens and sign-ins that may wait for a stream; each makes it ask the table of tokens.
const MAX_WAITING_ENDS: usize = 256;
/// Numbers of connections a millisecond, of all servers together.
const NUMBERS_A_MS: u64 = 1_024;

/// Who is connected.
pub(crate) struct Live {
    agents: Mutex<HashMap<String, Links>>,
    numbers: AtomicU64,
    /// What keeps its numbers apart from those of other servers.
    salt: u64,
    ended: broadcast::Sender<()>,
    tokens: Tokens,
    stop: Stop,
    /// The logs that are followed.
    pub(crate) growth: Growth,
    /// What is counted of sockets.
    pub(crate) figures: Figures,
}

/// What is counted of sockets (O21).
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Connections of agents that said hello.
    pub(crate) came: AtomicU64,
    /// Of those, the ones that have ended.
    pub(crate) ended: AtomicU64,
    /// Sockets of readers that are open.
    pub(crate) readers: AtomicU64,
    /// How often a reader was told that it is too slow.
    pub(crate) lagged: AtomicU64,
}

/// A reader's socket, counted for as long as it is open.
pub(crate) struct Open(Arc<Live>);

impl Open {
    /// One more.
    pub(crate) fn count(live: &Arc<Live>) -> Self {
        live.figures.readers.fetch_add(1, Relaxed);
        Self(Arc::clone(live))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.figures.readers.fetch_sub(1, Relaxed);
    }
}

impl Live {
    /// Nobody yet.
    pub(crate) fn new(engine: &Engine, stop: Stop) -> Self {
        let tokens = engine.tokens().clone();
        Self {
            agents: Mutex::default(),
            numbers: AtomicU64::new(0),
            salt: RandomState::new().hash_one(0) % NUMBERS_A_MS,
            ended: broadcast::Sender::new(MAX_WAITING_ENDS),
            tokens,
            stop,
            growth: Growth::default(),
            figures: Figures::default(),
        }
    }

    /// Somebody has said hello under the name of an agent at `now`, and is not let in yet. Its number is greater than that of
    /// whoever came before, on this server or another that goes by the same clock.
    pub(crate) fn come(&self, agent: &str, now: TimeMs) -> Seat {
        let mut agents = self.agents.lock();
        let own = now.unsigned_abs() * NUMBERS_A_MS + self.salt;
        let number = own.max(self.numbers.load(Relaxed) + 1);
        self.numbers.store(number, Relaxed);
        self.figures.came.fetch_add(1, Relaxed);
        agents.entry(agent.to_owned()).or_default().come(number)
    }

    /// Lets it take the seat; whoever had it is superseded.
    pub(crate) fn sit(&self, agent: &str, number: u64) {
        if let Some(links) = self.agents.lock().get_mut(agent) {
            links.sit(number);
        }
    }

    /// Leaves a seat, where it is still held.
    pub(crate) fn leave(&self, agent: &str, number: u64) {
        self.figures.ended.fetch_add(1, Relaxed);
        let mut agents = self.agents.lock();
        let Some(links) = agents.get_mut(agent) else { return };
        links.leave(number);
        if links.is_empty() {
            agents.remove(agent);
        }
    }

    /// How many agents are connected.
    pub(crate) fn connected(&self) -> usize {
        self.agents.lock().values().filter(|known| known.is_taken()).count()
    }

    /// What ends when the caller's token does, or the server.
    pub(crate) fn leash(&self, caller: &Caller) -> Leash {
        let (token, sign_in) = (caller.token, caller.sign_in);
        let ended = self.ended.subscribe();
        Leash::new(HeldBy { token, sign_in, tokens: self.tokens.clone() }, ended, self.stop.clone())
    }

    fn tell(&self, agent: &str, order: &Order) {
        let agents = self.agents.lock();
        if agents.get(agent).is_some_and(|known| !known.tell(order)) {
            tracing::warn!(target: "agent", agent, "too many orders wait: it hears of this one when it renews");
        }
    }

    /// Nobody knows what was not passed on. An agent that connects again hears what it holds and whether it drains
    /// (D31), and whoever lives by a token looks whether it does.
    fn start_over(&self) {
        let why = Close::new(Close::LATER, "the server lost track of what it had to say; connect again");
        self.agents.lock().values_mut().for_each(|known| known.send_away(&why));
        // Without a stream there is nobody to tell.
        let _ = self.ended.send(());
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::StopAttempt { agent, task, generation, reason } => {
                self.tell(&agent, &Order::Cancel { task, generation, reason });
            }
            Effect::AgentConnected { agent, number } => {
                if let Some(known) = self.agents.lock().get_mut(&agent) {
                    known.outlive(number);
                }
            }
            Effect::LostTrack => self.start_over(),
            Effect::AgentDrain { agent, draining } => self.tell(&agent, &Order::Drain(draining)),
            Effect::TokenEnded { .. } | Effect::SignInEnded => {
                // Without a stream there is nobody to tell.
                let _ = self.ended.send(());
            }
            // The door counts these itself and tells nobody.
            Effect::Written(_) | Effect::Started { .. } | Effect::Idle | Effect::ToBegin => {}
            // The engine's own service removes it.
            Effect::TaskGone { .. } => {}
        }
    }
}

/// Carries what the door wants done outside to those whom it concerns, for as long as the door stands.
pub(crate) async fn carry(live: Arc<Live>, mut effects: broadcast::Receiver<Effect>) {
    loop {
        match effects.recv().await {
            Ok(effect) => live.carry_out(effect),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(target: "agent", missed, "orders were passed over: every agent connects anew");
                live.start_over();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::stop::stop;
    use tiltyard_engine::Options;

    // E11, API23: numbers of connections are compared between servers. Whoever comes later has the greater one, however many came to
    // the other server before, and two that come in one moment do not have the same.
    #[tokio::test]
    async fn e11_numbers_of_connections_grow_across_servers() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(Options::new(folder.path())).await.expect("opens");
        let (busy, fresh) = (Live::new(&engine, stop().1), Live::new(&engine, stop().1));
        let began = 1_790_000_000_000;
        let earlier = (0..500).map(|n| busy.come("a", began + n).number).max().expect("some came");
        let moved = fresh.come("a", began + 500).number;
        assert!(moved > earlier, "{moved} is not greater than {earlier}");
        let back = busy.come("a", began + 501).number;
        assert!(back > moved, "{back} is not greater than {moved}");
        let again = busy.come("a", began + 501).number;
        assert!(again > back, "in one moment too");
        let all: std::collections::HashSet<u64> =
            (0..50).map(|_| Live::new(&engine, stop().1).come("a", began).number).collect();
        assert!(all.len() > 25, "servers that come in one moment have {} numbers of 50", all.len());
    }
}
