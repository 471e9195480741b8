//! The journal: what a transaction of one server did to its memory, and what the world must be told, as one page that
//! every other server reads (decision 5).
//!
//! A page is a byte for its version, then, in the form of postcard (<https://postcard.jamesmunns.com/wire-format>), the
//! last seq of the log after the transaction, the effects, and the steps one after the other to the end.

use crate::act::Effect;
use crate::memory::step::Step;
use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// The version of the pages that are written. Whatever changes their form raises it (a test holds the form), and so does a step
/// of the schema that servers of the version before cannot live with: who meets a page of a greater version hands over.
pub const VERSION: u8 = 6;

/// What a page tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The last seq of the log after the transaction.
    pub last_seq: i64,
    /// What the world must be told; whoever has the agent or the stream does it.
    pub effects: Vec<Effect>,
    /// What happened to memory, in order.
    pub steps: Vec<Step>,
}

/// A step or an effect has no written form: a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what happened cannot be written into the journal: {0}")]
pub struct Unwritable(String);

/// A page cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer program wrote it, and with it took over: this one can only hand over and end.
    #[error(
        "a newer program serves this store (the journal has a page of version {found}, this program reads version {known}): \
         stop this server and start the newer program in its place"
    )]
    Newer {
        /// The page's.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// An older program wrote it: what it did stands in the rows.
    #[error(
        "an older program wrote a page of version {found} into the journal, this one reads version {known}"
    )]
    Older {
        /// The page's.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// It is not whole.
    #[error("a page of the journal is not whole: {0}")]
    Torn(String),
}

/// Puts what is serialised behind what a vector holds.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes a thing behind others.
///
/// # Errors
/// When it has no written form.
pub(crate) fn write(thing: &impl Serialize, bytes: &mut Vec<u8>) -> Result<(), Unwritable> {
    let before = bytes.len();
    postcard::serialize_with_flavor(thing, Behind(bytes)).map_err(|error| {
        bytes.truncate(before);
        Unwritable(error.to_string())
    })
}

/// A page of steps that are written already.
///
/// # Errors
/// When an effect has no written form.
pub(crate) fn page(last_seq: i64, effects: &[&Effect], steps: &[u8]) -> Result<Vec<u8>, Unwritable> {
    let mut bytes = Vec::with_capacity(steps.len() + 16);
    bytes.push(VERSION);
    write(&(last_seq, effects), &mut bytes)?;
    bytes.extend_from_slice(steps);
    Ok(bytes)
}

/// Whether somebody newer wrote the page, whatever is in it.
///
/// # Errors
/// [`Unreadable::Newer`].
pub fn refuse_newer(page: &[u8]) -> Result<(), Unreadable> {
    match page.first() {
        Some(&found) if found > VERSION => Err(Unreadable::Newer { found, known: VERSION }),
        _ => Ok(()),
    }
}

/// Reads a page.
///
/// # Errors
/// [`Unreadable`] for a page of another version, or one that is not whole.
pub fn read(page: &[u8]) -> Result<Page, Unreadable> {
    let torn = |error: postcard::Error| Unreadable::Torn(error.to_string());
    match page.split_first() {
        Some((&VERSION, rest)) => {
            let ((last_seq, effects), mut rest) = postcard::take_from_bytes(rest).map_err(torn)?;
            let mut steps = Vec::new();
            while !rest.is_empty() {
                let step;
                (step, rest) = postcard::take_from_bytes(rest).map_err(torn)?;
                steps.push(step);
            }
            Ok(Page { last_seq, effects, steps })
        }
        Some((&found, _)) if found > VERSION => Err(Unreadable::Newer { found, known: VERSION }),
        Some((&found, _)) => Err(Unreadable::Older { found, known: VERSION }),
        None => Err(Unreadable::Torn("it is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests;
