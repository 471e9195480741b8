//! The attempts of this process, whatever connection there is: what arrives, what runs, what has ended and is not
//! settled yet.

mod work;

pub(super) use work::{End, Fate, Work};

use super::said::{key_of, lease_of};
use crate::attempt::AttemptKey;
use crate::executor::Assignment;
use crate::host::{AcceptError, Host, Running};
use crate::slots::{Phase, SlotRefusal, StopAnswer};
use crate::stop::StopReason;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_wire::frame::Assign;
use tiltyard_wire::task::work::Lease;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long an earlier attempt of a task may take to end before the next one goes back.
const MAX_WAIT_FOR_EARLIER: Duration = Duration::from_secs(45);
/// Pause between two looks at an attempt that is just being made.
const ARRIVAL_PAUSE: Duration = Duration::from_millis(50);
/// Stopped attempts that are told again on the next connection.
const MAX_STOPPED_KEPT: usize = 1_024;
/// How long a stop is worth being told again: after 30 s the server takes it for unconfirmed (D4).
const STOPPED_WORTH: Duration = Duration::from_secs(60);

/// What has happened to an assignment.
#[derive(Debug)]
pub(super) enum News {
    /// It runs.
    Begun(Arc<Work>),
    /// It cannot be taken, for this reason.
    Refused(Lease, String),
    /// It was called off before it ran.
    CalledOff(Lease),
}

/// How the wish that an attempt stops is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopWord {
    /// It is stopping.
    Stopping,
    /// Nothing of it runs.
    Stopped,
    /// Programs of an earlier process may still be alive: nothing can be promised.
    Unknown,
}

/// The attempts of this process.
#[derive(Debug)]
pub(super) struct Roster {
    host: Arc<Host>,
    state: Mutex<State>,
    news: mpsc::Sender<News>,
    /// How long an assignment that cannot be taken is held before it goes back.
    refusal: Duration,
    /// How many attempts are not over.
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    works: BTreeMap<AttemptKey, Arc<Work>>,
    /// Assigned, and not yet begun; called off meanwhile, perhaps.
    arriving: BTreeMap<AttemptKey, Option<StopReason>>,
    stopped: VecDeque<(Lease, Instant)>,
}

impl Roster {
    /// The roster of a host that has recovered: its outcomes are to be told.
    pub(super) fn new(host: Arc<Host>, news: mpsc::Sender<News>, refusal: Duration) -> Arc<Self> {
        let (open, _) = watch::channel(0);
        let roster = Self { host, state: Mutex::default(), news, refusal, open };
        {
            let mut state = roster.state.lock();
            for outcome in roster.host.outbox().waiting() {
                match lease_of(&outcome.key) {
                    Some(lease) => {
                        drop(state.works.insert(outcome.key.clone(), Work::recovered(lease, outcome)));
                    }
                    None => {
                        tracing::warn!(target: "agent", attempt = %outcome.key, "no server can know this outcome");
                    }
                }
            }
            roster.count(&state);
        }
        Arc::new(roster)
    }

    /// The host itself.
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Everything that is not over, by attempt.
    pub(super) fn works(&self) -> Vec<Arc<Work>> {
        self.state.lock().works.values().cloned().collect()
    }

    /// What `hello` and `renew` name: what arrives, runs, or waits to be settled. Not what was told to stop for good.
    pub(super) fn holds(&self) -> Vec<Lease> {
        let state = self.state.lock();
        let given_up = |phase| matches!(phase, Phase::Stopping(StopReason::Cancelled | StopReason::Dropped));
        let unwanted =
            |key: &AttemptKey| state.works.get(key).is_some_and(|work| work.fate() != Fate::Wanted);
        let held =
            self.host.slots().held().into_iter().filter(|held| !given_up(held.phase)).map(|held| held.key);
        let mut keys: Vec<AttemptKey> = held.filter(|key| !unwanted(key)).collect();
        keys.extend(state.arriving.iter().filter(|(_, wish)| wish.is_none()).map(|(key, _)| key.clone()));
        keys.sort();
        keys.dedup();
        keys.iter().filter_map(lease_of).collect()
    }

    /// Attempts that are being stopped for good, to be said on a new connection.
    pub(super) fn stopping(&self) -> Vec<Lease> {
        let given_up = |phase| matches!(phase, Phase::Stopping(StopReason::Cancelled | StopReason::Dropped));
        let held = self.host.slots().held().into_iter();
        held.filter(|held| given_up(held.phase)).filter_map(|held| lease_of(&held.key)).collect()
    }

    /// Attempts whose stop may not have been heard, because a connection broke.
    pub(super) fn recently_stopped(&self) -> Vec<Lease> {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.stopped.retain(|(_, at)| now.duration_since(*at) < STOPPED_WORTH);
        state.stopped.iter().map(|(lease, _)| *lease).collect()
    }

    /// Takes an assignment, on a task of its own: making its folder can take time. What becomes of it is news.
    pub(super) fn arrive(self: &Arc<Self>, assign: Assign) {
        let lease = Lease { id: assign.task.id, generation: assign.task.generation };
        let Some(key) = key_of(lease) else { return };
        {
            let mut state = self.state.lock();
            if state.arriving.contains_key(&key) {
                return;
            }
            state.arriving.insert(key.clone(), None);
        }
        let timeout = u64::try_from(assign.task.timeout_ms).ok().map(Duration::from_millis);
        let task = assign.task;
        let assignment =
            Assignment { key, kind: task.kind, title: task.title, payload: task.payload, timeout };
        let roster = Arc::clone(self);
        tokio::spawn(async move {
            let news = roster.take(lease, assignment).await;
            // Nobody listens any more: the process ends.
            let _ = roster.news.send(news).await;
        });
    }

