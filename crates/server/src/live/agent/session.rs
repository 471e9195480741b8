//! One connection of an agent, from its hello to its end.

use super::frame::{Clerk, Fault, Outcomes, Working, standing};
use super::offer::Offers;
use super::profile;
use super::work::Hands;
use crate::edge::request_id::RequestId;
use crate::live::objection::Objections;
use crate::live::seat::{Order, Seat};
use crate::live::session::{Close, Ear, Mouth};
use axum::extract::ws::Message;
use futures_util::{FutureExt, StreamExt};
use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};
use tiltyard_engine::agent::{self as agents, Hello};
use tiltyard_engine::task::heartbeat::{Held, Standing};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::agent::MAX_SLOTS;
use tiltyard_model::agent::record::Verdict;
use tiltyard_model::refusal::Code;
use tiltyard_wire::frame::{self as wire, FromAgent, MAX_SILENCE_MS, PING_EVERY_MS, PROTOCOL, ToAgent};
use tiltyard_wire::task::work::Lease;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How long a program has between TERM and KILL, in milliseconds.
const STOP_GRACE_MS: i64 = 10_000;
/// How long an agent that did not accept a task is given no other, in milliseconds.
const DEAF_REST_MS: u64 = 10_000;

/// Invalid frames that may wait to be judged; no other frame is read meanwhile.
const MAX_JUDGED: usize = 20;
/// How long a close waits for the store to have it on record, in milliseconds.
const RECORD_MS: u64 = 250;

/// A connected agent.
pub(super) struct Session {
    clerk: Clerk,
    seat: Seat,
    hands: Hands,
    offers: Offers,
    /// Invalid frames of which it is not yet known what is done about them.
    judging: VecDeque<JoinHandle<(Verdict, wire::Error)>>,
    objections: Objections<wire::Error>,
    /// The frame that is being worked on. No other is read meanwhile, so they are taken in their order.
    work: Option<Work>,
    /// What is being taken back because nobody accepted it.
    returning: Option<Working>,
    /// Attempts whose log has a gap because the server could not take a piece of it.
    behind: HashSet<Held>,
    heard: Instant,
}

/// A frame that is being worked on.
struct Work {
    working: Working,
    log: Option<Held>,
}

impl Work {
    /// That is no piece of a log.
    fn of(working: impl Future<Output = Outcomes> + Send + 'static) -> Self {
        Self { working: Box::pin(working), log: None }
    }
}

/// What the engine says to a hello.
struct Met {
    standing: Standing,
    draining: bool,
}

impl Session {
    /// Of somebody who has just said hello.
    pub(super) fn new(clerk: Clerk, seat: Seat, hello: &wire::Hello) -> Self {
        Self {
            hands: Hands::new(&clerk, hello),
            offers: Offers::new(clerk.app.accept_within),
            clerk,
            seat,
            judging: VecDeque::new(),
            objections: Objections::default(),
            work: None,
            returning: None,
            behind: HashSet::new(),
            heard: Instant::now(),
        }
    }

    /// Lives until something ends it; says what.
    pub(super) async fn live(&mut self, mouth: &Mouth, ear: &mut Ear, hello: wire::Hello) -> Close {
        let lived = async {
            self.greet(mouth, hello).await?;
            self.attend(mouth, ear).await
        };
        let Err(close) = lived.await;
        close
    }

    /// Says welcome, and what became of each lease that the agent holds (D31).
    async fn greet(&mut self, mouth: &Mouth, hello: wire::Hello) -> Result<(), Close> {
        let app = &self.clerk.app;
        let lease_ms = app.default_lease_ms;
        let Met { standing: held, draining } =
            meet(&self.clerk, hello).await?.ok_or_else(|| self.seat.why())?;
        app.live.sit(&self.clerk.name, self.seat.number);
        self.hands.drain(draining);
        let welcome = wire::Welcome {
            protocol: PROTOCOL,
            server: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: app.engine.store().epoch(),
            lease_ms,
            renew_every_ms: (lease_ms / 3).max(1),
            stop_grace_ms: STOP_GRACE_MS,
            draining,
        };
        say(mouth, &ToAgent::Welcome(welcome))?;
        say_all(mouth, &standing(held))
    }

    /// Deals with one thing after the other, whatever comes.
    async fn attend(&mut self, mouth: &Mouth, ear: &mut Ear) -> Result<Infallible, Close> {
        self.heard = Instant::now();
        self.hands.reach_out(mouth);
        let mut pulse = interval(Duration::from_millis(PING_EVERY_MS));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pulse.reset();
        loop {
            tokio::select! {
                biased;
                () = mouth.broken() => return Err(Close::new(Close::LATER, "nobody reads what is said")),
                // Before the orders: a task is said before its cancel, because it was claimed before.
                taken = self.hands.taken() => {
                    let assigned = self.hands.assign(mouth, taken)?;
                    assigned.into_iter().for_each(|held| self.offers.put(held));
                }
                order = self.seat.orders.recv() => self.obey(mouth, order)?,
                done = done(&mut self.work), if self.judging.is_empty() => self.finish(mouth, done)?,
                told = told(&mut self.returning) => say_all(mouth, &told.unwrap_or_default())?,
                overdue = self.offers.overdue(), if self.returning.is_none() => self.take_back(overdue),
                judged = judged(&mut self.judging) => self.be_patient(judged)?,
                error = self.objections.next() => say(mouth, &ToAgent::Error(error))?,
                _ = pulse.tick() => self.check_pulse(mouth, ear)?,
                message = ear.next(), if self.work.is_none() && self.judging.len() < MAX_JUDGED => self.hear(message)?,
                () = mouth.emptied() => {}
            }
            self.hands.reach_out(mouth);
        }
    }

