//! Background services: one shape for all. Each is run by a timer, takes no input, and may be repeated; what it does
//! it finds in the store and in memory.

mod advance;
mod call;
mod disk;
mod expire;
mod fire;
mod lead;
mod listen;
mod move_log;
mod presence;
mod prune;
mod rescue;
mod retain;
mod retire;
mod sweep;
mod tally;

use crate::Engine;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tiltyard_model::refusal::{Kind, Refusal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What one run did: whether there is more to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// Nothing is left for now.
    Done,
    /// More waits: run again at once.
    More,
}

/// Who does what a service does, where several servers share the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One of them.
    Leader,
    /// Each of them, for itself.
    Everybody,
}

/// A run under way.
pub type Run<'a> = Pin<Box<dyn Future<Output = Result<Ran, Refusal>> + Send + 'a>>;

/// A background service.
pub trait Service: Send + Sync + 'static {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// How long it rests between two runs.
    fn interval(&self) -> Duration;

    /// Who does it, where several servers share the store.
    fn whose(&self) -> Whose {
        Whose::Leader
    }

    /// What wakes it before it has rested, if anything does.
    fn wakes(&self, _engine: &Engine) -> Option<Arc<Notify>> {
        None
    }

    /// Does what there is to do, once.
    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a>;
}

/// Every service of the engine.
pub fn all() -> Vec<Box<dyn Service>> {
    vec![
        Box::new(rescue::Rescue::default()),
        Box::new(expire::Expire),
        Box::new(advance::Advance),
        Box::new(call::Calls::default()),
        Box::new(fire::Fire::default()),
        Box::new(listen::Listen::default()),
        Box::new(presence::Presence),
        Box::new(prune::Prune),
        Box::new(retire::Retire::default()),
        Box::new(retain::Retain::default()),
        Box::new(sweep::Sweep::default()),
        Box::new(tally::Tally),
        Box::new(disk::Disk),
        Box::new(move_log::MoveLog::default()),
        Box::new(lead::Lead),
    ]
}

/// Runs services until it is dropped.
#[derive(Debug)]
pub struct Supervisor {
    tasks: Vec<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts them.
    pub fn start(engine: &Arc<Engine>, services: Vec<Box<dyn Service>>) -> Self {
        let start = |service| tokio::spawn(watch(Arc::downgrade(engine), service));
        Self { tasks: services.into_iter().map(start).collect() }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn watch(engine: Weak<Engine>, service: Box<dyn Service>) {
    let wake = engine.upgrade().and_then(|engine| service.wakes(&engine));
    loop {
        rest(service.interval(), wake.as_deref()).await;
        let Some(engine) = engine.upgrade() else { return };
        if service.whose() == Whose::Leader && !engine.leads() {
            continue;
        }
        if run(&engine, service.as_ref()).await == Next::End {
            return;
        }
    }
}

/// A ring that is lost costs time, never work.
async fn rest(interval: Duration, wake: Option<&Notify>) {
    let Some(wake) = wake else { return tokio::time::sleep(interval).await };
    tokio::select! {
        () = tokio::time::sleep(interval) => {}
        () = wake.notified() => {}
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Rest,
    End,
}

async fn run(engine: &Engine, service: &dyn Service) -> Next {
    loop {
        match service.run_once(engine).await {
            Ok(Ran::More) => {}
            Ok(Ran::Done) => return Next::Rest,
            Err(refusal) if refusal.code == tiltyard_model::refusal::Code::ShuttingDown => return Next::End,
            Err(refusal) if refusal.kind() == Kind::Overloaded => return Next::Rest,
            Err(refusal) => {
                tracing::error!(target: "scheduler", service = service.name(), "{refusal}");
                return Next::Rest;
            }
        }
    }
}

/// Whether a run that did `count` of at most `limit` has more to do.
fn more(count: usize, limit: usize) -> Ran {
    if count >= limit { Ran::More } else { Ran::Done }
}
