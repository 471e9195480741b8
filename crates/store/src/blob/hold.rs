//! Who is about to name a blob. Between the file and the row that names it, nothing but a hold says that the file is
//! wanted.

use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a blob between its file and its row.
#[derive(Debug, Default)]
struct Known {
    /// How many hold it.
    held: usize,
    /// The number of the last doubt; a hold ends it.
    doubt: Option<u64>,
    /// It is being removed: whoever wants it waits until that is over, and then puts it there anew.
    ends: bool,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    known: HashMap<String, Known>,
}

/// All holds of this server: one each upload under way, so the connections limit them.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<All>);

#[derive(Debug, Default)]
struct All {
    state: Mutex<State>,
    removed: Condvar,
}

impl Holds {
    /// Holds a blob; a doubt that others have comes to nothing. Blocks while it is being removed.
    pub(super) fn hold(&self, sha256: &str) -> Hold {
        let mut state = self.0.state.lock();
        while state.known.get(sha256).is_some_and(|known| known.ends) {
            self.0.removed.wait(&mut state);
        }
        let known = state.known.entry(sha256.to_owned()).or_default();
        known.held += 1;
        known.doubt = None;
        Hold { holds: self.clone(), sha256: sha256.to_owned() }
    }

    /// Doubts that a blob is wanted; `None` when somebody holds it. A later doubt takes the place of an earlier one.
    pub(super) fn doubt(&self, sha256: &str) -> Option<Doubt> {
        let mut state = self.0.state.lock();
        state.last += 1;
        let number = state.last;
        let known = state.known.entry(sha256.to_owned()).or_default();
        if known.held > 0 || known.ends {
            return None;
        }
        known.doubt = Some(number);
        Some(Doubt { holds: self.clone(), sha256: sha256.to_owned(), number })
    }
}

/// Somebody is about to name a blob, for as long as this lives.
#[derive(Debug)]
pub(super) struct Hold {
    holds: Holds,
    sha256: String,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.holds.0.state.lock();
        if let Some(known) = state.known.get_mut(&self.sha256) {
            known.held -= 1;
            if known.held == 0 {
                state.known.remove(&self.sha256);
            }
        }
    }
}

/// A doubt, until it is settled or dropped.
#[derive(Debug)]
pub(super) struct Doubt {
    holds: Holds,
    sha256: String,
    number: u64,
}

impl Doubt {
    /// Does it, unless somebody has come to hold the blob: nobody can while it is done.
    pub(super) fn settle<T>(self, act: impl FnOnce() -> T) -> Option<T> {
        if !self.begin() {
            return None;
        }
        // What others hold goes on meanwhile: it may take as long as a bucket takes.
        Some(act())
    }

    fn begin(&self) -> bool {
        let mut state = self.holds.0.state.lock();
        let known = state.known.get_mut(&self.sha256);
        let stands = known.filter(|known| known.doubt == Some(self.number));
        stands.map(|known| known.ends = true).is_some()
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let mut state = self.holds.0.state.lock();
        let own = state.known.get(&self.sha256).is_some_and(|known| known.doubt == Some(self.number));
        if own {
            state.known.remove(&self.sha256);
            self.holds.0.removed.notify_all();
        }
    }
}
