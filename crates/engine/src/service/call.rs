//! Makes the calls of `http` stages (D20): some at once, not too many to one machine, and takes care of those whose server has
//! gone.

use super::{Ran, Run, Service};
use crate::run::call::{self, Taken};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::run::Part;
use tiltyard_store::run::call::{Call, State, open};

/// Most calls that are made at once.
const MAX_CALLS: usize = 64;
/// Most of them to one machine.
const MAX_CALLS_OF_HOST: usize = 8;
/// Most rows that are looked at together.
const MAX_ROWS: u32 = 1_024;
/// How often it is tried to take note of what came of a call, where the store takes nothing.
const MAX_FINISH_TRIES: usize = 60;
/// The pause between two tries.
const FINISH_PAUSE: Duration = Duration::from_secs(1);
/// How often is looked while calls are under way.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The service.
#[derive(Default)]
pub(super) struct Calls {
    /// Those that this process makes, and whom they go to.
    own: Mutex<BTreeMap<(i64, Part), String>>,
    /// The run from which the next look goes on, so that many calls to a slow machine do not hide those of later runs.
    from: Mutex<i64>,
}

type Making<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Service for Calls {
    fn name(&self) -> &'static str {
        "call"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    /// Runs for as long as calls are under way, and takes more meanwhile.
    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            // What was broken off in the middle of it is nobody's.
            self.own.lock().clear();
            let mut making: Vec<Making<'a>> = Vec::new();
            loop {
                let taken = if engine.leads() { self.look(engine).await } else { Ok(Vec::new()) };
                match taken {
                    Ok(taken) => {
                        let begun =
                            taken.into_iter().map(|taken| Box::pin(self.make(engine, taken)) as Making<'a>);
                        making.extend(begun);
                    }
                    Err(refusal) if making.is_empty() => return Err(refusal),
                    // What is under way is not broken off for it.
                    Err(refusal) => {
                        tracing::warn!(target: "scheduler", "no more calls are made for now: {refusal}");
                    }
                }
                if making.is_empty() {
                    return Ok(Ran::Done);
                }
                // Whether one has ended, or it is time to look again.
                let _ = tokio::time::timeout(LOOK_EVERY, one_of(&mut making)).await;
            }
        })
    }
}

/// Waits until one of them has ended, and drops it.
async fn one_of(making: &mut Vec<Making<'_>>) {
    poll_fn(|context| {
        let before = making.len();
        making.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if making.len() < before { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Calls {
    async fn look(&self, engine: &Engine) -> Result<Vec<Taken>, Refusal> {
        self.care(engine).await?;
        self.take(engine).await
    }

    /// Calls that are under way and nobody's any more.
    async fn care(&self, engine: &Engine) -> Result<(), Refusal> {
        let open = engine
            .read(|rows| open(rows, State::Calling, 0, MAX_ROWS).map_err(crate::act::refusal_of))
            .await?;
        let others: Vec<Call> = {
            let own = self.own.lock();
            open.into_iter().filter(|call| !own.contains_key(&(call.run, call.part))).collect()
        };
        if others.is_empty() {
            return Ok(());
        }
        let word = engine.word();
        let deed = move |act: &mut crate::Act<'_>| {
            let mut gone = Vec::new();
            for other in others {
                if call::gone(act, &other, &word)? {
                    gone.push(other);
                }
            }
            call::lost(act, gone)
        };
        engine.enter(Pass::system(), Urgency::Normal, deed).await.map(drop)
    }

    /// Takes as many as there is room for.
    async fn take(&self, engine: &Engine) -> Result<Vec<Taken>, Refusal> {
        if self.own.lock().len() >= MAX_CALLS {
            return Ok(Vec::new());
        }
        let from = *self.from.lock();
        let open = engine
            .read(move |rows| open(rows, State::ToCall, from, MAX_ROWS).map_err(crate::act::refusal_of))
            .await?;
        // A run with more than one look's worth gets its turn again once all others had theirs.
        let is_full = open.len() == MAX_ROWS as usize;
        *self.from.lock() = open.last().filter(|_| is_full).map_or(0, |last| last.run.saturating_add(1));
        let chosen = self.choose(open);
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let keys: BTreeSet<(i64, Part)> = chosen.iter().map(|call| (call.run, call.part)).collect();
        let word = engine.word();
        let taken =
            engine.enter(Pass::system(), Urgency::Normal, move |act| call::take(act, chosen, &word)).await;
        let mut own = self.own.lock();
        let taken = taken.inspect_err(|_| own.retain(|key, _| !keys.contains(key)))?;
        let held: BTreeSet<(i64, Part)> = taken.iter().map(|taken| (taken.run, taken.part)).collect();
        own.retain(|key, _| !keys.contains(key) || held.contains(key));
        Ok(taken)
    }

    /// Those for whose machine there is room; they count from here on.
    fn choose(&self, open: Vec<Call>) -> Vec<Call> {
        let mut own = self.own.lock();
        let mut chosen = Vec::new();
        for call in open {
            if own.len() >= MAX_CALLS {
                break;
            }
            let host = call::host_of(&call);
            let busy = own.values().filter(|other| **other == host).count();
            if busy < MAX_CALLS_OF_HOST && !own.contains_key(&(call.run, call.part)) {
                own.insert((call.run, call.part), host);
                chosen.push(call);
            }
        }
        chosen
    }

    async fn make(&self, engine: &Engine, taken: Taken) {
        let key = (taken.run, taken.part);
        if let Err(refusal) = carry_out(engine, taken).await {
            // Its row says that it is under way: it is looked after as one whose server has gone.
            tracing::error!(target: "scheduler", run = key.0, "what came of a call is not on record: {refusal}");
        }
        self.own.lock().remove(&key);
    }
}

async fn carry_out(engine: &Engine, taken: Taken) -> Result<(), Refusal> {
    let (done, expect) = match taken.ready() {
        Ok(ready) => (engine.outgoing().call(ready.request, engine.blobs()).await, ready.expect),
        Err(error) => (Err(error), tiltyard_model::pipeline::Expect::default()),
    };
    let blobs = engine.blobs().clone();
    let judging = tokio::task::spawn_blocking(move || call::made(&taken, &expect, done, &blobs));
    let made = judging.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))??;
    for _ in 1..MAX_FINISH_TRIES {
        let again = made.clone();
        match engine.enter(Pass::system(), Urgency::Urgent, move |act| call::finish(act, again)).await {
            Err(refusal) if refusal.kind() == Kind::Overloaded => tokio::time::sleep(FINISH_PAUSE).await,
            done => return done,
        }
    }
    engine.enter(Pass::system(), Urgency::Urgent, move |act| call::finish(act, made)).await
}