    async fn take(self: &Arc<Self>, lease: Lease, assignment: Assignment) -> News {
        let key = assignment.key.clone();
        let accepted = self.accept(assignment).await;
        let refused = match accepted {
            Ok(running) => return self.begin(lease, &key, running),
            // The assignment came twice.
            Err(AcceptError::Slot(SlotRefusal::Repeated(_))) if self.known(&key).is_some() => {
                self.known(&key).ok_or_else(|| "it has just ended".to_owned())
            }
            Err(error) => {
                tokio::time::sleep(self.refusal).await;
                Err(error.to_string())
            }
        };
        let called_off = self.state.lock().arriving.remove(&key).flatten().is_some();
        match refused {
            Ok(work) => News::Begun(work),
            Err(_) if called_off => News::CalledOff(lease),
            Err(reason) => News::Refused(lease, reason),
        }
    }

    /// An earlier attempt of the task, whose lease is lost, is waited for.
    async fn accept(&self, assignment: Assignment) -> Result<Running, AcceptError> {
        let limit = Instant::now() + MAX_WAIT_FOR_EARLIER;
        loop {
            let earlier = match self.host.accept(assignment.clone()).await {
                Err(AcceptError::Slot(SlotRefusal::Older(earlier))) if Instant::now() < limit => earlier,
                answer => return answer,
            };
            let Some(work) = self.known(&earlier) else {
                // It is just being made.
                tokio::time::sleep(ARRIVAL_PAUSE).await;
                continue;
            };
            work.give_up();
            match tokio::time::timeout_at(limit, work.ended()).await {
                // What it did is told all the same, so that the server can put it on record (C3); only its place is
                // free now.
                Ok(End::Told(_)) => self.host.slots().forget(&work.key),
                // Late or not, the next round sees.
                _ => self.over(&work).await,
            }
        }
    }

    fn known(&self, key: &AttemptKey) -> Option<Arc<Work>> {
        self.state.lock().works.get(key).cloned()
    }

    fn begin(self: &Arc<Self>, lease: Lease, key: &AttemptKey, running: Running) -> News {
        let (work, end) = Work::begun(lease, key.clone(), running.log, running.progress);
        let mut state = self.state.lock();
        state.works.insert(key.clone(), Arc::clone(&work));
        let wish = state.arriving.remove(key).flatten();
        self.count(&state);
        drop(state);
        if let Some(reason) = wish {
            self.host.slots().stop(key, reason);
            work.give_up();
        }
        tokio::spawn(work::watch_over(Arc::clone(&work), running.done, end));
        News::Begun(work)
    }

    /// Tells an attempt to stop: it was cancelled, or its lease is lost.
    pub(super) fn stop(&self, lease: Lease, reason: StopReason) -> StopWord {
        let Some(key) = key_of(lease) else { return StopWord::Stopped };
        let mut state = self.state.lock();
        let arriving = state.arriving.get_mut(&key).map(|wish| *wish = Some(reason)).is_some();
        let work = state.works.get(&key).cloned();
        drop(state);
        if let Some(work) = &work {
            work.give_up();
        }
        match self.host.slots().stop(&key, reason) {
            StopAnswer::Stopping => StopWord::Stopping,
            _ if arriving => StopWord::Stopping,
            StopAnswer::Finished => StopWord::Stopped,
            // It has ended and is about to say so, or it is not ours.
            StopAnswer::NotHeld if work.is_some() => StopWord::Stopping,
            StopAnswer::NotHeld if self.host.may_be_alive(&key) => StopWord::Unknown,
            StopAnswer::NotHeld => StopWord::Stopped,
        }
    }

    /// The server has taken an outcome, or refused it for good.
    pub(super) fn settled(self: &Arc<Self>, lease: Lease) {
        let work = key_of(lease).and_then(|key| self.known(&key));
        // An answer to a question that nobody asked changes nothing.
        if let Some(work) = work.filter(|work| work.has_ended()) {
            let roster = Arc::clone(self);
            // A big folder takes its time to go.
            tokio::spawn(async move { roster.over(&work).await });
        }
    }

    /// Nothing of it runs, and the server has been told so.
    pub(super) async fn stopped(&self, work: &Work) {
        {
            let mut state = self.state.lock();
            state.stopped.push_back((work.lease, Instant::now()));
            if state.stopped.len() > MAX_STOPPED_KEPT {
                state.stopped.pop_front();
            }
        }
        self.over(work).await;
    }

    /// Forgets an attempt that has ended.
    pub(super) async fn over(&self, work: &Work) {
        work.settle();
        if let Err(error) = self.host.settled(&work.key).await {
            tracing::warn!(target: "agent", attempt = %work.key, %error, "an attempt that is over left something behind");
        }
        self.forget(work);
    }

    /// Forgets an attempt, but leaves its folder: something of it may still be alive in there.
    pub(super) fn abandon(&self, work: &Work) {
        work.settle();
        self.forget(work);
    }

    fn forget(&self, work: &Work) {
        let mut state = self.state.lock();
        state.works.remove(&work.key);
        self.count(&state);
    }

    /// The connection is gone: logs of what has ended need not stay open.
    pub(super) fn detach(&self) {
        self.works().iter().for_each(|work| work.close_log());
    }

    /// Waits until every attempt is over.
    pub(super) async fn empty(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.open.subscribe().wait_for(|count| *count == 0).await;
    }

    fn count(&self, state: &State) {
        self.open.send_replace(state.works.len());
    }
}
