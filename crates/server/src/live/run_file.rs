//! `runs/<id>/events.jsonl` in the data folder (D25): the events of each run as a file, for whoever looks with the tools of a
//! machine. The log is the truth; a file that lacks its end, or is not there, is written from it.
//!
//! A follower hears which runs have something new, and lets each file catch up with the log. Nothing of it is synced: what a
//! crash takes away comes again, because the last line says how far a file is. Of servers that share a store the leader keeps the
//! files, in its own data folder.

mod file;

use crate::edge::stop::{Stage, Stop};
use file::{Files, Mark};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_engine::Engine;
use tiltyard_engine::event::{Filter, Follower, Slow, Start, Step, last};
use tiltyard_model::event::cursor::Cursor;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Events that are heard together at most, before files are written.
const MAX_HEARD: usize = 1_000;
/// How long more are waited for once there is one.
const GATHER: Duration = Duration::from_millis(50);
/// How long it rests after a fault, and before it looks again whether this server leads.
const REST: Duration = Duration::from_secs(1);
/// Events that are read together for one file.
const EVENTS_AT_ONCE: usize = 500;

/// The files of runs.
pub(crate) struct RunFiles {
    engine: Arc<Engine>,
    source: Arc<str>,
    files: Mutex<Files>,
}

impl RunFiles {
    /// Those of a data folder.
    pub(crate) fn new(engine: &Arc<Engine>, source: &Arc<str>) -> Arc<Self> {
        let files = Mutex::new(Files::new(engine.folder(), engine.store().epoch()));
        Arc::new(Self { engine: Arc::clone(engine), source: Arc::clone(source), files })
    }

    /// Lets the file of a run catch up with the log; makes it where it is not there.
    ///
    /// # Errors
    /// When the log cannot be read, or the file not written.
    pub(crate) async fn keep(self: &Arc<Self>, run: Id) -> Result<(), Refusal> {
        loop {
            let (own, of) = (Arc::clone(self), run);
            let seq = apart(move || own.files.lock().seq(of)).await?;
            let read = move |rows: &_| {
                let upto = last(rows)?;
                tiltyard_engine::event::of_run(rows, run, (seq, upto), EVENTS_AT_ONCE)
            };
            let events = self.engine.read(read).await?;
            if events.is_empty() {
                return Ok(());
            }
            let (own, source) = (Arc::clone(self), Arc::clone(&self.source));
            apart(move || own.files.lock().append(run, seq, &events, &source)).await?;
        }
    }

    /// Keeps the files until the server is to end: what is not written by then comes with its next start.
    pub(crate) async fn run(self: Arc<Self>, stop: Stop) {
        tokio::select! {
            () = self.go_on() => {}
            _ = stop.reached(Stage::Draining) => {}
        }
    }

    async fn go_on(self: &Arc<Self>) {
        loop {
            if self.engine.leads()
                && let Err(refusal) = self.follow().await
            {
                tracing::warn!(target: "events", "the files of runs are behind for now: {refusal}");
            }
            sleep(REST).await;
        }
    }

    /// Follows from the mark on, for as long as this server leads.
    async fn follow(self: &Arc<Self>) -> Result<(), Refusal> {
        let own = Arc::clone(self);
        let mark = apart(move || own.files.lock().mark()).await?;
        let newest = self.engine.read(last).await?;
        let start = match mark {
            Some(Mark { seq, .. }) if seq <= newest => Start::After(Cursor::Bare(seq)),
            _ => Start::After(Cursor::Oldest),
        };
        let filter = Filter { runs_only: true, ..Filter::default() };
        let mut follower = match self.engine.follow(start, vec![filter.clone()], Slow::CatchUp).await {
            Ok(follower) => follower,
            // What lies before the oldest that is kept is in the files already, or nowhere.
            Err(_) => self.engine.follow(Start::After(Cursor::Oldest), vec![filter], Slow::CatchUp).await?,
        };
        while self.engine.leads() {
            let Some((runs, seq)) = self.hear(&mut follower).await? else { continue };
            for run in runs {
                self.keep(run).await?;
            }
            let own = Arc::clone(self);
            apart(move || own.files.lock().set_mark(seq)).await?;
        }
        Ok(())
    }

    /// The runs of which something new is heard, and up to where; `None` where nothing was for a while.
    async fn hear(&self, follower: &mut Follower) -> Result<Option<(BTreeSet<Id>, i64)>, Refusal> {
        let (mut runs, mut seq) = (BTreeSet::new(), 0);
        let mut patience = REST;
        for _ in 0..MAX_HEARD {
            let Ok(step) = timeout(patience, follower.next()).await else { break };
            let Step::Event(event) = step? else { break };
            runs.extend(event.run);
            seq = event.seq;
            patience = GATHER;
        }
        Ok((!runs.is_empty()).then_some((runs, seq)))
    }
}

/// Whether files are kept here at all is no matter of a request: it asks, and goes on.
pub(crate) fn ask_for(files: &Arc<RunFiles>, run: Id) {
    if !files.engine.leads() {
        return;
    }
    let files = Arc::clone(files);
    tokio::spawn(async move {
        if let Err(refusal) = files.keep(run).await {
            tracing::warn!(target: "events", %run, "the file of a run is behind for now: {refusal}");
        }
    });
}

/// Work on the disk, off the asynchronous threads.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    use tiltyard_model::refusal::Code;
    let internal = |text: String| Refusal::new(Code::Internal, text);
    let done = spawn_blocking(work).await.map_err(|error| internal(error.to_string()))?;
    done.map_err(|error| internal(format!("a file of a run cannot be kept: {error}")))
}

/// Where the file of a run lies.
pub(crate) fn place(folder: &Path, run: Id) -> std::path::PathBuf {
    folder.join("runs").join(run.to_string()).join("events.jsonl")
}
