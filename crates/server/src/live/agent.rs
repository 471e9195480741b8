//! The agent protocol on a socket (C1, C2, D31): hello and welcome, work as slots become free, outcomes as they come.

mod frame;
mod work;

use crate::app::App;
use crate::ask::Ask;
use crate::edge::request_id::RequestId;
use crate::live::leash::Leash;
use crate::live::record::{Patience, Verdict};
use crate::live::session::{self, Close, Ear, Line, Mouth};
use crate::live::{Order, Seat};
use crate::reply::Answer;
use crate::view;
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_engine::agent::{self as agents, Hello};
use tiltyard_engine::task::heartbeat::Standing;
use tiltyard_engine::{Pass, Urgency};
use tiltyard_model::agent::Profile;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::task::{DEFAULT_QUEUE, GIT_QUEUE};
use tiltyard_wire::frame::{
    self as wire, FromAgent, MAX_FRAME_BYTES, MAX_SILENCE_MS, PING_EVERY_MS, PROTOCOL, ToAgent,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use work::Hands;

/// How long an agent may take to say hello, in milliseconds.
const HELLO_MS: u64 = 10_000;
/// How long a program has between TERM and KILL, in milliseconds.
const STOP_GRACE_MS: i64 = 10_000;
/// Frames that may wait for one agent; one that falls further behind is let go.
const MAX_WAITING_FRAMES: usize = 512;
/// How long one frame may take to be taken, in milliseconds.
const SEND_MS: u64 = 10_000;
/// Queues that one agent takes from.
const MAX_QUEUES: usize = 100;
/// The oldest protocol that is served: this one and the one before.
const OLDEST_PROTOCOL: u32 = if PROTOCOL > 1 { PROTOCOL - 1 } else { 1 };

/// `GET /agents/connect`.
pub(crate) async fn connect(mut ask: Ask) -> Answer {
    let upgrade = session::upgrade(&mut ask.parts, MAX_FRAME_BYTES).await?;
    let guest = Guest {
        leash: ask.app.live.leash(&ask.caller),
        app: ask.app,
        caller: ask.caller,
        client: ask.visit.client.to_string(),
    };
    Ok(upgrade.on_upgrade(|socket| guest.serve(socket)))
}

/// Who has connected and not said hello yet.
struct Guest {
    app: Arc<App>,
    caller: Arc<Caller>,
    client: String,
    leash: Leash,
}

impl Guest {
    async fn serve(mut self, socket: WebSocket) {
        let line = Line { max_messages: MAX_WAITING_FRAMES, send: Duration::from_millis(SEND_MS) };
        let (mouth, mut ear) = session::open(socket, line);
        let hello = tokio::select! {
            hello = timeout(Duration::from_millis(HELLO_MS), first(&mut ear)) => {
                hello.unwrap_or_else(|_| Err(Close::new(Close::INVALID, "no hello came within 10 s")))
            }
            pull = self.leash.pulled() => Err(pull.into()),
        };
        let welcomed = match hello {
            Ok(hello) => self.welcome(&mouth, hello).await,
            Err(close) => Err(close),
        };
        let close = match welcomed {
            Ok(session) => session.live(&mouth, &mut ear).await,
            Err(close) => close,
        };
        mouth.close(ear, close).await;
    }

    /// Lets an agent in under its name.
    async fn welcome(self, mouth: &Mouth, hello: wire::Hello) -> Result<Session, Close> {
        admit(&self.caller, &hello)?;
        let seat = self.app.live.take_seat(&hello.name);
        let session = Session {
            hands: Hands::new(&self.app, &self.caller, &hello),
            seat,
            patience: Patience::default(),
            heard: Instant::now(),
            name: hello.name.clone(),
            instance: hello.instance.clone(),
            app: self.app,
            caller: self.caller,
            client: self.client,
            leash: self.leash,
        };
        match session.greet(mouth, hello).await {
            Ok(session) => Ok(session),
            Err((session, close)) => {
                session.leave(&close);
                Err(close)
            }
        }
    }
}

/// The first frame, which is hello.
async fn first(ear: &mut Ear) -> Result<wire::Hello, Close> {
    let wrong = |why: &str| Close::new(Close::INVALID, format!("the first frame is hello: {why}"));
    loop {
        match ear.next().await {
            Some(Ok(Message::Text(text))) => {
                return match serde_json::from_str(&text) {
                    Ok(FromAgent::Hello(hello)) => Ok(hello),
                    Ok(_) => Err(wrong("another one came")),
                    Err(error) => Err(wrong(&error.to_string())),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(wrong("none came")),
        }
    }
}

fn admit(caller: &Caller, hello: &wire::Hello) -> Result<(), Close> {
    if !(OLDEST_PROTOCOL..=PROTOCOL).contains(&hello.protocol) {
        let said = format!(
            "protocol {} is not served: this server speaks {OLDEST_PROTOCOL} to {PROTOCOL}",
            hello.protocol
        );
        return Err(Close::new(Close::INVALID, said));
    }
    if hello.queues.len() > MAX_QUEUES {
        return Err(Close::new(Close::INVALID, "an agent takes from at most 100 queues"));
    }
    if hello.slots == 0 || hello.instance.is_empty() {
        return Err(Close::new(Close::INVALID, "hello needs an instance, and at least one slot"));
    }
    crate::caller::speaks_for(caller, &hello.name)
        .map_err(|refusal| Close::new(Close::RIGHT, refusal.message))
}

/// A connected agent.
pub(super) struct Session {
    app: Arc<App>,
    caller: Arc<Caller>,
    client: String,
    leash: Leash,
    name: String,
    instance: String,
    seat: Seat,
    hands: Hands,
    patience: Patience,
    heard: Instant,
}

impl Session {
    /// Who enters the engine, for one frame: each has a request id of its own (API4).
    fn pass(&self) -> Pass {
        Pass {
            caller: Caller::clone(&self.caller),
            request_id: Some(RequestId::new().as_str().to_owned()),
            client: Some(self.client.clone()),
        }
    }

    /// Says welcome, and what became of each lease that the agent holds (D31).
    async fn greet(mut self, mouth: &Mouth, hello: wire::Hello) -> Result<Self, (Self, Close)> {
        let lease_ms = self.app.default_lease_ms;
        let met = match self.meet(hello).await {
            Ok(met) => met,
            Err(close) => return Err((self, close)),
        };
        self.hands.drain(met.draining);
        let welcome = wire::Welcome {
            protocol: PROTOCOL,
            server: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: self.app.engine.store().epoch(),
            lease_ms,
            renew_every_ms: (lease_ms / 3).max(1),
            stop_grace_ms: STOP_GRACE_MS,
            draining: met.draining,
        };
        let said = say(mouth, &ToAgent::Welcome(welcome)).and_then(|()| tell_standing(mouth, met.standing));
        match said {
            Ok(()) => Ok(self),
            Err(close) => Err((self, close)),
        }
    }

    async fn meet(&mut self, hello: wire::Hello) -> Result<Met, Close> {
        let hello = Hello {
            name: hello.name,
            instance: hello.instance,
            profile: Profile {
                capabilities: hello.capabilities,
                version: hello.version,
                host: hello.host,
                slots: hello.slots,
            },
            holds: hello.holds.iter().map(view::agent::held).collect(),
        };
        let deed = move |act: &mut tiltyard_engine::Act<'_>| {
            let standing = agents::hello(act, &hello)?;
            Ok(Met { standing, draining: agents::get(act, &hello.name)?.agent.draining })
        };
        let met = self.app.engine.enter(self.pass(), Urgency::Urgent, deed).await;
        met.map_err(|refusal| close_of(&refusal))
    }

    /// Lives until something ends it; says what.
    async fn live(mut self, mouth: &Mouth, ear: &mut Ear) -> Close {
        let Err(close) = self.attend(mouth, ear).await;
        self.leave(&close);
        close
    }

    /// Deals with one thing after the other, whatever comes.
    async fn attend(&mut self, mouth: &Mouth, ear: &mut Ear) -> Result<Infallible, Close> {
        self.hands.reach_out(mouth);
        let mut pulse = interval(Duration::from_millis(PING_EVERY_MS));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pulse.reset();
        loop {
            tokio::select! {
                pull = self.leash.pulled() => return Err(pull.into()),
                () = mouth.broken() => return Err(Close::new(Close::LATER, "nobody reads what is said")),
                order = self.seat.orders.recv() => self.obey(mouth, order)?,
                message = ear.next() => self.hear(mouth, message).await?,
                taken = self.hands.taken() => self.hands.assign(mouth, taken)?,
                () = mouth.emptied() => {}
                _ = pulse.tick() => self.check_pulse(mouth).await?,
            }
            self.hands.reach_out(mouth);
        }
    }

    /// Passes on what the door says.
    fn obey(&mut self, mouth: &Mouth, order: Option<Order>) -> Result<(), Close> {
        match order {
            None => Err(Close::new(Close::SUPERSEDED, "another connection of this agent took its place")),
            Some(Order::Cancel { task, generation, reason }) => {
                say(mouth, &ToAgent::Cancel(wire::Cancel { id: task, generation, reason }))
            }
            Some(Order::Drain(draining)) => {
                self.hands.drain(draining);
                say(mouth, &ToAgent::Drain(wire::Drain { draining }))
            }
        }
    }

    async fn hear(
        &mut self,
        mouth: &Mouth,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Close> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(frame) => self.take(mouth, frame).await,
                Err(error) => self.object(mouth, &format!("the frame cannot be read: {error}")).await,
            },
            Some(Ok(Message::Binary(bytes))) => {
                self.object(mouth, &format!("{} bytes that are no text", bytes.len())).await
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                Err(Close::new(1000, if reason.is_empty() { "the agent closed".to_owned() } else { reason }))
            }
            Some(Err(error)) => Err(Close::new(Close::INVALID, format!("the connection broke: {error}"))),
            None => Err(Close::new(Close::LATER, "the connection ended")),
        }
    }

    /// Tells the agent that a frame was not taken; one that goes on so is slowed, then closed (C2).
    async fn object(&mut self, mouth: &Mouth, said: &str) -> Result<(), Close> {
        let verdict = self.patience.tried(Instant::now());
        let at = self.app.engine.clock().now().wall;
        self.app.live.note(&self.name, |record| record.violated(at, said, verdict));
        let request_id = RequestId::new().as_str().to_owned();
        tracing::warn!(target: "agent", agent = self.name, request_id, action = verdict.as_str(), "{said}");
        let code = Code::Invalid.as_str().to_owned();
        say(mouth, &ToAgent::Error(wire::Error { code, detail: said.to_owned(), request_id }))?;
        match verdict {
            Verdict::Warned => Ok(()),
            Verdict::Slowed(pause_ms) => {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                Ok(())
            }
            Verdict::Closed => Err(Close::new(Close::INVALID, "twenty invalid frames, one after the other")),
        }
    }

    /// Asks whether the agent lives, and keeps it known as present while it does.
    async fn check_pulse(&mut self, mouth: &Mouth) -> Result<(), Close> {
        if self.heard.elapsed() >= Duration::from_millis(MAX_SILENCE_MS) {
            return Err(Close::new(Close::LATER, "nothing was heard for 30 s"));
        }
        if self.heard.elapsed() < Duration::from_millis(PING_EVERY_MS) {
            self.renew(Vec::new()).await.map_err(|refusal| close_of(&refusal))?;
        }
        say(mouth, &ToAgent::Ping(wire::Ping { nonce: self.seat.number }))
    }

    /// Gives the seat back and remembers how it ended. Leases stay: a closed socket ends nothing early (D3).
    fn leave(self, close: &Close) {
        let at = self.app.engine.clock().now().wall;
        let (instance, reason) = (Some(self.instance), format!("{}: {}", close.code, close.reason));
        self.app.live.note(&self.name, |record| record.disconnected(at, instance, &reason));
        self.app.live.leave(&self.name, self.seat.number);
        tracing::info!(target: "agent", agent = self.name, reason, "an agent's connection ended");
    }
}

