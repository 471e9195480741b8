//! The agent protocol on a socket (C1, C2, D31): hello and welcome, work as slots become free, outcomes as they come.

mod frame;
mod offer;
mod session;
mod work;

pub(crate) use offer::ACCEPT_WITHIN_MS;

use crate::app::App;
use crate::ask::Ask;
use crate::edge::request_id::RequestId;
use crate::live::leash::Leash;
use crate::live::session::{self as sockets, Close, Ear, Line, Mouth};
use crate::reply::Answer;
use axum::extract::ws::{Message, WebSocket};
use frame::Clerk;
use futures_util::StreamExt;
use session::Session;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_engine::{Act, Pass, Urgency, scope};
use tiltyard_model::agent::{self as agents, Profile};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::task::{DEFAULT_QUEUE, GIT_QUEUE};
use tiltyard_wire::frame::{self as wire, FromAgent, MAX_FRAME_BYTES, PROTOCOL};
use tokio::time::timeout;

/// How long an agent may take to say hello, in milliseconds.
const HELLO_MS: u64 = 10_000;
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
    let upgrade = sockets::upgrade(&mut ask.parts, MAX_FRAME_BYTES).await?;
    let leash = ask.app.live.leash(&ask.caller);
    let guest = Guest { app: ask.app, caller: ask.caller, client: ask.visit.client.to_string() };
    Ok(upgrade.on_upgrade(|socket| guest.serve(socket, leash)))
}

/// Who has connected and not said hello yet.
struct Guest {
    app: Arc<App>,
    caller: Arc<Caller>,
    client: String,
}

impl Guest {
    /// Whatever the connection is about, the end of its token or of the server comes first (SEC19).
    async fn serve(self, socket: WebSocket, mut leash: Leash) {
        let line = Line { max_messages: MAX_WAITING_FRAMES, send: Duration::from_millis(SEND_MS) };
        let (mouth, mut ear) = sockets::open(socket, line);
        let mut session = None;
        let close = tokio::select! {
            biased;
            pull = leash.pulled() => pull.into(),
            close = self.converse(&mouth, &mut ear, &mut session) => close,
        };
        if let Some(session) = session {
            session.leave(&close).await;
        }
        mouth.close(ear, close).await;
    }

    async fn converse(self, mouth: &Mouth, ear: &mut Ear, session: &mut Option<Session>) -> Close {
        let hello = timeout(Duration::from_millis(HELLO_MS), first(ear)).await;
        let hello = hello.unwrap_or_else(|_| Err(Close::new(Close::INVALID, "no hello came within 10 s")));
        let hello = match hello {
            Ok(hello) => hello,
            Err(close) => return close,
        };
        let (app, name, pass) = (Arc::clone(&self.app), hello.name.clone(), self.pass());
        let close = match admit(&self.caller, &hello) {
            Ok(()) => session.insert(self.come(&hello)).live(mouth, ear, hello).await,
            Err(close) => close,
        };
        if close.code == Close::RIGHT {
            on_record(&app, pass, name).await;
        }
        close
    }

    fn pass(&self) -> Pass {
        Pass {
            caller: Caller::clone(&self.caller),
            request_id: Some(RequestId::new().as_str().to_owned()),
            client: Some(self.client.clone()),
        }
    }

    /// Comes under the agent's name. Whoever is connected so stays until this one is let in.
    fn come(self, hello: &wire::Hello) -> Session {
        let seat = self.app.live.come(&hello.name, self.app.engine.clock().now().wall);
        let clerk = Clerk {
            app: self.app,
            caller: self.caller,
            client: self.client.into(),
            name: hello.name.as_str().into(),
            instance: hello.instance.as_str().into(),
            connection: seat.number,
        };
        Session::new(clerk, seat, hello)
    }
}

/// Somebody spoke for an agent that is not theirs (SEC3): that is on record, as what reaches beyond a scope is.
async fn on_record(app: &App, pass: Pass, named: String) {
    let deed = move |act: &mut Act<'_>| scope::violated(act, &named);
    if let Err(refusal) = app.engine.enter(pass, Urgency::Normal, deed).await {
        tracing::error!(target: "security", "a violation is not on record: {refusal}");
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
        .map_err(|refusal| Close::new(Close::RIGHT, refusal.message))?;
    agents::admit(&hello.name, &profile(hello)).map_err(|refusal| invalid(&refusal))
}

fn invalid(refusal: &Refusal) -> Close {
    let faults: Vec<_> =
        refusal.faults.iter().map(|fault| format!("{} {}", fault.field, fault.error)).collect();
    Close::new(Close::INVALID, format!("hello: {}", faults.join("; ")))
}

/// What an agent says of itself.
fn profile(hello: &wire::Hello) -> Profile {
    Profile {
        capabilities: hello.capabilities.clone(),
        kinds: hello.kinds.clone(),
        version: hello.version.clone(),
        host: hello.host.clone(),
        slots: hello.slots,
    }
}

/// The queues that an agent takes from where it names none.
fn default_queues() -> Vec<String> {
    vec![DEFAULT_QUEUE.to_owned(), GIT_QUEUE.to_owned()]
}
