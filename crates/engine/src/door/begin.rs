//! What a door knows when it begins: memory made from the store, and where it stands among the servers of a shared one.

use super::line::Start;
use crate::OpenError;
use crate::audit::verify::{self, Broken};
use crate::clock::{Clock, SharedClock};
use crate::memory::Memory;
use crate::memory::boot::rebuild;
use crate::share::{Post, Sharing};
use std::sync::Arc;
use tiltyard_model::refusal::Refusal;
use tiltyard_store::{Rows, Writer};

/// What an engine knows when it begins.
pub(crate) struct Begun {
    pub(crate) memory: Memory,
    pub(crate) clock: Clock,
    pub(crate) line: Option<Start>,
    pub(crate) post: Option<Post>,
    pub(crate) broken_chains: Vec<Broken>,
}

/// Makes memory from the store: of a shared one with its lock, so that memory and journal are of one moment.
///
/// # Errors
/// When the store cannot be read, or the system gives no randomness.
pub(crate) fn begin(writer: &Writer, clock: &Clock, sharing: Option<&Sharing>) -> Result<Begun, OpenError> {
    let Some(sharing) = sharing else {
        let clock = clock.clone();
        let memory = rebuild(writer.tx(), clock.now())?;
        let broken_chains = ends_of_chains(writer.tx())?;
        return Ok(Begun { memory, clock, line: None, post: None, broken_chains });
    };
    let begun = writer.begin_after(i64::MAX)?;
    let (clock, shared) = match clock {
        Clock::Virtual(_) => (clock.clone(), None),
        _ => {
            let shared = SharedClock::at(begun.now.unwrap_or_default());
            (Clock::Shared(Arc::clone(&shared)), Some(shared))
        }
    };
    let memory = rebuild(writer.tx(), clock.now())?;
    let broken_chains = ends_of_chains(writer.tx())?;
    writer.rollback()?;
    let post = Post::new(sharing)?;
    let line = Start {
        server: post.word(),
        clock: shared,
        seen: begun.head,
        incarnation: begun.incarnation,
        look_every: sharing.look_every(),
    };
    Ok(Begun { memory, clock, line: Some(line), post: Some(post), broken_chains })
}

/// Looks at the ends of the audit chains; what is wrong with them is told, and the server serves all the same.
fn ends_of_chains(rows: &Rows) -> Result<Vec<Broken>, Refusal> {
    let broken = verify::heads(rows)?;
    for Broken { chain, seq, reason } in &broken {
        tracing::error!(target: "security", "the audit record of `{chain}` is not whole: entry {seq} {reason}");
    }
    Ok(broken)
}
