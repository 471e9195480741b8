//! An agent's free hands: a claim waits inside the door for as long as there is a free slot.

use super::default_queues;
use super::frame::Clerk;
use crate::live::session::{Close, Mouth};
use crate::pen;
use crate::taken::Taken;
use crate::view;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::{Duration, Instant};
use tiltyard_engine::agent::is_superseded;
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::task::claim::{self as claims, Claimed, Request};
use tiltyard_engine::task::heartbeat::Held;
use tiltyard_engine::{Act, Pass};
use tiltyard_model::refusal::Refusal;
use tiltyard_wire::frame::Hello;

/// Most tasks of one claim, so that no agent's socket holds many payloads at once.
const MAX_ASSIGNED_AT_ONCE: usize = 16;
/// How long a claim waits in the door before it is put there anew, in milliseconds.
const PATIENCE_MS: u64 = 30_000;
/// How long an agent that refused a task, or a server that could not claim, is left alone, in milliseconds.
const REST_MS: u64 = 1_000;

type Claiming = Pin<Box<dyn Future<Output = Result<Option<Taken>, Refusal>> + Send>>;

/// The free slots of one connection.
pub(super) struct Hands {
    clerk: Clerk,
    request: Request,
    slots: usize,
    draining: bool,
    ending: bool,
    rests_until: Option<Instant>,
    claiming: Option<Claiming>,
}

impl Hands {
    /// Of an agent that has just said hello.
    pub(super) fn new(clerk: &Clerk, hello: &Hello) -> Self {
        let caller = &clerk.caller;
        let want = Want {
            agent: hello.name.clone(),
            capabilities: hello.capabilities.clone(),
            kinds: hello.kinds.clone(),
            queues: if hello.queues.is_empty() { default_queues() } else { hello.queues.clone() },
            reach: caller.reach.clone(),
            allowed: caller.queues.clone(),
        };
        let request = Request {
            want,
            instance: Some(hello.instance.clone()),
            claim_id: None,
            max: MAX_ASSIGNED_AT_ONCE,
            lease_ms: clerk.app.default_lease_ms,
        };
        let slots = hello.slots as usize;
        let clerk = clerk.clone();
        Self { clerk, request, slots, draining: false, ending: false, rests_until: None, claiming: None }
    }

    /// Takes nothing new, or takes work again. A claim that waits is given up; what it may have got goes back.
    pub(super) fn drain(&mut self, draining: bool) {
        self.draining = draining;
        if draining {
            self.claiming = None;
        }
    }

    /// The agent's process is about to end, or is not after all: nothing is assigned to it then.
    pub(super) fn end(&mut self, ending: bool) {
        self.ending = ending;
        if ending {
            self.claiming = None;
        }
    }

    /// Takes nothing for a moment: the agent refused something.
    pub(super) fn rest(&mut self) {
        self.rest_until(Instant::now() + Duration::from_millis(REST_MS));
    }

    /// Takes nothing for so long. A claim that waits is given up; what it may have got goes back.
    pub(super) fn rest_until(&mut self, until: Instant) {
        self.rests_until = self.rests_until.max(Some(until));
        self.claiming = None;
    }

    /// Begins to wait for work, where nothing speaks against it. What was assigned before must have been read, so
    /// that slow readers hold little.
    pub(super) fn reach_out(&mut self, mouth: &Mouth) {
        let takes = !self.draining && !self.ending;
        if self.claiming.is_none() && takes && mouth.is_idle() {
            self.claiming = Some(self.claim());
        }
    }

    fn claim(&mut self) -> Claiming {
        let rest = self.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        let (clerk, mut request, slots) = (self.clerk.clone(), self.request.clone(), self.slots);
        let pass = Pass { caller: (*clerk.caller).clone(), request_id: None, client: None };
        Box::pin(async move {
            tokio::time::sleep(rest.unwrap_or_default()).await;
            let (giver, asker) = (clerk.app.taken(&pass), request.want.clone());
            let (name, connection) = (request.want.agent.clone(), clerk.connection);
            let deed = move |act: &mut Act<'_>| {
                if is_superseded(act, &name, connection) {
                    return Ok(None);
                }
                request.max = free(act, &request.want.agent, slots).min(MAX_ASSIGNED_AT_ONCE);
                let taken = if request.max == 0 { Vec::new() } else { claims::claim(act, &request)? };
                Ok((!taken.is_empty()).then(|| giver.of(taken)))
            };
            let lost = |act: &mut Act<'_>, taken: Taken| taken.take_back(act);
            let waiting = clerk.app.engine.wait_as(pass, Some(asker), deed, lost)?;
            waiting.at_most(Duration::from_millis(PATIENCE_MS)).await
        })
    }

    /// What the claim got; waits for ever where none waits.
    pub(super) async fn taken(&mut self) -> Result<Option<Taken>, Refusal> {
        let Some(claiming) = &mut self.claiming else { return pending().await };
        let taken = claiming.await;
        self.claiming = None;
        taken
    }

    /// Hands tasks over, each already leased; says which.
    pub(super) fn assign(
        &mut self,
        mouth: &Mouth,
        taken: Result<Option<Taken>, Refusal>,
    ) -> Result<Vec<Held>, Close> {
        let taken = taken.unwrap_or_else(|refusal| {
            tracing::warn!(target: "scheduler", agent = self.request.want.agent, "no work could be claimed: {refusal}");
            self.rest();
            None
        });
        let lease_ms = self.request.lease_ms;
        let tasks = taken.map(Taken::one_by_one).unwrap_or_default().into_iter();
        let hand_over = |(claimed, receipt): (Claimed, _)| {
            mouth.hand_over(assign_text(&claimed, lease_ms), receipt).map(|()| claimed.held())
        };
        tasks.map(hand_over).collect()
    }
}

/// How many more tasks an agent can take: what is being stopped still has its slot (D4).
fn free(act: &Act<'_>, agent: &str, slots: usize) -> usize {
    let held = act.memory.names.agent_key(agent).map_or(0, |key| act.memory.leases.of_agent(key).count());
    slots.saturating_sub(held)
}

/// The frame `assign`, written straight from words.
fn assign_text(claimed: &Claimed, lease_ms: i64) -> String {
    let mut out = Vec::with_capacity(view::task::ROOM_BYTES + claimed.found.task.spec.payload.len());
    pen::object(&mut out, |pen| {
        pen.any("type", &"assign");
        pen.member("task", |out| view::task::write_claimed(out, claimed));
        pen.any("lease_ms", &lease_ms);
    });
    String::from_utf8(out).expect("JSON is written from strings")
}
