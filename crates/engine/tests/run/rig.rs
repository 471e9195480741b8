//! A door on a store of its own, and short words for what tests do with runs.

use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tiltyard_engine::act::{Act, refusal_of};
use tiltyard_engine::clock::{Clock, VirtualClock};
use tiltyard_engine::memory::boot::rebuild;
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::outgoing::{Nowhere, Outgoing};
use tiltyard_engine::pipeline::reading::{self, Sent};
use tiltyard_engine::pipeline::{Publish, publish};
use tiltyard_engine::run::{Asked, Which, cancel, rerun};
use tiltyard_engine::task::cancel::report_stop;
use tiltyard_engine::task::claim::{Claimed, Request, claim};
use tiltyard_engine::task::settle::{Report, settle};
use tiltyard_engine::{Engine, Options, Pass, Sharing, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Reach;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;
use tiltyard_model::task::attempt::{Outcome, Stop};
use tiltyard_store::Rows;
use tiltyard_store::run::{self as rows_of, Found, attempt, stage};
use tiltyard_testkit::postgres;

/// When every test begins.
pub(crate) const START: i64 = 1_790_000_000_000;

pub(crate) struct Rig {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<VirtualClock>,
    folder: TempDir,
    outgoing: Arc<dyn Outgoing>,
}

/// A run with its stages.
pub(crate) struct Whole {
    pub(crate) found: Found,
    pub(crate) stages: Vec<stage::Found>,
    /// Of stages that have ended, how.
    pub(crate) ended: Vec<attempt::Attempt>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        postgres::forget(self.folder.path());
    }
}

