//! What becomes of what an agent says, frame by frame. Each is worked on beside the session, which meanwhile listens
//! to the door, to its clocks and to the token.

use crate::app::App;
use crate::edge::request_id::RequestId;
use crate::live::session::Close;
use crate::route::task::log::{Addition, add, flush};
use crate::route::task::work::outcome;
use crate::view;
use std::pin::Pin;
use std::sync::Arc;
use tiltyard_engine::agent::{self as agents, LinkStanding};
use tiltyard_engine::log::Promise;
use tiltyard_engine::task::cancel::report_stop;
use tiltyard_engine::task::heartbeat::{self, Beat, Held, Standing};
use tiltyard_engine::task::settle::{self as settles, Report};
use tiltyard_engine::{Act, Pass, Urgency};
use tiltyard_model::agent::Resources;
use tiltyard_model::agent::record::Verdict;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::task::attempt::{Outcome, Stop};
use tiltyard_wire::frame::{self as wire, FromAgent, ToAgent};
use tiltyard_wire::task::work::{Lease, VerdictStatus};

/// When to say a frame again that could not be taken now, where the refusal does not say, in milliseconds.
const RETRY_AFTER_MS: i64 = 1_000;

/// A frame that is being worked on.
pub(super) type Working = Pin<Box<dyn Future<Output = Outcomes> + Send>>;
/// What a frame came to: what the agent is told, or why the frame was not taken.
pub(super) type Outcomes = Result<Vec<ToAgent>, Fault>;

/// Why a frame was not taken.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is invalid (C2).
    Invalid(String),
    /// A piece of a log that leaves a gap.
    Gap(Held, String),
    /// Nothing is wrong with it, but not now; it may be the log of this attempt.
    Later(wire::Error, Option<Held>),
    /// The connection is over.
    End(Close),
}

/// Does in the engine what an agent's frames ask for.
#[derive(Clone)]
pub(super) struct Clerk {
    pub(super) app: Arc<App>,
    pub(super) caller: Arc<Caller>,
    pub(super) client: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) instance: Arc<str>,
    /// The number of the connection.
    pub(super) connection: u64,
}

impl Clerk {
    /// Who enters the engine, for one frame: each has a request id of its own (API4).
    pub(super) fn pass(&self) -> Pass {
        Pass {
            caller: Caller::clone(&self.caller),
            request_id: Some(RequestId::new().as_str().to_owned()),
            client: Some(self.client.to_string()),
        }
    }

