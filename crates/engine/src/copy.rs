//! A whole store moved into another kind of one (O16), with no server on either.

use crate::clock::Clock;
use crate::place::Place;
use tiltyard_store::copy::{self, Request};
use tiltyard_store::{Error, postgres};

pub use tiltyard_store::copy::{Left, Progress, Report, Table};

/// Why a store is not copied.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CopyError(#[from] Error);

impl CopyError {
    /// Whether a store itself is at fault: damaged, on a disk that fails, or without room.
    pub fn is_storage(&self) -> bool {
        self.0.is_storage()
    }
}

/// Copies a whole store into a place that is empty, or goes on with a copy that was interrupted; compares all of it at the
/// end. Before that no server opens what was copied. A folder must exist. Blocks, and must be called on a thread that may.
///
/// # Errors
/// A sentence that says why it cannot be done; it may be run again.
pub fn copy(
    from: &Place,
    to: &Place,
    left: Left,
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, CopyError> {
    let now = Clock::system().now().wall;
    let request = Request { from: place(from), to: place(to), left, now };
    Ok(copy::copy(&request, tell)?)
}

fn place(place: &Place) -> copy::Place {
    match place {
        Place::Folder(folder) => copy::Place::Folder(folder.clone()),
        // Nobody becomes a new store here: the ids are those of the one that is read.
        Place::Database(url) => {
            let sessions = postgres::Sessions::Mixed;
            copy::Place::Database(postgres::Options { sessions, ..postgres::Options::new(url, [0; 16]) })
        }
    }
}