    /// Passes on what the door says.
    fn obey(&mut self, mouth: &Mouth, order: Option<Order>) -> Result<(), Close> {
        match order {
            None => Err(self.seat.why()),
            Some(Order::Cancel { task, generation, reason }) => {
                self.offers.close(Held { id: task, generation });
                say(mouth, &ToAgent::Cancel(wire::Cancel { id: task, generation, reason }))
            }
            Some(Order::Drain(draining)) => {
                self.hands.drain(draining);
                say(mouth, &ToAgent::Drain(wire::Drain { draining }))
            }
        }
    }

    /// Nobody began these: they go elsewhere, and whoever is so deaf gets nothing else for a while.
    fn take_back(&mut self, overdue: Vec<Held>) {
        if !overdue.is_empty() {
            self.hands.rest_until(Instant::now() + Duration::from_millis(DEAF_REST_MS));
            self.returning = Some(Box::pin(self.clerk.clone().take_back(overdue)));
        }
    }

    fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Close> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(FromAgent::Hello(_)) => self.object("hello is said once"),
                Ok(frame) => self.take(frame),
                Err(error) => self.object(&format!("the frame cannot be read: {error}")),
            },
            Some(Ok(Message::Binary(bytes))) => {
                self.object(&format!("{} bytes that are no text", bytes.len()))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                let reason = if reason.is_empty() { "the agent closed".to_owned() } else { reason };
                Err(Close::new(Close::NORMAL, reason))
            }
            Some(Err(error)) => Err(Close::broken(&error)),
            None => Err(Close::new(Close::LATER, "the connection ended")),
        }
    }

    /// Takes a frame: what it says to the session at once, what it says to the engine beside it.
    fn take(&mut self, frame: FromAgent) -> Result<(), Close> {
        let mut log = None;
        match &frame {
            FromAgent::Accept(lease) => {
                self.offers.close(held(*lease));
                return Ok(());
            }
            FromAgent::Resources(resources) => {
                self.work = Some(Work::of(self.clerk.clone().present(Some(*resources))));
                return Ok(());
            }
            FromAgent::Hello(_) | FromAgent::Pong(_) => return Ok(()),
            FromAgent::Renew(renew) => self.hands.end(renew.draining),
            FromAgent::Refuse(refuse) => {
                self.hands.rest();
                self.offers.close(Held { id: refuse.id, generation: refuse.generation });
            }
            FromAgent::Progress(wire::Progress { id, generation, .. })
            | FromAgent::Settle(wire::Settle { id, generation, .. }) => {
                self.offers.close(Held { id: *id, generation: *generation });
            }
            FromAgent::Log(wire::LogChunk { id, generation, .. }) => {
                let held = Held { id: *id, generation: *generation };
                self.offers.close(held);
                log = Some(held);
            }
            FromAgent::Stopping(lease) | FromAgent::Stopped(lease) => self.offers.close(held(*lease)),
        }
        self.work = Some(Work { working: Box::pin(self.clerk.clone().take(frame)), log });
        Ok(())
    }

    /// Says what a frame came to.
    fn finish(&mut self, mouth: &Mouth, (outcomes, log): (Outcomes, Option<Held>)) -> Result<(), Close> {
        // While it was worked on nothing was read: that is no silence of the agent's.
        self.heard = Instant::now();
        match outcomes {
            Ok(frames) => {
                log.inspect(|held| {
                    self.behind.remove(held);
                });
                say_all(mouth, &frames)
            }
            Err(Fault::End(close)) => Err(close),
            Err(Fault::Invalid(said)) => self.object(&said),
            Err(Fault::Later(error, log)) => {
                if self.behind.len() < MAX_SLOTS as usize {
                    self.behind.extend(log);
                }
                tracing::warn!(target: "agent", agent = &*self.clerk.name, code = error.code, request_id = error.request_id, "a frame could not be taken now: {}", error.detail);
                say(mouth, &ToAgent::Error(error))
            }
            // The agent could not know yet that the piece before was not taken.
            Err(Fault::Gap(held, said)) if self.behind.contains(&held) => {
                say(mouth, &ToAgent::Error(error_of(Code::RangeNotSatisfiable, &said)))
            }
            Err(Fault::Gap(_, said)) => self.object(&said),
        }
    }

    /// Tells the agent that a frame was not taken; one that goes on so is slowed, then closed (C2).
    fn object(&mut self, said: &str) -> Result<(), Close> {
        let error = error_of(Code::Invalid, said);
        let mut judged = Box::pin(self.clerk.clone().object(error));
        // Asked for at once, so that they are counted in their order; and also where nobody stays to hear of it.
        if let Some(judged) = (&mut judged).now_or_never() {
            return self.be_patient(Some(judged));
        }
        self.judging.push_back(tokio::spawn(judged));
        Ok(())
    }

    fn be_patient(&mut self, judged: Option<(Verdict, wire::Error)>) -> Result<(), Close> {
        let Some((verdict, error)) = judged else { return Ok(()) };
        let (agent, request_id, action) = (&*self.clerk.name, &error.request_id, verdict.as_str());
        tracing::warn!(target: "agent", agent, request_id, action, "{}", error.detail);
        if verdict == Verdict::Closed {
            return Err(Close::new(Close::INVALID, "twenty invalid frames without a quiet minute between"));
        }
        if let Some(until) = self.objections.put(error, verdict, Instant::now()) {
            self.hands.rest_until(until);
        }
        Ok(())
    }

    /// Asks whether the agent lives, and keeps it known as present while it does.
    fn check_pulse(&mut self, mouth: &Mouth, ear: &mut Ear) -> Result<(), Close> {
        let silence = self.heard.elapsed();
        if self.work.is_none() {
            if silence >= Duration::from_millis(MAX_SILENCE_MS) {
                // It may have spoken while this program had no time to listen.
                match ear.next().now_or_never() {
                    Some(message) => self.hear(message)?,
                    None => return Err(Close::new(Close::LATER, "nothing was heard for 30 s")),
                }
            } else if silence < Duration::from_millis(PING_EVERY_MS) {
                self.work = Some(Work::of(self.clerk.clone().present(None)));
            }
        }
        say(mouth, &ToAgent::Ping(wire::Ping { nonce: self.seat.number }))
    }

    /// Gives the seat back and remembers how it ended. Leases stay: a closed socket ends nothing early (D3). Only what
    /// was assigned and never left this server goes back, when the socket's line is dropped.
    pub(super) async fn leave(self, close: &Close) {
        let Self { clerk, seat, .. } = self;
        let reason = format!("{}: {}", close.code, close.reason);
        clerk.app.live.leave(&clerk.name, seat.number);
        tracing::info!(target: "agent", agent = &*clerk.name, reason, "an agent's connection ended");
        // Whoever sees the close finds it on record, unless the store is slow: the close waits for nothing.
        let record = tokio::spawn(clerk.end(reason));
        let _ = tokio::time::timeout(Duration::from_millis(RECORD_MS), record).await;
    }
}

