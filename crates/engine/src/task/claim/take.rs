//! Taking tasks: several at once where nothing has to be known of one before the next is picked.

use super::{Claimed, MAX_ANSWER_PAYLOAD_BYTES, Request, TIMEOUT_GRACE_MS};
use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::{Lease, Sort};
use crate::memory::ready::Pick;
use std::sync::Arc;
use tiltyard_model::event::TaskLeased;
use tiltyard_model::lane::Lane;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::State;
use tiltyard_store::task::{self, Found, Names};

/// Tasks of the first go, while nobody knows how large their payloads are.
const FIRST_GO: usize = 8;
/// Most tasks of one go.
const MAX_GO: usize = 1_000;
/// What several tasks of one go may have beyond the limit of an answer, in bytes of payload.
const MAX_BEYOND_BYTES: usize = 512 * 1024;

/// Who takes.
#[derive(Clone, Copy)]
pub(super) struct Taker<'a> {
    pub(super) request: &'a Request,
    pub(super) agent: i64,
    pub(super) claim: Option<i64>,
}

/// A claim under way.
pub(super) struct Taking<'a> {
    taker: Taker<'a>,
    max: usize,
    taken: Vec<Claimed>,
    bytes: usize,
    /// Picked, but to be taken by itself.
    next: Option<Pick>,
    /// Several at once had more than an answer holds.
    singly: bool,
}

impl<'a> Taking<'a> {
    pub(super) fn new(taker: Taker<'a>, max: usize) -> Self {
        Self { taker, max, taken: Vec::new(), bytes: 0, next: None, singly: false }
    }

    /// Takes what there is, up to the limits.
    pub(super) fn all(mut self, act: &mut Act<'_>) -> Result<Vec<Claimed>, Refusal> {
        while self.taken.len() < self.max && self.bytes < MAX_ANSWER_PAYLOAD_BYTES {
            let go = self.go();
            let went_on = if go == 1 { self.one(act)? } else { self.several(act, go)? };
            if !went_on {
                break;
            }
        }
        Ok(self.taken)
    }

    /// How many to take at once: what should fit into half of what is left of the answer.
    fn go(&self) -> usize {
        let left = self.max - self.taken.len();
        match self.taken.len() {
            _ if self.singly => 1,
            0 => left.min(FIRST_GO),
            taken => {
                let each = (self.bytes / taken).max(1);
                left.min((MAX_ANSWER_PAYLOAD_BYTES - self.bytes) / (2 * each)).clamp(1, MAX_GO)
            }
        }
    }

    fn pick(&mut self, act: &mut Act<'_>) -> Option<Pick> {
        let next = || act.memory.hints().ready.next(&self.taker.request.want, act.now.wall);
        self.next.take().or_else(next)
    }

    /// The next task; false when there is none.
    fn one(&mut self, act: &mut Act<'_>) -> Result<bool, Refusal> {
        let Some(pick) = self.pick(act) else { return Ok(false) };
        act.memory.take_out(pick.lane, pick.place);
        let lane = lane_of(act, &pick)?;
        let found = task::claim(act.tx, &self.taker.row(act, &pick), self.taker.names(&lane));
        let claimed = self.taker.begin(act, &pick, &lane, found.map_err(refusal_of)?)?;
        self.keep(claimed);
        Ok(true)
    }

    /// The next few tasks, of lanes that no start holds back; false when there is none. A lane with a limit comes alone.
    fn several(&mut self, act: &mut Act<'_>, go: usize) -> Result<bool, Refusal> {
        let mut picks = Vec::new();
        let mut over = false;
        let part = act.part(|act| {
            while picks.len() < go {
                let Some(pick) = self.pick(act) else { break };
                if act.memory.ready.is_limited(pick.lane) {
                    self.next = Some(pick);
                    break;
                }
                act.memory.take_out(pick.lane, pick.place);
                picks.push(pick);
            }
            let claimed = self.taker.take(act, &picks)?;
            let bytes: usize = claimed.iter().map(payload).sum();
            over = claimed.len() > 1 && self.bytes + bytes > MAX_ANSWER_PAYLOAD_BYTES + MAX_BEYOND_BYTES;
            let too_much =
                || Refusal::new(Code::Internal, "these tasks have more payload than an answer holds");
            if over { Err(too_much()) } else { Ok(claimed) }
        })?;
        match part {
            Ok(claimed) => self.keep(claimed),
            Err(_) if over => self.singly = true,
            Err(refusal) => return Err(refusal),
        }
        if picks.is_empty() && self.next.is_some() {
            return self.one(act);
        }
        Ok(!picks.is_empty())
    }

