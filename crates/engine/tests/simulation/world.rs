//! The world: an engine on a folder, a clock, and what the world outside remembers. Beside the engine's memory stands
//! another one that knows only the journal, as on another server.

use crate::chance::Chance;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tiltyard_engine::act::{Act, refusal_of};
use tiltyard_engine::clock::{Clock, VirtualClock};
use tiltyard_engine::door::Witness;
use tiltyard_engine::journal::{self, Page};
use tiltyard_engine::memory::Memory;
use tiltyard_engine::memory::boot::rebuild;
use tiltyard_engine::task::heartbeat::Standing;
use tiltyard_engine::{Engine, Options, Pass, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::sqlite::Durability;

/// When every world begins.
pub(crate) const START: i64 = 1_790_000_000_000;

pub(crate) struct World {
    pub(crate) engine: Option<Arc<Engine>>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) chance: Chance,
    folder: TempDir,
    /// Every task whose submission was acknowledged.
    pub(crate) tasks: Vec<Id>,
    /// Leases that agents believe to hold: task, generation, agent, instance.
    pub(crate) held: Vec<(Id, i64, usize, usize)>,
    /// Programs that run on some machine with the key that lets few run at once: task, generation, agent.
    pub(crate) programs: Vec<(Id, i64, usize)>,
    /// The present process of each agent.
    pub(crate) instances: [usize; 3],
    /// Settles that were accepted, not replayed.
    pub(crate) accepted: HashSet<(Id, i64)>,
    /// The highest generation that was handed out.
    pub(crate) generations: HashMap<Id, i64>,
    /// Tokens and their texts.
    pub(crate) tokens: Vec<(Id, String)>,
    /// Runs that were started.
    pub(crate) runs: Vec<Id>,
    /// Whether the server dies now and then.
    pub(crate) restarts: bool,
    /// The memory of another server.
    pub(crate) other: Memory,
    /// The journal, as far as the other server has not read it.
    pages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = VirtualClock::at(START);
        let mut world = Self {
            engine: None,
            clock,
            chance: Chance(seed),
            folder,
            tasks: Vec::new(),
            held: Vec::new(),
            programs: Vec::new(),
            instances: [0; 3],
            accepted: HashSet::new(),
            generations: HashMap::new(),
            tokens: Vec::new(),
            runs: Vec::new(),
            restarts: true,
            other: Memory::default(),
            pages: Arc::default(),
        };
        world.open().await;
        world
    }

    async fn open(&mut self) {
        let options = Options {
            clock: Clock::Virtual(Arc::clone(&self.clock)),
            durability: Durability::Relaxed,
            witness: Some(self.witness()),
            ..Options::new(self.folder.path())
        };
        self.engine = Some(Engine::open(options).await.expect("opens"));
    }

    fn witness(&self) -> Witness {
        let pages = Arc::clone(&self.pages);
        Box::new(move |page| pages.lock().expect("a lock").push(page.to_vec()))
    }

    /// What the journal has grown by since somebody looked.
    pub(crate) fn new_pages(&self) -> Vec<Page> {
        let pages = std::mem::take(&mut *self.pages.lock().expect("a lock"));
        pages.iter().map(|page| journal::read(page).expect("is a page")).collect()
    }

    /// The other server reads the journal.
    pub(crate) fn catch_up(&mut self) {
        for page in self.new_pages() {
            self.other.catch_up(page).expect("follows on");
        }
    }

    /// The other server begins with the rows as well.
    async fn join(&mut self) {
        let now = Clock::Virtual(Arc::clone(&self.clock)).now();
        let engine = self.engine.as_ref().expect("an engine");
        let read = move |rows: &tiltyard_store::Rows| rebuild(rows, now).map_err(refusal_of);
        self.other = engine.read(read).await.expect("rebuilds");
        self.new_pages();
    }

    /// The time on the wall.
    pub(crate) fn now(&self) -> i64 {
        Clock::Virtual(Arc::clone(&self.clock)).now().wall
    }

    /// The server is killed in the middle of its life and comes back: it has what is on disk, and closed nothing.
    pub(crate) async fn kill(&mut self) {
        let left = TempDir::new().expect("a folder");
        for name in ["tiltyard.db", "tiltyard.db-wal"] {
            std::fs::copy(self.folder.path().join(name), left.path().join(name)).expect("is copied");
        }
        let killed = self.engine.take().expect("an engine");
        killed.close().await.expect("what it does now is of another world");
        drop(killed);
        self.folder = left;
        self.open().await;
        self.join().await;
    }

    /// A program has ended.
    pub(crate) fn over(&mut self, id: Id, generation: i64) {
        self.programs.retain(|(of, number, _)| (*of, *number) != (id, generation));
    }

    /// An agent ends what it was told to drop.
    pub(crate) fn drops(&mut self, standing: &Standing) {
        for (dropped, _) in &standing.drop {
            self.held.retain(|(id, generation, _, _)| (*id, *generation) != (dropped.id, dropped.generation));
            self.over(dropped.id, dropped.generation);
        }
    }

    /// The server ends and comes back: its memory is gone, the store is not.
    pub(crate) async fn restart(&mut self) {
        let engine = self.engine.take().expect("an engine");
        engine.close().await.expect("closes");
        drop(engine);
        self.open().await;
        self.join().await;
    }

    pub(crate) async fn act<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Code> {
        let engine = self.engine.as_ref().expect("an engine");
        engine.enter(Pass::system(), Urgency::Normal, deed).await.map_err(|refusal| {
            assert_ne!(refusal.code, Code::Internal, "a fault of ours: {refusal}");
            refusal.code
        })
    }

    pub(crate) fn any_task(&mut self) -> Option<Id> {
        self.chance.of(&self.tasks)
    }
}