/// Makes the agent known to the engine; `None` when it has said hello on a newer connection since.
async fn meet(clerk: &Clerk, hello: wire::Hello) -> Result<Option<Met>, Close> {
    let connection = clerk.connection;
    let hello = Hello {
        profile: profile(&hello),
        holds: hello.holds.iter().map(crate::view::agent::held).collect(),
        name: hello.name,
        instance: hello.instance,
    };
    let deed = move |act: &mut Act<'_>| {
        if !agents::supersede(act, &hello.name, connection)? {
            return Ok(None);
        }
        let standing = agents::hello(act, &hello)?;
        Ok(Some(Met { standing, draining: agents::get(act, &hello.name)?.agent.draining }))
    };
    let met = clerk.app.engine.enter(clerk.pass(), Urgency::Urgent, deed).await;
    met.map_err(|refusal| Close::of(&refusal))
}

/// What the frame that is worked on came to; waits for ever where there is none.
async fn done(work: &mut Option<Work>) -> (Outcomes, Option<Held>) {
    let Some(Work { working, log }) = work else { return pending().await };
    let (outcomes, log) = (working.await, *log);
    *work = None;
    (outcomes, log)
}

/// What is done about the oldest invalid frame; waits for ever where none is judged.
async fn judged(
    judging: &mut VecDeque<JoinHandle<(Verdict, wire::Error)>>,
) -> Option<(Verdict, wire::Error)> {
    let Some(first) = judging.front_mut() else { return pending().await };
    let judged = first.await;
    judging.pop_front();
    judged.ok()
}

/// What is to be said of what was taken back; waits for ever where nothing is.
async fn told(returning: &mut Option<Working>) -> Option<Vec<ToAgent>> {
    let Some(working) = returning else { return pending().await };
    let outcomes = working.await;
    *returning = None;
    outcomes.ok()
}

fn held(Lease { id, generation }: Lease) -> Held {
    Held { id, generation }
}

fn error_of(code: Code, said: &str) -> wire::Error {
    wire::Error {
        code: code.as_str().to_owned(),
        detail: said.to_owned(),
        request_id: RequestId::new().as_str().to_owned(),
        retry_after_ms: None,
    }
}

/// Says a frame.
fn say(mouth: &Mouth, frame: &ToAgent) -> Result<(), Close> {
    let text = serde_json::to_string(frame).expect("frames are made of strings, numbers and JSON text");
    mouth.say(text)
}

/// Says one after the other.
fn say_all(mouth: &Mouth, frames: &[ToAgent]) -> Result<(), Close> {
    frames.iter().try_for_each(|frame| say(mouth, frame))
}
