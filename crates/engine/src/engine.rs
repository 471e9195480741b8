//! The engine as the floor above sees it: one door, a few readers, the services beside them.

use crate::act::{Act, Pass};
use crate::audit::refused::{self, Refusals};
use crate::audit::verify::Broken;
use crate::clock::Clock;
use crate::custody::{self, Custody, Own};
use crate::damage::Damage;
use crate::door::begin::{Begun, begin};
use crate::door::{Door, OnBroken, Parts, Urgency, Waiting, Witness};
use crate::event::{Filter, Follower, Slow, Start, Tail, tail};
use crate::memory::letter::Limit;
use crate::memory::ready::Want;
use crate::once;
use crate::outgoing::{Nowhere, Outgoing};
use crate::pipeline::known::Definitions;
use crate::readers::Readers;
use crate::reserve::Reserve;
use crate::share::{Post, Sharing, Waking};
use crate::token::Tokens;
use parking_lot::{Mutex, MutexGuard};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{DEFAULT_SCOPE, SYSTEM_SCOPE};
use tiltyard_model::run::Part;
use tiltyard_model::scope::Scope;
use tiltyard_model::secret::Secret;
use tiltyard_store::blob::Blobs;
use tiltyard_store::depot::{self, Depot};
use tiltyard_store::log::Logs;
use tiltyard_store::sqlite::Durability;
use tiltyard_store::store::Options as Which;
use tiltyard_store::{Rows, Store, postgres, sqlite};

/// How to open an engine.
pub struct Options {
    /// The data folder; it must exist. An embedded store lies in it.
    pub folder: PathBuf,
    /// How the store is shared with other servers; `None` for an embedded one.
    pub sharing: Option<Sharing>,
    /// Where artifacts and logs lie.
    pub bytes: Bytes,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Where time comes from.
    pub clock: Clock,
    /// New work beyond so many waiting deeds is turned away (E7).
    pub max_queued: usize,
    /// Called once when the store can no longer be trusted: the program must end with code 5 (E2).
    pub on_broken: OnBroken,
    /// Makes the calls of runs to other places.
    pub outgoing: Arc<dyn Outgoing>,
    /// Whoever wants to see the journal; nobody, for a store that is not shared.
    pub witness: Option<Witness>,
}

impl Options {
    /// The defaults, for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            sharing: None,
            bytes: Bytes::default(),
            durability: Durability::Full,
            clock: Clock::system(),
            max_queued: DEFAULT_MAX_QUEUED_INTENTS,
            on_broken: Box::new(|_| {}),
            outgoing: Arc::new(Nowhere),
            witness: None,
        }
    }
}

/// Where artifacts and logs lie.
#[derive(Debug, Clone, Default)]
pub struct Bytes {
    /// The place.
    pub address: depot::Address,
    /// How to reach a bucket: the variables `AWS_…` by their names.
    pub access: Vec<(String, Secret<String>)>,
}

/// Deeds that may wait for the disk, when no setting says otherwise.
pub const DEFAULT_MAX_QUEUED_INTENTS: usize = 20_000;

/// Why an engine does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] tiltyard_store::Error),
    /// The bytes beside the store are those of another one.
    #[error("{0}")]
    Foreign(String),
    /// The system gives no thread or no randomness.
    #[error("the system refuses what the server needs: {0}")]
    System(String),
    /// The first deeds were refused.
    #[error("the store cannot be made ready: {0}")]
    Refused(#[from] Refusal),
}