    async fn urgent<T: Send + 'static>(
        &self,
        pass: Pass,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.app.engine.enter(pass, Urgency::Urgent, deed).await
    }

    /// Takes one frame.
    pub(super) async fn take(self, frame: FromAgent) -> Outcomes {
        let pass = self.pass();
        let request_id = pass.request_id.clone().unwrap_or_default();
        let log = match &frame {
            FromAgent::Log(chunk) => Some(Held { id: chunk.id, generation: chunk.generation }),
            _ => None,
        };
        let done = match frame {
            FromAgent::Refuse(refuse) => self.refused(pass, &refuse).await,
            FromAgent::Renew(renew) => self.renew(pass, &renew.leases).await,
            FromAgent::Progress(progress) => self.progress(pass, progress).await,
            FromAgent::Log(chunk) => self.log(pass, chunk).await,
            FromAgent::Settle(settle) => self.settle(pass, settle).await,
            FromAgent::Stopping(lease) => self.stop(pass, lease, Stop::Acknowledged).await,
            FromAgent::Stopped(lease) => self.stop(pass, lease, Stop::Stopped).await,
            // They say something to the session only.
            FromAgent::Hello(_) | FromAgent::Accept(_) | FromAgent::Resources(_) | FromAgent::Pong(_) => {
                Ok(Vec::new())
            }
        };
        done.map_err(|refusal| fault(refusal, request_id, log))
    }

    /// Keeps the agent known as present, though it says nothing that the engine hears of.
    pub(super) async fn present(self, resources: Option<Resources>) -> Outcomes {
        let (name, connection) = (Arc::clone(&self.name), self.connection);
        let deed = move |act: &mut Act<'_>| agents::present(act, &name, connection, resources);
        match self.urgent(self.pass(), deed).await {
            Ok(LinkStanding::Newest) => Ok(Vec::new()),
            Ok(LinkStanding::Superseded) => Err(Fault::End(Close::superseded())),
            Ok(LinkStanding::Over) => {
                Err(Fault::End(Close::new(Close::LATER, "the agent was taken for gone; connect again")))
            }
            Err(refusal) => {
                tracing::debug!(target: "agent", agent = &*self.name, "its presence was not kept: {refusal}");
                Ok(Vec::new())
            }
        }
    }

    /// Keeps an invalid frame on record, and says what is done about it (C2).
    pub(super) async fn object(self, error: wire::Error) -> (Verdict, wire::Error) {
        let (name, said) = (Arc::clone(&self.name), error.detail.clone());
        let deed = move |act: &mut Act<'_>| agents::violated(act, &name, &said);
        let verdict = self.urgent(self.pass(), deed).await.unwrap_or_else(|refusal| {
            tracing::warn!(target: "agent", agent = &*self.name, "an invalid frame is not on record: {refusal}");
            Verdict::Warned
        });
        (verdict, error)
    }

    /// Keeps the end of the connection on record.
    pub(super) async fn end(self, reason: String) {
        let ended = agents::Ended {
            name: self.name.to_string(),
            number: self.connection,
            instance: self.instance.to_string(),
            reason,
        };
        if let Err(refusal) = self.urgent(self.pass(), |act| agents::ended(act, ended)).await {
            tracing::warn!(target: "agent", agent = &*self.name, "the end of its connection is not on record: {refusal}");
        }
    }

    /// Takes back what the agent did not accept, and says so, should it be slow rather than deaf.
    pub(super) async fn take_back(self, offers: Vec<Held>) -> Outcomes {
        let given = self.urgent(self.pass(), move |act| agents::unclaim(act, &offers)).await;
        let given = given.unwrap_or_else(|refusal| {
            // The leases run out by themselves.
            tracing::warn!(target: "scheduler", agent = &*self.name, "unaccepted work could not be taken back: {refusal}");
            Vec::new()
        });
        for Held { id, generation } in &given {
            tracing::warn!(target: "scheduler", agent = &*self.name, task_id = %id, generation, "an assigned task was not accepted in time: it goes elsewhere");
        }
        let gone = |held: Held| (held, Code::StaleGeneration);
        Ok(standing(Standing { keep: Vec::new(), drop: given.into_iter().map(gone).collect() }))
    }

    /// Prolongs all leases at once (D9). What an old connection says of them counts no more: its agent has named them
    /// on the new one.
    async fn renew(&self, pass: Pass, leases: &[Lease]) -> Result<Vec<ToAgent>, Refusal> {
        let held: Vec<Held> = leases.iter().map(view::agent::held).collect();
        let (name, instance, connection) =
            (Arc::clone(&self.name), Arc::clone(&self.instance), self.connection);
        let deed = move |act: &mut Act<'_>| {
            if agents::is_superseded(act, &name, connection) {
                return Ok(Standing::default());
            }
            heartbeat::renew_all(act, &name, Some(&instance), None, &held)
        };
        self.urgent(pass, deed).await.map(standing)
    }

    /// A task that the agent cannot take goes back.
    async fn refused(&self, pass: Pass, refuse: &wire::Refuse) -> Result<Vec<ToAgent>, Refusal> {
        tracing::info!(target: "agent", agent = &*self.name, task_id = %refuse.id, reason = refuse.reason, "refused a task");
        let report = Report {
            id: refuse.id,
            generation: refuse.generation,
            outcome: Outcome::Released,
            result: None,
            error: None,
            retryable: true,
        };
        passing(self.urgent(pass, move |act| settles::settle(act, &report).map(drop)).await)
    }

    async fn progress(&self, pass: Pass, progress: wire::Progress) -> Result<Vec<ToAgent>, Refusal> {
        let wire::Progress { id, generation, progress, message } = progress;
        let beat = Beat { id, generation, lease_ms: None, progress, message };
        match self.urgent(pass, move |act| heartbeat::beat(act, &beat)).await {
            Err(refusal) if refusal.kind() == Kind::Invalid => Err(refusal),
            other => passing(other.map(drop)),
        }
    }

    /// Takes an outcome and answers it, accepted or not: the agent may forget it (C3).
    async fn settle(&self, pass: Pass, settle: wire::Settle) -> Result<Vec<ToAgent>, Refusal> {
        let (id, generation) = (settle.id, settle.generation);
        let report = Report {
            id,
            generation,
            outcome: outcome(settle.outcome),
            result: settle.result.map(|result| Box::<str>::from(result).into()),
            error: settle.error,
            retryable: settle.retryable.unwrap_or(true),
        };
        // What the agent has said is safe before it may forget it.
        flush(&self.app, id.key(), generation).await?;
        let settled = self.app.engine.settle(pass, report).await;
        let (status, code) = match settled {
            Ok(verdict) if verdict.replayed => (VerdictStatus::Replayed, None),
            Ok(_) => (VerdictStatus::Accepted, None),
            Err(refusal) if is_final(refusal.kind()) => {
                tracing::warn!(target: "agent", agent = &*self.name, task_id = %id, generation, "an outcome was refused: {refusal}");
                (VerdictStatus::Refused, Some(refusal.code.as_str().to_owned()))
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(vec![ToAgent::Settled(wire::Settled { id, generation, status, code })])
    }

    /// Adds to a log. A chunk that comes too late is passed over; one that leaves a gap is a fault of the agent's.
    async fn log(&self, pass: Pass, chunk: wire::LogChunk) -> Result<Vec<ToAgent>, Refusal> {
        let wire::LogChunk { id, generation, offset, text } = chunk;
        let addition = Addition { id, generation, offset, text };
        // The agent keeps it until its outcome is on record, so it may be gathered with what follows.
        passing(add(&self.app, pass, addition, Promise::Soon).await.map(drop))
    }

    async fn stop(&self, pass: Pass, lease: Lease, stop: Stop) -> Result<Vec<ToAgent>, Refusal> {
        let Lease { id, generation } = lease;
        passing(self.urgent(pass, move |act| report_stop(act, id, generation, stop)).await)
    }
}

/// Says which leases live on and which are gone.
pub(super) fn standing(standing: Standing) -> Vec<ToAgent> {
    let answer = view::agent::standing(standing);
    let keep = (!answer.keep.is_empty()).then_some(ToAgent::Keep(wire::Keep { leases: answer.keep }));
    let drop = (!answer.drop.is_empty()).then_some(ToAgent::Drop(wire::Drop { leases: answer.drop }));
    keep.into_iter().chain(drop).collect()
}

/// Whether a refusal stands, however often the same is said again.
fn is_final(kind: Kind) -> bool {
    matches!(kind, Kind::Missing | Kind::Conflict | Kind::Invalid | Kind::Denied)
}

/// A word that came too late changes nothing and is no fault of the agent's; a server that cannot work is another
/// matter.
fn passing(done: Result<(), Refusal>) -> Result<Vec<ToAgent>, Refusal> {
    match done {
        Err(refusal) if !is_final(refusal.kind()) => Err(refusal),
        _ => Ok(Vec::new()),
    }
}

/// What a refusal means for the frame and for the connection. A door that is too busy, or a full disk, is no reason to
/// lose the connection and with it everything that is under way: the agent says it again (E7).
fn fault(refusal: Refusal, request_id: String, log: Option<Held>) -> Fault {
    match (refusal.kind(), log) {
        (Kind::Range, Some(held)) => Fault::Gap(held, refusal.message),
        (Kind::Invalid | Kind::TooLarge, _) => Fault::Invalid(refusal.message),
        _ if ends(&refusal) => Fault::End(Close::of(&refusal)),
        _ => {
            let error = wire::Error {
                code: refusal.code.as_str().to_owned(),
                retry_after_ms: Some(refusal.retry_after_ms.unwrap_or(RETRY_AFTER_MS)),
                detail: refusal.message,
                request_id,
            };
            Fault::Later(error, log)
        }
    }
}

/// Whether nothing that is said on this connection can be taken any more.
fn ends(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::ShuttingDown | Code::StorageBroken)
        || matches!(refusal.kind(), Kind::Unauthenticated | Kind::Denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    // E7: an overloaded door asks to say it again; only what is over for good closes the connection.
    #[test]
    fn e7_what_passes_closes_nothing() {
        for code in Code::ALL {
            let kind = code.kind();
            let fault = fault(Refusal::new(*code, "x"), "r".to_owned(), None);
            match code {
                Code::ShuttingDown => assert!(matches!(fault, Fault::End(close) if close.code == 1001)),
                Code::StorageBroken => assert!(matches!(fault, Fault::End(close) if close.code == 1013)),
                Code::Overloaded | Code::StorageLow | Code::Internal => {
                    assert!(
                        matches!(&fault, Fault::Later(error, _) if error.retry_after_ms == Some(1_000)),
                        "{code:?}"
                    );
                }
                _ if kind == Kind::Invalid => assert!(matches!(fault, Fault::Invalid(_)), "{code:?}"),
                _ => {}
            }
        }
    }
}