/// What the engine says to a hello.
struct Met {
    standing: Standing,
    draining: bool,
}

/// Says a frame.
fn say(mouth: &Mouth, frame: &ToAgent) -> Result<(), Close> {
    let text = serde_json::to_string(frame).expect("frames are made of strings, numbers and JSON text");
    mouth.say(text)
}

/// Says which leases live on and which are gone.
fn tell_standing(mouth: &Mouth, standing: Standing) -> Result<(), Close> {
    let answer = view::agent::standing(standing);
    if !answer.keep.is_empty() {
        say(mouth, &ToAgent::Keep(wire::Keep { leases: answer.keep }))?;
    }
    if answer.drop.is_empty() {
        Ok(())
    } else {
        say(mouth, &ToAgent::Drop(wire::Drop { leases: answer.drop }))
    }
}

/// The close code of a refusal that ends a connection.
fn close_of(refusal: &Refusal) -> Close {
    let code = crate::edge::close_code::of(refusal.kind()).unwrap_or(Close::LATER);
    Close::new(code, format!("{}: {}", refusal.code.as_str(), refusal.message))
}

/// The queues that an agent takes from where it names none.
fn default_queues() -> Vec<String> {
    vec![DEFAULT_QUEUE.to_owned(), GIT_QUEUE.to_owned()]
}