    fn keep(&mut self, claimed: impl IntoIterator<Item = Claimed>) {
        for one in claimed {
            self.bytes += payload(&one);
            self.taken.push(one);
        }
    }
}

fn payload(claimed: &Claimed) -> usize {
    claimed.found.task.spec.payload.len()
}

impl Taker<'_> {
    fn row(&self, act: &Act<'_>, pick: &Pick) -> task::Claim<'_> {
        task::Claim {
            key: pick.task,
            agent: self.agent,
            instance: self.request.instance.as_deref(),
            claim: self.claim,
            lease_ms: self.request.lease_ms,
            now: act.now.wall,
        }
    }

    fn names<'b>(&'b self, lane: &'b Lane) -> Names<'b> {
        Names { scope: &lane.scope, queue: &lane.queue, agent: &self.request.want.agent }
    }

    fn take(&self, act: &mut Act<'_>, picks: &[Pick]) -> Result<Vec<Claimed>, Refusal> {
        let lanes: Vec<Arc<Lane>> = picks.iter().map(|pick| lane_of(act, pick)).collect::<Result<_, _>>()?;
        let rows: Vec<_> = picks.iter().map(|pick| self.row(act, pick)).collect();
        let names: Vec<_> = lanes.iter().map(|lane| self.names(lane)).collect();
        let found = task::claim_many(act.tx, &rows, &names).map_err(refusal_of)?;
        let mut claimed = Vec::with_capacity(picks.len());
        for ((pick, lane), found) in picks.iter().zip(&lanes).zip(found) {
            claimed.extend(self.begin(act, pick, lane, found)?);
        }
        Ok(claimed)
    }

    /// What follows from a start: the lease, the counts, the record.
    fn begin(
        &self,
        act: &mut Act<'_>,
        pick: &Pick,
        lane: &Lane,
        found: Option<Found>,
    ) -> Result<Option<Claimed>, Refusal> {
        let Some(found) = found else {
            tracing::error!(target: "scheduler", key = pick.task, "a task in the ready order is not ready in the store");
            return Ok(None);
        };
        act.memory.put_lease(lease(act, &found, self));
        act.memory.count_move(found.queue, Some(State::Ready), Some(State::Running));
        count_start(act, pick.lane)?;
        let waited_ms = act.now.wall - found.task.ready_at.unwrap_or(act.now.wall);
        act.effects.push(Effect::Started { waited_ms });
        act.memory.hints().turns.took(self.agent, lane.category.as_deref());
        let agent = self.request.want.agent.clone();
        act.task_event(pick.scope, pick.task, &TaskLeased { generation: found.task.generation, agent })?;
        if Sort::of(&found.task.spec.kind) == Sort::Git {
            crate::change::git_claimed(act, &found)?;
        }
        Ok(Some(Claimed { found, lease_expires_in_ms: self.request.lease_ms }))
    }
}

fn lane_of(act: &Act<'_>, pick: &Pick) -> Result<Arc<Lane>, Refusal> {
    act.memory.names.lane(pick.lane).map(|(_, lane)| Arc::clone(lane)).ok_or_else(no_lane)
}

fn lease(act: &Act<'_>, found: &Found, taker: &Taker<'_>) -> Lease {
    let Taker { request, agent, claim } = *taker;
    Lease {
        task: found.key,
        generation: found.task.generation,
        lane: found.lane,
        agent,
        instance: request.instance.as_deref().map(Arc::from),
        claim,
        lease_ms: request.lease_ms,
        expires: act.now.steady + request.lease_ms,
        times_out: act.now.steady + found.task.spec.timeout_ms + TIMEOUT_GRACE_MS,
        used: found.task.used,
        sort: Sort::of(&found.task.spec.kind),
        stop: None,
    }
}

/// Counts a start against the rates that it falls under, on disk too, so that a restart forgets none.
fn count_start(act: &mut Act<'_>, lane: i64) -> Result<(), Refusal> {
    let second = act.now.wall / 1_000;
    for (scope, key) in act.memory.ready.rates_of(lane) {
        task::boot::count_start(act.tx, scope, &key, second, 1).map_err(refusal_of)?;
        act.memory.count_start(scope, &key, second);
    }
    Ok(())
}

fn no_lane() -> Refusal {
    Refusal::new(Code::Internal, "a ready task has a lane that nobody knows: nothing was done")
}
