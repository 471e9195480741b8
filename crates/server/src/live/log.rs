//! The log of an attempt, followed as it grows: server-sent events whose ids are the bytes behind each piece, and a
//! last one, `end`, when nothing follows.

mod growth;
mod text;

use crate::ask::Ask;
use crate::live::sse::{self, Tell};
use crate::pen;
use crate::reply::Answer;
use crate::route::task::log::{self as logs, Place};
use bytes::Bytes;
pub(crate) use growth::Growth;
use std::sync::Arc;
use std::time::Duration;
use text::Text;
use tiltyard_engine::Engine;
use tiltyard_engine::event::{Filter, Follower, Slow, Start, filter_for};
use tiltyard_engine::task::list as lists;
use tiltyard_model::event::Subject;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{State, Task};
use tiltyard_wire::task::LogQuery;
use tokio::sync::watch;
use tokio::time::sleep;

/// Most bytes of one message: small, so that a bad connection brings some of them whole.
const PIECE_BYTES: usize = 16 * 1024;
/// How often is looked although nobody said that there is more.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
/// The same where another server may be told of more, and where it is written a little later.
const LOOK_SHARED: Duration = Duration::from_secs(1);

/// `GET /tasks/{id}/log?follow=true`: of the named attempt, of the last one, or of the first where there was none.
pub(crate) async fn follow(ask: Ask, asked: &LogQuery) -> Answer {
    let id = ask.id(Noun::Task)?;
    let leash = ask.app.live.leash(&ask.caller);
    let filter = Filter { subject: Some(Subject::Id(id)), ..filter_for(&ask.caller, None)? };
    // What happens from here on is heard, so nothing falls between it and the look at the task.
    let events = ask.app.engine.follow(Start::Now, vec![filter], Slow::CatchUp).await?;
    let place = logs::place(&ask, asked).await?;
    let place = Place { generation: place.generation.max(1), ..place };
    let offset = asked.offset.unwrap_or(0);
    let teller = Teller {
        grown: ask.app.live.growth.watch(place),
        engine: Arc::clone(&ask.app.engine),
        caller: Arc::clone(&ask.caller),
        id,
        place,
        events,
        text: Text::from(offset),
        phase: Phase::Open,
    };
    Ok(sse::response(sse::opening(&offset.to_string()), teller, leash))
}

/// How far the telling is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There may be more.
    Open,
    /// Nothing is added any more; what is there is still told.
    Over(Option<Outcome>),
    /// The end was told.
    Told,
}

struct Teller {
    engine: Arc<Engine>,
    caller: Arc<Caller>,
    id: Id,
    place: Place,
    events: Follower,
    grown: watch::Receiver<u64>,
    text: Text,
    phase: Phase,
}

impl Tell for Teller {
    async fn next(&mut self) -> Option<Bytes> {
        let told = self.tell().await;
        told.unwrap_or_else(|refusal| {
            // It comes back with the offset it has, and is told then.
            tracing::warn!(target: "api", task_id = %self.id, "a followed log ends: {refusal}");
            None
        })
    }
}

impl Teller {
    async fn tell(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if self.phase == Phase::Told {
                return Ok(None);
            }
            // The end is looked for before the text, so that no text comes behind it.
            if self.phase == Phase::Open {
                self.phase = self.look().await?;
            }
            self.grown.borrow_and_update();
            let read = logs::read(self.engine.logs(), self.place, self.text.read_to(), PIECE_BYTES).await?;
            if let Some(piece) = self.text.take(&read, self.is_last(&read)) {
                return Ok(Some(message(&piece, self.text.told_to())));
            }
            match self.phase {
                Phase::Over(outcome) if read.is_empty() => {
                    self.phase = Phase::Told;
                    return Ok(Some(self.end(outcome)));
                }
                Phase::Open if read.is_empty() => self.wait().await?,
                _ => {}
            }
        }
    }

    /// Whether these bytes are the log's last ones.
    fn is_last(&self, read: &[u8]) -> bool {
        read.is_empty() && self.phase != Phase::Open
    }

    /// Waits until there is more, or something happened to the task.
    async fn wait(&mut self) -> Result<(), Refusal> {
        let anyway = if self.engine.depot().is_shared() { LOOK_SHARED } else { LOOK_ANYWAY };
        tokio::select! {
            grown = self.grown.changed() => {
                if grown.is_err() {
                    sleep(anyway).await;
                }
            }
            event = self.events.next() => drop(event?),
            () = sleep(anyway) => {}
        }
        Ok(())
    }

    /// Whether the attempt goes on.
    async fn look(&self) -> Result<Phase, Refusal> {
        let (id, caller, generation) = (self.id, Arc::clone(&self.caller), self.place.generation);
        self.engine
            .read(move |rows| {
                let task = lists::get(rows, &caller, id)?.task;
                if goes_on(&task, generation) {
                    return Ok(Phase::Open);
                }
                let attempts = lists::attempts(rows, &caller, id)?;
                let own = attempts.into_iter().find(|attempt| attempt.generation == generation);
                Ok(Phase::Over(own.and_then(|attempt| attempt.outcome)))
            })
            .await
    }

    fn end(&self, outcome: Option<Outcome>) -> Bytes {
        let mut data = Vec::new();
        pen::object(&mut data, |pen| {
            pen.any("generation", &self.place.generation);
            pen.any("outcome", &outcome);
            pen.any("offset", &self.text.told_to());
        });
        let mut out = Vec::new();
        sse::begin(&mut out, &self.text.told_to().to_string());
        out.extend_from_slice(b"event: end\n");
        sse::data(&mut out, &String::from_utf8_lossy(&data));
        sse::end(&mut out);
        out.into()
    }
}

/// Whether an attempt may still add to its log, or is still to come.
fn goes_on(task: &Task, generation: i64) -> bool {
    let is_final = matches!(task.state, State::Succeeded | State::Dead | State::Cancelled);
    match task.generation {
        now if now == generation => task.state == State::Running,
        now => now < generation && !is_final,
    }
}

fn message(piece: &str, told_to: u64) -> Bytes {
    let mut out = Vec::with_capacity(piece.len() + 64);
    sse::begin(&mut out, &told_to.to_string());
    sse::data(&mut out, piece);
    sse::end(&mut out);
    out.into()
}