/// The engine. Dropping it closes the door; [`Engine::close`] also waits for it.
pub struct Engine {
    door: Door,
    store: Arc<Store>,
    readers: Readers,
    clock: Clock,
    post: Option<Post>,
    tokens: Tokens,
    letters: Limit,
    tail: Tail,
    _tail: tail::Running,
    _waking: Option<Waking>,
    once: once::Running,
    definitions: Arc<Definitions>,
    /// The last part of a run that was looked at, where those before it have to wait.
    looked_at: Mutex<Option<(i64, Part)>>,
    refusals: Refusals,
    broken_chains: Vec<Broken>,
    folder: PathBuf,
    depot: Depot,
    custody: Custody,
    damage: Damage,
    outgoing: Arc<dyn Outgoing>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the store and everything that stands on it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When another server has the folder, the store is newer than the program, or the disk does not work.
    pub async fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let engine = Arc::new(Self::assembled(options).await?);
        engine.enter(Pass::system(), Urgency::Urgent, found).await?;
        engine.report().await?;
        Ok(engine)
    }

    /// What lies elsewhere blocks while it is opened.
    async fn assembled(options: Options) -> Result<Self, OpenError> {
        if options.sharing.is_none() && options.bytes.address == depot::Address::Own {
            return Self::assemble(options);
        }
        let work = tokio::task::spawn_blocking(move || Self::assemble(options)).await;
        work.map_err(|error| OpenError::System(error.to_string()))?
    }

    fn assemble(options: Options) -> Result<Self, OpenError> {
        let mut seed = [0; 16];
        getrandom::fill(&mut seed).map_err(|error| OpenError::System(error.to_string()))?;
        let (store, writer) = Store::open(&which(&options, seed))?;
        let depot = Depot::open(&place(&options, seed))?;
        let mark = depot.mark()?;
        let Begun { memory, clock, line, post, broken_chains } =
            begin(&writer, &options.clock, options.sharing.as_ref(), &options.folder)?;
        let custody = custody::settle(&depot, mark.as_ref(), own(&store, memory.last_seq))?;
        if store.is_shared() && !depot.is_shared() {
            tracing::warn!(target: "store", "artifacts and logs lie in the data folder of this server: before a second server shares the store, set `shared.blobs` to a folder or a bucket that all of them reach");
        }
        let (tokens, letters) = (memory.tokens.clone(), memory.letters.limit.clone());
        let readers = Readers::open(&store)?;
        let parts = Parts {
            writer,
            memory,
            clock: clock.clone(),
            epoch: store.epoch(),
            max_queued: options.max_queued,
            on_broken: options.on_broken,
            reserve: Reserve::of(&options.folder),
            witness: options.witness,
            line,
        };
        let (door, thread) = Door::open(parts).map_err(|error| OpenError::System(error.to_string()))?;
        let thread = Mutex::new(Some(thread));
        let (tail, running) = Tail::start(store.reader()?, door.bell().clone());
        let polls = options.sharing.as_ref().is_none_or(|sharing| sharing.poll_only);
        let wakes = if polls { None } else { store.wakes() };
        Ok(Self {
            _waking: wakes.map(|wakes| Waking::start(wakes, door.clone())),
            door,
            store: Arc::new(store),
            readers,
            clock,
            post,
            tokens,
            letters,
            tail,
            _tail: running,
            once: once::Running::default(),
            definitions: Arc::default(),
            looked_at: Mutex::default(),
            refusals: Refusals::default(),
            broken_chains,
            folder: options.folder,
            depot,
            custody,
            damage: Damage::default(),
            outgoing: options.outgoing,
            thread,
        })
    }

    /// Does a deed and answers after its commit.
    ///
    /// # Errors
    /// What the deed says; 503 when too much waits, the server ends, or the store is broken.
    pub async fn enter<T: Send + 'static>(
        &self,
        pass: Pass,
        urgency: Urgency,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.door.enter(pass, urgency, deed).await
    }

    /// Does a deed that may find nothing to do yet.
    ///
    /// # Errors
    /// 503 when too much waits or the server ends.
    pub fn wait<T: Send + 'static>(
        &self,
        pass: Pass,
        deed: impl FnMut(&mut Act<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
        lost: impl FnOnce(&mut Act<'_>, T) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Waiting<T>, Refusal> {
        self.door.wait(pass, None, deed, lost)
    }

    /// The same for somebody whom queues may choose among others (D6).
    ///
    /// # Errors
    /// 503 when too much waits or the server ends.
    pub fn wait_as<T: Send + 'static>(
        &self,
        pass: Pass,
        asker: Option<Want>,
        deed: impl FnMut(&mut Act<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
        lost: impl FnOnce(&mut Act<'_>, T) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Waiting<T>, Refusal> {
        self.door.wait(pass, asker, deed, lost)
    }

    /// Reads from one moment of the store.
    ///
    /// # Errors
    /// What `read` says; 503 when too many reads wait.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.readers.read(read).await
    }

    /// The door.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Definitions of pipelines that were read not long ago.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }

    /// Behind which part of a run the next look for what is to begin goes on.
    pub(crate) fn looked_at(&self) -> MutexGuard<'_, Option<(i64, Part)>> {
        self.looked_at.lock()
    }

    /// The version of the store's library.
    pub fn store_version(&self) -> &str {
        self.store.version()
    }

    /// Bytes of the store, and of its write-ahead log where it has one of its own.
    ///
    /// # Errors
    /// When a shared store does not answer.
    pub async fn store_bytes(&self) -> Result<(u64, u64), Refusal> {
        match self.store.file_sizes() {
            Some(sizes) => Ok(sizes),
            None => {
                let size = |rows: &Rows| postgres::size(rows).map_err(crate::act::refusal_of);
                self.read(size).await.map(|bytes| (bytes, 0))
            }
        }
    }

    /// This server among those that share the store; `None` where there is only one.
    pub(crate) fn post(&self) -> Option<&Post> {
        self.post.as_ref()
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Who calls with which token, without a look into the store.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Follows the log from `start`, with events that pass any of the filters.
    ///
    /// # Errors
    /// 410 `cursor_compacted` or `epoch_changed` for a cursor that cannot be followed; 503 when too many reads wait.
    pub async fn follow(&self, start: Start, filters: Vec<Filter>, slow: Slow) -> Result<Follower, Refusal> {
        Follower::start(&self.tail, &self.readers, self.store.epoch(), start, filters, slow).await
    }

    /// How many dead letters a scope keeps.
    pub fn letters(&self) -> &Limit {
        &self.letters
    }

    /// The newest events, for those who follow.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Refused calls of the present minute.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Audit chains whose end was not whole when the server started.
    pub fn broken_chains(&self) -> &[Broken] {
        &self.broken_chains
    }

    /// Requests with an `Idempotency-Key` that are under way.
    pub fn once(&self) -> &once::Running {
        &self.once
    }

    /// The bytes of artifacts.
    pub fn blobs(&self) -> &Blobs {
        self.depot.blobs()
    }

    /// The logs of attempts.
    pub fn logs(&self) -> &Logs {
        self.depot.logs()
    }

    /// Who makes the calls of runs to other places.
    pub fn outgoing(&self) -> &Arc<dyn Outgoing> {
        &self.outgoing
    }

    pub(crate) fn own_depot(&self) -> &Depot {
        &self.depot
    }

    pub(crate) fn damage(&self) -> &Damage {
        &self.damage
    }

    pub(crate) fn custody(&self) -> &Custody {
        &self.custody
    }

    /// Which store its bytes are to belong to, as somebody knows who has read an event with the number `last`.
    pub(crate) fn own_bytes(&self, last: i64) -> Own {
        own(&self.store, last.max(self.door.bell().last_seq()))
    }

    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Takes no more, finishes what waits, and ends the door's thread.
    ///
    /// # Errors
    /// When the thread cannot be waited for.
    pub async fn close(&self) -> Result<(), Refusal> {
        if let Err(refusal) = refused::write_all(self).await {
            tracing::warn!(target: "security", "counts of refused calls are not on record: {refusal}");
        }
        if let Err(refusal) = self.leave().await {
            tracing::warn!(target: "store", "the other servers will notice that this one has gone: {refusal}");
        }
        self.door.close();
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refusal::new(Code::Internal, "the door's thread did not end in order")),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.door.close();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the door was logged when it happened.
            let _ = thread.join();
        }
    }
}