async fn open(folder: &Path, clock: &Arc<VirtualClock>, outgoing: &Arc<dyn Outgoing>) -> Arc<Engine> {
    let sharing = postgres::url_of(folder).map(Sharing::of);
    let (clock, outgoing) = (Clock::Virtual(Arc::clone(clock)), Arc::clone(outgoing));
    let options = Options { clock, sharing, outgoing, ..Options::new(folder) };
    Engine::open(options).await.expect("opens")
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::calling(Arc::new(Nowhere)).await
    }

    /// One whose calls to other places are made by somebody.
    pub(crate) async fn calling(outgoing: Arc<dyn Outgoing>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = VirtualClock::at(START);
        let engine = open(folder.path(), &clock, &outgoing).await;
        Self { engine, clock, folder, outgoing }
    }

    /// Ends the engine and opens it again on the same folder: what was to be done and is nowhere written is lost.
    pub(crate) async fn restart(&mut self) {
        self.engine.close().await.expect("closes");
        let aside = TempDir::new().expect("a folder");
        self.engine = open(aside.path(), &self.clock, &self.outgoing).await;
        self.engine = open(self.folder.path(), &self.clock, &self.outgoing).await;
        postgres::forget(aside.path());
    }

    pub(crate) async fn act<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.engine.enter(Pass::system(), Urgency::Normal, deed).await
    }

    pub(crate) async fn publish(&self, name: &str, text: &str) {
        let checked = reading::valid(Sent::Text(text.to_owned()), "").await.expect("reads");
        let new = Publish { scope: "default".into(), name: name.into(), checked };
        self.act(move |act| publish(act, &new)).await.expect("publishes");
    }

    /// Starts a run of a definition that comes along.
    pub(crate) async fn start(&self, text: &str, input: Value) -> Id {
        self.try_start(text, input).await.expect("starts")
    }

    pub(crate) async fn try_start(&self, text: &str, input: Value) -> Result<Id, Refusal> {
        let asked = Asked {
            scope: "default".into(),
            which: Which::Sent(Sent::Text(text.to_owned())),
            input: Some(input),
            title: None,
        };
        self.engine.start_run(Pass::system(), asked).await.map(|found| found.id)
    }

    /// Lets everything begin that is to begin; says how much.
    pub(crate) async fn begin(&self) -> usize {
        let mut begun = 0;
        loop {
            match self.engine.begin_stages().await.expect("begins") {
                0 => break,
                count => begun += count,
            }
        }
        self.is_as_rows_say().await;
        begun
    }

    /// Memory is what a fresh rebuild of the store makes.
    pub(crate) async fn is_as_rows_say(&self) {
        let deed = |act: &mut Act<'_>| {
            let fresh = rebuild(act.tx, act.now).map_err(refusal_of)?;
            Ok((act.memory.summary(), fresh.summary()))
        };
        let (kept, fresh) = self.act(deed).await.expect("rebuilds");
        let differs: Vec<_> = kept
            .keys()
            .chain(fresh.keys())
            .filter(|name| kept.get(*name) != fresh.get(*name))
            .map(|name| (name, kept.get(name), fresh.get(name)))
            .collect();
        assert!(differs.is_empty(), "memory and what the store makes of it: {differs:#?}");
    }

    pub(crate) async fn claim(&self) -> Option<Claimed> {
        self.claim_many(1).await.pop()
    }

    pub(crate) async fn claim_many(&self, max: usize) -> Vec<Claimed> {
        self.claim_as(&[], max).await
    }

    pub(crate) async fn claim_with(&self, capabilities: &[&str]) -> Option<Claimed> {
        self.claim_as(capabilities, 1).await.pop()
    }

    async fn claim_as(&self, capabilities: &[&str], max: usize) -> Vec<Claimed> {
        let request = Request {
            want: Want {
                agent: "ada".into(),
                capabilities: capabilities.iter().map(|&tag| tag.to_owned()).collect(),
                kinds: None,
                queues: vec!["default".into()],
                reach: Reach::All,
                allowed: None,
            },
            instance: None,
            claim_id: None,
            max,
            lease_ms: 30_000,
        };
        self.act(move |act| claim(act, &request)).await.expect("may claim")
    }

    /// The next task succeeds with this result; gives its title.
    pub(crate) async fn succeeds(&self, result: Value) -> String {
        let claimed = self.claim().await.expect("a task is ready");
        let report = report(&claimed, Outcome::Succeeded, Some(result.to_string()), None);
        self.report(report).await.expect("is taken");
        self.is_as_rows_say().await;
        claimed.found.task.spec.title
    }

    /// The next task fails for good with this error.
    pub(crate) async fn fails(&self, error: &str) -> String {
        let claimed = self.claim().await.expect("a task is ready");
        self.report(report(&claimed, Outcome::Failed, None, Some(error))).await.expect("is taken");
        self.is_as_rows_say().await;
        claimed.found.task.spec.title
    }

    pub(crate) async fn report(&self, report: Report) -> Result<(), Refusal> {
        self.act(move |act| settle(act, &report).map(drop)).await
    }

    /// An agent says that the attempt of a cancelled task has stopped.
    pub(crate) async fn has_stopped(&self, claimed: &Claimed) {
        let (id, generation) = (claimed.found.task.id, claimed.found.task.generation);
        self.act(move |act| report_stop(act, id, generation, Stop::Stopped)).await.expect("is taken");
        self.is_as_rows_say().await;
    }

    pub(crate) async fn cancel(&self, run: Id) -> Result<(), Refusal> {
        let done = self.act(move |act| cancel::cancel(act, run, Some("enough")).map(drop)).await;
        self.is_as_rows_say().await;
        done
    }

    pub(crate) async fn rerun(&self, run: Id, from: Option<&'static str>) -> Result<(), Refusal> {
        let done = self.act(move |act| rerun::rerun(act, run, from).map(drop)).await;
        self.is_as_rows_say().await;
        done
    }

    pub(crate) async fn whole(&self, run: Id) -> Whole {
        let read = move |rows: &Rows| {
            let found = rows_of::get(rows, run)?.expect("is there");
            let (stages, ended) = (stage::all(rows, found.key)?, attempt::current(rows, found.key)?);
            Ok(Whole { found, stages, ended })
        };
        self.read(move |rows| read(rows).map_err(refusal_of)).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        self.engine.read(read).await.expect("reads")
    }

    pub(crate) async fn state(&self, run: Id) -> State {
        self.whole(run).await.found.standing.state
    }

    /// What is said of its end.
    pub(crate) async fn error(&self, run: Id) -> Option<String> {
        self.whole(run).await.found.standing.error
    }

    /// How its stops go: asked, stopped, unconfirmed.
    pub(crate) async fn stops(&self, run: Id) -> (u32, u32, u32) {
        let stops = self.whole(run).await.found.standing.stops;
        (stops.asked, stops.stopped, stops.unconfirmed)
    }

    /// Where its stages stand, in their order.
    pub(crate) async fn stages(&self, run: Id) -> Vec<StageState> {
        self.whole(run).await.stages.iter().map(|row| row.stage.state).collect()
    }

    /// Events of a run, in order: `run.created`, `stage.succeeded a`; those of its tasks are left out.
    pub(crate) async fn story(&self, run: Id) -> Vec<String> {
        let filter = tiltyard_store::event::Filter { run: Some(run), ..Default::default() };
        let read =
            move |rows: &Rows| tiltyard_store::event::after(rows, 0, &filter, 10_000).map_err(refusal_of);
        let events = self.read(read).await;
        let of_run = events.into_iter().filter(|event| event.subject == run.into());
        let told = of_run.map(|event| {
            let data: Value = serde_json::from_str(&event.data).expect("is JSON");
            let stage = data["stage"].as_str().map(|stage| format!(" {stage}")).unwrap_or_default();
            format!("{}{stage}", event.kind.as_str())
        });
        told.collect()
    }
}

pub(crate) fn report(
    claimed: &Claimed,
    outcome: Outcome,
    result: Option<String>,
    error: Option<&str>,
) -> Report {
    let task = &claimed.found.task;
    Report {
        id: task.id,
        generation: task.generation,
        outcome,
        result,
        error: error.map(str::to_owned),
        retryable: false,
    }
}

pub(crate) fn code<T>(done: Result<T, Refusal>) -> Option<Code> {
    done.err().map(|refusal| refusal.code)
}
