//! Connections that only read, a few of them, apart from the door's.

use crate::act::refusal_of;
use parking_lot::Mutex;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Reader;
/// A reading connection, at one moment of the store.
pub use tiltyard_store::Rows;
use tiltyard_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many reads run at once; more wait their turn.
const READERS: usize = 4;
/// How many reads may wait; more are turned away.
const MAX_WAITING_READS: usize = 4_096;

/// The readers.
#[derive(Clone)]
pub struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Readers {
    /// Opens them.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(store: &Store) -> tiltyard_store::Result<Self> {
        let readers = (0..READERS).map(|_| store.reader()).collect::<tiltyard_store::Result<Vec<_>>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(readers)),
            places: Arc::new(Semaphore::new(READERS)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING_READS)),
        })
    }

    /// Reads from one moment of the store, off the asynchronous threads.
    ///
    /// # Errors
    /// What `read` says; 503 when too many reads wait.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _waiting = self.waiting.try_acquire().map_err(|_| too_many())?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| too_many())?;
        let mut lent = Lent::take(&self.idle, place)?;
        let work = tokio::task::spawn_blocking(move || {
            let found = lent.reader().read(|rows| read(rows).map_err(Failure::Refused));
            found.map_err(Failure::into_refusal)
        });
        // Who goes away meanwhile leaves the read to itself: it has its own limit.
        work.await
            .unwrap_or_else(|error| Err(Refusal::new(Code::Internal, format!("a read broke off: {error}"))))
    }
}

/// A reader at work; it comes back whatever happens to the read.
struct Lent {
    reader: Option<Reader>,
    idle: Arc<Mutex<Vec<Reader>>>,
    /// Free again after the reader is back.
    _place: OwnedSemaphorePermit,
}

impl Lent {
    fn take(idle: &Arc<Mutex<Vec<Reader>>>, place: OwnedSemaphorePermit) -> Result<Self, Refusal> {
        let reader = Some(idle.lock().pop().ok_or_else(too_many)?);
        Ok(Self { reader, idle: Arc::clone(idle), _place: place })
    }

    fn reader(&mut self) -> &mut Reader {
        self.reader.as_mut().expect("a reader is lent until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.idle.lock().extend(self.reader.take());
    }
}

/// A read fails by its own word, or by the store's.
enum Failure {
    Refused(Refusal),
    Store(tiltyard_store::Error),
}

impl From<tiltyard_store::Error> for Failure {
    fn from(error: tiltyard_store::Error) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Store(error) => refusal_of(error),
        }
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::Overloaded, "too many reads wait already: try again in a moment").retry_after(1_000)
}
