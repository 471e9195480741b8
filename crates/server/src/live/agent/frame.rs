//! What an agent says, frame by frame.

use super::{Session, close_of, say, tell_standing};
use crate::live::session::{Close, Mouth};
use crate::route::task::log::{Addition, add};
use crate::route::task::work::outcome;
use crate::view;
use tiltyard_engine::task::cancel::report_stop;
use tiltyard_engine::task::heartbeat::{self, Beat, Held, Standing};
use tiltyard_engine::task::settle::{self as settles, Report};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::{Kind, Refusal};
use tiltyard_model::task::attempt::{Outcome, Stop};
use tiltyard_wire::frame::{self as wire, FromAgent, ToAgent};
use tiltyard_wire::task::work::{Lease, VerdictStatus};

impl Session {
    /// Takes one frame.
    pub(super) async fn take(&mut self, mouth: &Mouth, frame: FromAgent) -> Result<(), Close> {
        match frame {
            FromAgent::Hello(_) => self.object(mouth, "hello is said once").await,
            // The lease says it all: one that is not renewed goes elsewhere.
            FromAgent::Accept(_) | FromAgent::Pong(_) => Ok(()),
            FromAgent::Refuse(refuse) => self.refused(&refuse).await,
            FromAgent::Renew(renew) => {
                self.hands.end(renew.draining);
                let held = renew.leases.iter().map(view::agent::held).collect();
                let standing = self.renew(held).await.map_err(|refusal| close_of(&refusal))?;
                tell_standing(mouth, standing)
            }
            FromAgent::Progress(progress) => self.progress(mouth, progress).await,
            FromAgent::Log(chunk) => self.log(mouth, chunk).await,
            FromAgent::Settle(settle) => self.settle(mouth, settle).await,
            FromAgent::Stopping(lease) => self.stop(lease, Stop::Acknowledged).await,
            FromAgent::Stopped(lease) => self.stop(lease, Stop::Stopped).await,
            FromAgent::Resources(resources) => {
                self.app.live.keep_resources(&self.name, resources);
                Ok(())
            }
        }
    }

    /// Prolongs all leases at once (D9).
    pub(super) async fn renew(&mut self, held: Vec<Held>) -> Result<Standing, Refusal> {
        let (name, instance) = (self.name.clone(), self.instance.clone());
        let deed = move |act: &mut Act<'_>| heartbeat::renew_all(act, &name, Some(&instance), None, &held);
        self.app.engine.enter(self.pass(), Urgency::Urgent, deed).await
    }

    /// A task that the agent cannot take goes back, and the agent gets a pause.
    async fn refused(&mut self, refuse: &wire::Refuse) -> Result<(), Close> {
        tracing::info!(target: "agent", agent = self.name, task_id = %refuse.id, reason = refuse.reason, "refused a task");
        self.hands.rest();
        let report = Report {
            id: refuse.id,
            generation: refuse.generation,
            outcome: Outcome::Released,
            result: None,
            error: None,
            retryable: true,
        };
        let deed = move |act: &mut Act<'_>| settles::settle(act, &report).map(drop);
        let done = self.app.engine.enter(self.pass(), Urgency::Urgent, deed).await;
        passing(done)
    }

    async fn progress(&mut self, mouth: &Mouth, progress: wire::Progress) -> Result<(), Close> {
        let wire::Progress { id, generation, progress, message } = progress;
        let beat = Beat { id, generation, lease_ms: None, progress, message };
        let beaten =
            self.app.engine.enter(self.pass(), Urgency::Urgent, move |act| heartbeat::beat(act, &beat)).await;
        match beaten {
            Err(refusal) if refusal.kind() == Kind::Invalid => self.object(mouth, &refusal.message).await,
            other => passing(other.map(drop)),
        }
    }

    /// Takes an outcome and answers it, accepted or not: the agent may forget it (C3).
    async fn settle(&mut self, mouth: &Mouth, settle: wire::Settle) -> Result<(), Close> {
        let (id, generation) = (settle.id, settle.generation);
        let report = Report {
            id,
            generation,
            outcome: outcome(settle.outcome),
            result: settle.result.map(|result| Box::<str>::from(result).into()),
            error: settle.error,
            retryable: settle.retryable.unwrap_or(true),
        };
        let settled = self
            .app
            .engine
            .enter(self.pass(), Urgency::Urgent, move |act| settles::settle(act, &report))
            .await;
        let (status, code) = match settled {
            Ok(verdict) if verdict.replayed => (VerdictStatus::Replayed, None),
            Ok(_) => (VerdictStatus::Accepted, None),
            Err(refusal) if is_final(refusal.kind()) => {
                tracing::warn!(target: "agent", agent = self.name, task_id = %id, generation, "an outcome was refused: {refusal}");
                (VerdictStatus::Refused, Some(refusal.code.as_str().to_owned()))
            }
            // Not now: without an answer the agent says it again.
            Err(refusal) => return Err(close_of(&refusal)),
        };
        say(mouth, &ToAgent::Settled(wire::Settled { id, generation, status, code }))
    }

    /// Adds to a log. A chunk that comes too late is passed over; one that leaves a gap is a fault of the agent's.
    async fn log(&mut self, mouth: &Mouth, chunk: wire::LogChunk) -> Result<(), Close> {
        let wire::LogChunk { id, generation, offset, text } = chunk;
        let added = add(&self.app, self.pass(), Addition { id, generation, offset, text }).await;
        match added {
            Err(refusal) if matches!(refusal.kind(), Kind::Range | Kind::TooLarge) => {
                self.object(mouth, &refusal.message).await
            }
            other => passing(other.map(drop)),
        }
    }

    async fn stop(&mut self, lease: Lease, stop: Stop) -> Result<(), Close> {
        let Lease { id, generation } = lease;
        let deed = move |act: &mut Act<'_>| report_stop(act, id, generation, stop);
        let done = self.app.engine.enter(self.pass(), Urgency::Urgent, deed).await;
        passing(done)
    }
}

/// Whether a refusal stands, however often the same is said again.
fn is_final(kind: Kind) -> bool {
    matches!(kind, Kind::Missing | Kind::Conflict | Kind::Invalid | Kind::Denied)
}

/// A word that came too late changes nothing and is no fault of the agent's; a server that cannot work is another
/// matter.
fn passing(done: Result<(), Refusal>) -> Result<(), Close> {
    match done {
        Err(refusal) if !is_final(refusal.kind()) => Err(close_of(&refusal)),
        _ => Ok(()),
    }
}
