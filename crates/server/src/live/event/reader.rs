//! A reader of events on a WebSocket (API21): filters at run time, and a word instead of memory for one that is slow.

use super::start;
use super::subscription::Subscriptions;
use crate::app::App;
use crate::ask::Ask;
use crate::edge::query;
use crate::edge::request_id::RequestId;
use crate::live::Open;
use crate::live::leash::Leash;
use crate::live::objection::Objections;
use crate::live::pace::Pace;
use crate::live::session::{self, Close, Ear, Line, Mouth};
use crate::reply::Answer;
use crate::route::event::filter;
use crate::{pen, view};
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tiltyard_engine::event::{Event, Follower, Slow, Start, Step};
use tiltyard_engine::{Pass, Urgency, scope};
use tiltyard_model::agent::record::{Patience, Verdict};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_wire::event::{FromReader, Query, Subscribe, ToReader, Unsubscribe};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Largest message of a reader, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Events that may wait for one socket, beside those that the follower holds.
const MAX_WAITING_EVENTS: usize = 32;
/// How long a reader may take to read one message, in milliseconds.
const READ_MS: u64 = 60_000;
/// How often a reader is asked whether it is there, in milliseconds.
const PING_EVERY_MS: u64 = 10_000;
/// Silence after which a reader is gone, in milliseconds.
const MAX_SILENCE_MS: u64 = 30_000;
/// How long a reader that was too slow may take to say where it goes on, in milliseconds.
const MAX_LAGGED_MS: u64 = 30_000;

/// `GET /events/ws`.
pub(crate) async fn socket(mut ask: Ask) -> Answer {
    let asked: Query = query::read_beside_token(&ask.parts.uri)?;
    let filter = filter(&ask.caller, &asked)?;
    let start = start(asked.after.as_deref())?;
    let is_bare = Query { after: None, limit: None, ..asked } == Query::default();
    let upgrade = session::upgrade(&mut ask.parts, MAX_MESSAGE_BYTES).await?;
    let reader = Reader {
        leash: ask.app.live.leash(&ask.caller),
        talk: Talk {
            subscriptions: Subscriptions::first(filter, is_bare),
            follower: None,
            lagged: None,
            pace: Pace::default(),
            patience: Patience::default(),
            objections: Objections::default(),
            heard: Instant::now(),
            began: Instant::now(),
            client: ask.visit.client.to_string(),
            caller: ask.caller,
            app: ask.app,
        },
    };
    Ok(upgrade.on_upgrade(move |socket| reader.serve(socket, start)))
}

/// A reader, and what it is bound by.
struct Reader {
    leash: Leash,
    talk: Talk,
}

impl Reader {
    async fn serve(mut self, socket: WebSocket, start: Start) {
        let line = Line { max_messages: MAX_WAITING_EVENTS, send: Duration::from_millis(READ_MS) };
        let (mouth, mut ear) = session::open(socket, line);
        let _open = Open::count(&self.talk.app.live);
        let close = tokio::select! {
            biased;
            pull = self.leash.pulled() => Close::from(pull),
            close = self.talk.run(&mouth, &mut ear, start) => close,
        };
        tracing::debug!(target: "events", code = close.code, reason = close.reason, "a reader's socket ends");
        mouth.close(ear, close).await;
    }
}

/// What is said between a reader and the server.
struct Talk {
    app: Arc<App>,
    caller: Arc<Caller>,
    client: String,
    subscriptions: Subscriptions,
    /// `None` once the reader was too slow, until it says where it goes on.
    follower: Option<Follower>,
    lagged: Option<Instant>,
    pace: Pace,
    patience: Patience,
    objections: Objections<ToReader>,
    heard: Instant,
    began: Instant,
}

impl Talk {
    async fn run(&mut self, mouth: &Mouth, ear: &mut Ear, start: Start) -> Close {
        if let Err(close) = self.follow(start).await {
            return close;
        }
        let Err(close) = self.attend(mouth, ear).await;
        close
    }

    /// Follows from somewhere else from here on.
    async fn follow(&mut self, start: Start) -> Result<(), Close> {
        let filters = self.subscriptions.filters();
        let follower = self.app.engine.follow(start, filters, Slow::Tell).await;
        self.follower = Some(follower.map_err(|refusal| Close::of(&refusal))?);
        self.lagged = None;
        Ok(())
    }

    async fn attend(&mut self, mouth: &Mouth, ear: &mut Ear) -> Result<Infallible, Close> {
        let mut pulse = interval(Duration::from_millis(PING_EVERY_MS));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pulse.reset();
        loop {
            tokio::select! {
                biased;
                () = mouth.broken() => return Err(Close::new(Close::LATER, "nothing was read for 60 s")),
                _ = pulse.tick() => self.check_pulse(mouth)?,
                error = self.objections.next() => self.answer(mouth, &error).await?,
                message = ear.next() => self.hear(mouth, message).await?,
                step = next(mouth, self.follower.as_mut()) => self.tell(mouth, step)?,
            }
        }
    }

    fn check_pulse(&mut self, mouth: &Mouth) -> Result<(), Close> {
        let longer = |since: Instant, limit_ms| since.elapsed() >= Duration::from_millis(limit_ms);
        // Who does not read what waits cannot answer; that has a limit of its own.
        if longer(self.heard, MAX_SILENCE_MS) && mouth.is_idle() {
            return Err(Close::new(Close::LATER, "nothing was heard for 30 s"));
        }
        if self.lagged.is_some_and(|since| longer(since, MAX_LAGGED_MS)) {
            return Err(Close::new(
                Close::LATER,
                "too slow, and no word where to go on; resume with the cursor",
            ));
        }
        if mouth.is_idle() {
            mouth.knock()?;
            say(mouth, &ToReader::Ping)?;
        }
        Ok(())
    }

