//! Whose bytes lie beside the store, and whether those that no row names may be removed. A server that was pointed at another
//! database, or at an older copy of its own, would take every byte for garbage.

use crate::act::refusal_of;
use crate::{Engine, OpenError};
use parking_lot::Mutex;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{DurationMs, MINUTE_MS};
use tiltyard_store::depot::{Depot, Mark};
use tiltyard_store::event;
use tiltyard_store::sqlite::Durability;

/// So long a look at the mark is good for.
const LOOK_EVERY_MS: DurationMs = MINUTE_MS;

/// What the mark said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// They are this store's; the mark is to say this from now on.
    Ours(Mark),
    /// They are another store's.
    Foreign,
    /// This is an older copy of their store: the mark is to hold everything.
    Older(Mark),
    /// Nothing is removed until a person has looked.
    Held,
}

/// Compares what lies there with what this store is.
fn judge(found: Option<&Mark>, own: Mark) -> Verdict {
    let Some(found) = found else { return Verdict::Ours(own) };
    if found.store != own.store {
        return Verdict::Foreign;
    }
    if found.held {
        return Verdict::Held;
    }
    // A restore is an epoch of its own, and somebody wanted it (E9).
    if own.epoch < found.epoch || (own.epoch == found.epoch && own.seq < found.seq) {
        return Verdict::Older(Mark { held: true, ..found.clone() });
    }
    Verdict::Ours(own)
}

/// What is known of the bytes.
#[derive(Debug, Default)]
pub(crate) struct Custody(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Why nothing is removed.
    held: Option<String>,
    /// On the steady clock: until then the last look is good.
    good_until: DurationMs,
}

/// Which store looks.
pub(crate) struct Own {
    pub(crate) store: String,
    pub(crate) epoch: i64,
    /// Its newest event, read after the mark was.
    pub(crate) seq: i64,
    /// Whether a power cut leaves that event where it is.
    pub(crate) durability: Durability,
}

/// Judges what the mark said, and writes it anew where that is due. The mark is read before the store is, because another server
/// may write both meanwhile. Blocks.
///
/// # Errors
/// When the place does not answer; [`OpenError::Foreign`] for the bytes of another store.
pub(crate) fn settle(depot: &Depot, found: Option<&Mark>, own: Own) -> Result<Custody, OpenError> {
    let Own { store, epoch, seq, durability } = own;
    let custody = Custody::default();
    match judge(found, Mark { store, epoch, seq, held: false }) {
        Verdict::Ours(mark) => {
            let mark = if durability == Durability::Full { mark } else { Mark { seq: 0, ..mark } };
            if found != Some(&mark) {
                depot.set_mark(&mark)?;
            }
        }
        Verdict::Foreign => return Err(OpenError::Foreign(foreign(depot))),
        Verdict::Older(mark) => {
            depot.set_mark(&mark)?;
            custody.hold(held(depot));
        }
        Verdict::Held => custody.hold(held(depot)),
    }
    Ok(custody)
}

fn foreign(depot: &Depot) -> String {
    format!(
        "the artifacts and logs in {} are those of another store: name their own database in `store`, or another place in \
         `shared.blobs`. If they are to be this store's from now on, which removes what its rows do not name, remove {} first",
        depot.address(),
        depot.mark_place()
    )
}

fn held(depot: &Depot) -> String {
    format!(
        "the database is older than the artifacts and logs in {}, or was: nothing of them is removed. Name the right database in \
         `store`; if this one is right, remove {}",
        depot.address(),
        depot.mark_place()
    )
}

impl Custody {
    fn hold(&self, why: String) {
        let mut known = self.0.lock();
        if known.held.as_ref() != Some(&why) {
            tracing::error!(target: "store", "{why}");
        }
        known.held = Some(why);
    }

    fn release(&self, good_until: DurationMs) {
        *self.0.lock() = Known { held: None, good_until };
    }
}

impl Engine {
    /// Why no bytes are removed, where they may be another time line's.
    pub fn held_bytes(&self) -> Option<String> {
        self.custody().0.lock().held.clone()
    }

    /// Where artifacts and logs lie, as settings say it, and whether other servers see them.
    pub fn depot(&self) -> &Depot {
        self.own_depot()
    }

    /// Other servers of the store that do not see the bytes of this one; 0 where that is as it should be.
    pub fn servers_without_bytes(&self) -> usize {
        if self.depot().is_shared() { 0 } else { self.other_servers() }
    }

    /// Whether bytes that no row names may be removed now: by whom, and from where.
    ///
    /// # Errors
    /// When the place does not answer.
    pub(crate) async fn may_remove_bytes(&self) -> Result<bool, Refusal> {
        if self.depot().is_shared() && !self.leads() {
            return Ok(false);
        }
        let now = self.clock().now().steady;
        let is_good = |known: &Known| known.held.is_none() && now < known.good_until;
        if is_good(&self.custody().0.lock()) {
            return Ok(true);
        }
        let broken_off = |error: tokio::task::JoinError| Refusal::new(Code::Internal, error.to_string());
        let depot = self.depot().clone();
        let found = tokio::task::spawn_blocking(move || depot.mark()).await;
        let found = found.map_err(broken_off)?.map_err(refusal_of)?;
        let (_, last) = self.read(|rows| event::bounds(rows).map_err(refusal_of)).await?;
        let (depot, own) = (self.depot().clone(), self.own_bytes(last));
        let settled = tokio::task::spawn_blocking(move || settle(&depot, found.as_ref(), own))
            .await
            .map_err(broken_off)?;
        match settled.map(|custody| custody.0.into_inner().held) {
            Ok(None) => self.custody().release(now + LOOK_EVERY_MS),
            Ok(Some(why)) | Err(OpenError::Foreign(why)) => self.custody().hold(why),
            Err(OpenError::Store(error)) => return Err(refusal_of(error)),
            Err(error) => return Err(Refusal::new(Code::Internal, error.to_string())),
        }
        Ok(self.held_bytes().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(store: &str, epoch: i64, seq: i64) -> Mark {
        Mark { store: store.to_owned(), epoch, seq, held: false }
    }

    // O16, O17: bytes are removed only by the store whose rows name them, and never by an older copy of it.
    #[test]
    fn o16_bytes_are_judged_by_whose_they_are() {
        let own = mark("a", 2, 10);
        let judged = |found: Option<Mark>| judge(found.as_ref(), own.clone());
        assert_eq!(judged(None), Verdict::Ours(own.clone()));
        assert_eq!(judged(Some(mark("a", 2, 10))), Verdict::Ours(own.clone()));
        assert_eq!(judged(Some(mark("a", 1, 99))), Verdict::Ours(own.clone()), "a restore is wanted");
        assert_eq!(judged(Some(mark("b", 2, 10))), Verdict::Foreign);
        let older = Mark { held: true, ..mark("a", 2, 11) };
        assert_eq!(judged(Some(mark("a", 2, 11))), Verdict::Older(older.clone()));
        assert_eq!(judged(Some(Mark { seq: 0, ..older })), Verdict::Held, "also when it has caught up");
        assert!(matches!(judged(Some(mark("a", 3, 1))), Verdict::Older(_)));
    }
}
