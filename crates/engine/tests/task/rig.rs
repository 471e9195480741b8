//! A door on a store of its own, and short words for what tests do with it.

use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tiltyard_engine::act::Act;
use tiltyard_engine::clock::{Clock, VirtualClock};
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::task::claim::{Claimed, Request, claim};
use tiltyard_engine::task::settle::{Report, Verdict, settle};
use tiltyard_engine::task::submit::submit;
use tiltyard_engine::{Engine, Options, Pass, Sharing, Urgency};
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Reach;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Extras, Spec, State};
use tiltyard_store::task::Found;
use tiltyard_testkit::postgres;

/// When every test begins.
pub(crate) const START: i64 = 1_790_000_000_000;

pub(crate) struct Rig {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) folder: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        postgres::forget(self.folder.path());
    }
}

async fn open(folder: &Path, clock: &Arc<VirtualClock>) -> Arc<Engine> {
    let sharing = postgres::url_of(folder).map(Sharing::of);
    let options = Options { clock: Clock::Virtual(Arc::clone(clock)), sharing, ..Options::new(folder) };
    Engine::open(options).await.expect("opens")
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = VirtualClock::at(START);
        let engine = open(folder.path(), &clock).await;
        Self { engine, clock, folder }
    }

    /// Ends the engine and opens it again on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.engine.close().await.expect("closes");
        let aside = TempDir::new().expect("a folder");
        self.engine = open(aside.path(), &self.clock).await;
        self.engine = open(self.folder.path(), &self.clock).await;
        postgres::forget(aside.path());
    }

    pub(crate) async fn act<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.engine.enter(Pass::system(), Urgency::Normal, deed).await
    }

    pub(crate) async fn submit(&self, spec: Spec) -> Id {
        self.try_submit(spec).await.expect("is taken in")
    }

    pub(crate) async fn try_submit(&self, spec: Spec) -> Result<Id, Refusal> {
        self.act(move |act| submit(act, &spec).map(|submitted| submitted.id)).await
    }

    pub(crate) async fn claim(&self, agent: &str) -> Option<Claimed> {
        self.claim_as(request(agent)).await.pop()
    }

    pub(crate) async fn claim_as(&self, request: Request) -> Vec<Claimed> {
        self.act(move |act| claim(act, &request)).await.expect("may claim")
    }

    pub(crate) async fn settle(&self, id: Id, generation: i64, outcome: Outcome) -> Result<Verdict, Code> {
        self.report(report(id, generation, outcome)).await
    }

    pub(crate) async fn report(&self, report: Report) -> Result<Verdict, Code> {
        self.act(move |act| settle(act, &report)).await.map_err(|refusal| refusal.code)
    }

    pub(crate) async fn get(&self, id: Id) -> Found {
        self.act(move |act| act.task(id)).await.expect("is there")
    }

    pub(crate) async fn state(&self, id: Id) -> State {
        self.get(id).await.task.state
    }

    /// Types of the events of a task or an agent, in order, without the noun.
    pub(crate) async fn story(&self, about: impl Into<Subject>) -> Vec<&'static str> {
        let filter = tiltyard_store::event::Filter {
            subject: Some(about.into()),
            ..tiltyard_store::event::Filter::default()
        };
        let read = move |rows: &tiltyard_store::Rows| {
            tiltyard_store::event::after(rows, 0, &filter, 1_000).map_err(tiltyard_engine::act::refusal_of)
        };
        let events = self.engine.read(read).await.expect("reads");
        let word = |kind: Type| kind.as_str().rsplit('.').next().unwrap_or_default();
        events.into_iter().map(|event| word(event.kind)).collect()
    }

    /// Lets time pass and everything happen that time brings.
    pub(crate) async fn pass_ms(&self, by_ms: i64) {
        use tiltyard_engine::task::{due, rescue};
        self.clock.advance(by_ms);
        self.act(|act| rescue::rescue(act, act.now.steady)).await.expect("rescues");
        self.act(due::end_overdue).await.expect("ends");
        self.act(due::start_scheduled).await.expect("starts");
        self.act(due::prune).await.expect("prunes");
    }
}

pub(crate) fn spec(title: &str) -> Spec {
    Spec {
        scope: "default".into(),
        queue: "default".into(),
        kind: "work".into(),
        title: title.into(),
        payload: "{}".into(),
        priority: 5,
        extras: Extras::default(),
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: 3_600_000,
        max_attempts: 3,
        unique: None,
    }
}

pub(crate) fn request(agent: &str) -> Request {
    Request {
        want: Want {
            agent: agent.into(),
            capabilities: Vec::new(),
            kinds: None,
            queues: vec!["default".into()],
            reach: Reach::All,
            allowed: None,
        },
        instance: None,
        claim_id: None,
        max: 1,
        lease_ms: 30_000,
    }
}

pub(crate) fn report(id: Id, generation: i64, outcome: Outcome) -> Report {
    let error = matches!(outcome, Outcome::Failed | Outcome::TimedOut).then(|| "it broke".to_owned());
    Report { id, generation, outcome, result: None, error, retryable: true }
}