    fn tell(&mut self, mouth: &Mouth, step: Result<Step, Refusal>) -> Result<(), Close> {
        match step.map_err(|refusal| Close::of(&refusal))? {
            Step::Event(event) => mouth.say(text(&event, &self.app.source)),
            Step::Lagged(cursor) => {
                self.follower = None;
                self.lagged = Some(Instant::now());
                self.app.live.figures.lagged.fetch_add(1, Relaxed);
                say(mouth, &ToReader::Lagged { cursor })
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
            Some(Ok(Message::Text(text))) => {
                self.pace.step(Instant::now())?;
                match serde_json::from_str(&text) {
                    Ok(said) => self.take(mouth, said).await,
                    Err(error) => {
                        let said = format!("the message cannot be read: {error}");
                        self.object(&Refusal::new(Code::Invalid, said))
                    }
                }
            }
            Some(Ok(Message::Binary(bytes))) => {
                self.pace.step(Instant::now())?;
                let said = format!("{} bytes that are no text", bytes.len());
                self.object(&Refusal::new(Code::Invalid, said))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => Err(Close::new(Close::NORMAL, "the reader closed")),
            Some(Err(error)) => Err(Close::broken(&error)),
            None => Err(Close::new(Close::LATER, "the connection ended")),
        }
    }

    async fn take(&mut self, mouth: &Mouth, said: FromReader) -> Result<(), Close> {
        match said {
            FromReader::Pong => Ok(()),
            FromReader::Subscribe(subscribe) => match self.subscribe(&subscribe).await? {
                Ok(()) => self.answer(mouth, &ToReader::Subscribed { id: subscribe.id }).await,
                Err(refusal) => self.object(&refusal),
            },
            FromReader::Unsubscribe(Unsubscribe { id }) => {
                self.subscriptions.remove(&id);
                self.refilter();
                self.answer(mouth, &ToReader::Unsubscribed { id }).await
            }
        }
    }

    /// Adds a filter. With a cursor the reader goes on from there, with all its filters. The inner error is told, the
    /// outer one ends the connection.
    async fn subscribe(&mut self, asked: &Subscribe) -> Result<Result<(), Refusal>, Close> {
        let filter = match filter(&self.caller, &asked.filter) {
            Err(refusal) if refusal.code == Code::ScopeForbidden => {
                self.report(asked.filter.scope.clone().unwrap_or_default()).await;
                return Err(Close::of(&refusal));
            }
            other => other,
        };
        let added = filter.and_then(|filter| self.subscriptions.add(&asked.id, filter));
        let start = added.and_then(|()| start(asked.filter.after.as_deref()));
        match start {
            Ok(Start::Now) => self.refilter(),
            Ok(start) => self.follow(start).await?,
            Err(refusal) => return Ok(Err(refusal)),
        }
        Ok(Ok(()))
    }

    fn refilter(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.refilter(self.subscriptions.filters());
        }
    }

    /// A message that names another scope is on record (SEC6).
    async fn report(&self, named: String) {
        let pass = Pass {
            caller: Caller::clone(&self.caller),
            request_id: Some(RequestId::new().as_str().to_owned()),
            client: Some(self.client.clone()),
        };
        let deed = move |act: &mut tiltyard_engine::Act<'_>| scope::violated(act, &named);
        if let Err(error) = self.app.engine.enter(pass, Urgency::Urgent, deed).await {
            tracing::error!(target: "security", %error, "a scope violation could not be recorded");
        }
    }

    /// Says that a message was not taken; who goes on so hears it later and later, then is closed, as an agent is (C2).
    /// Whatever else comes is heard meanwhile, or the silence would end the connection first.
    fn object(&mut self, refusal: &Refusal) -> Result<(), Close> {
        let now = Instant::now();
        let verdict = self.patience.tried(self.began.elapsed().as_millis() as i64);
        let request_id = RequestId::new().as_str().to_owned();
        tracing::info!(target: "events", request_id, action = verdict.as_str(), "a reader's message: {refusal}");
        if verdict == Verdict::Closed {
            return Err(Close::new(Close::INVALID, "twenty invalid messages, one after the other"));
        }
        let code = refusal.code.as_str().to_owned();
        self.objections.put(
            ToReader::Error { code, detail: refusal.message.clone(), request_id },
            verdict,
            now,
        );
        Ok(())
    }

    /// Says something that must come, when there is room for it.
    async fn answer(&self, mouth: &Mouth, sentence: &ToReader) -> Result<(), Close> {
        // Whoever reads nothing is let go for that.
        let _ = timeout(Duration::from_millis(READ_MS), mouth.room()).await;
        say(mouth, sentence)
    }
}

/// The next step of a follower, once there is room to tell it.
async fn next(mouth: &Mouth, follower: Option<&mut Follower>) -> Result<Step, Refusal> {
    let Some(follower) = follower else { return pending().await };
    mouth.room().await;
    follower.next().await
}

fn say(mouth: &Mouth, sentence: &ToReader) -> Result<(), Close> {
    mouth.say(serde_json::to_string(sentence).expect("sentences are made of strings and JSON text"))
}

fn text(event: &Event, source: &str) -> String {
    let mut out = Vec::with_capacity(view::event::ROOM_BYTES + event.data.len());
    pen::object(&mut out, |pen| {
        pen.any("type", &"event");
        pen.member("event", |out| view::event::write(out, event, source));
    });
    String::from_utf8(out).expect("JSON is written from strings")
}