/// Where artifacts and logs lie.
fn place(options: &Options, seed: [u8; 16]) -> depot::Options {
    let Bytes { address, access } = options.bytes.clone();
    let instance = format!("{:032x}", u128::from_le_bytes(seed));
    depot::Options { address, access, data: options.folder.clone(), instance }
}

fn own(store: &Store, seq: i64) -> Own {
    let (store, epoch, durability) = (store.forge().identity(), store.epoch(), store.durability());
    Own { store, epoch, seq, durability }
}

/// Which store to open.
fn which(options: &Options, seed: [u8; 16]) -> Which {
    let durability = options.durability;
    match &options.sharing {
        Some(sharing) => {
            let sessions = sharing.sessions();
            Which::Shared(postgres::Options {
                durability,
                sessions,
                ..postgres::Options::new(&sharing.url, seed)
            })
        }
        None => {
            let (folder, now) = (options.folder.clone(), options.clock.now().wall);
            Which::Embedded(sqlite::Options { folder, durability, seed, now })
        }
    }
}

/// What every store has from its first moment.
fn found(act: &mut Act<'_>) -> Result<(), Refusal> {
    for (name, description) in [(SYSTEM_SCOPE, "the store itself"), (DEFAULT_SCOPE, "")] {
        if act.memory.names.scope_key(name).is_none() {
            let scope = Scope {
                name: name.to_owned(),
                description: description.to_owned(),
                created_at: act.now.wall,
            };
            let key = tiltyard_store::name::put_scope(act.tx, &scope).map_err(crate::act::refusal_of)?;
            act.memory.know_scope(key, scope, 0);
        }
    }
    Ok(())
}
