//! What a door knows when it begins: memory made from the store, and where it stands among the servers of a shared one.

use super::anew::{Making, Presence};
use super::line::Start;
use crate::OpenError;
use crate::audit::verify::{self, Broken};
use crate::clock::{Clock, SharedClock};
use crate::memory::Memory;
use crate::memory::boot::{rebuild, rebuild_in_pages};
use crate::share::{Post, Sharing, name_is_taken};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::refusal::Refusal;
use tiltyard_store::task::boot::Between;
use tiltyard_store::{Error, Rows, Writer, journal, server};

/// How often a name that another server has is looked at.
const NAME_LOOK: Duration = Duration::from_millis(500);

/// What an engine knows when it begins.
pub(crate) struct Begun {
    pub(crate) memory: Memory,
    pub(crate) clock: Clock,
    pub(crate) line: Option<Start>,
    pub(crate) post: Option<Post>,
    pub(crate) broken_chains: Vec<Broken>,
}

/// Makes memory from the store. Of a shared one it is made from a moment that is taken with the store's lock, so that memory and
/// journal are of one moment; the lock is given back before that is read, and nobody waits for it.
///
/// # Errors
/// When the store cannot be read, or the system gives no randomness.
pub(crate) fn begin(
    writer: &Writer,
    clock: &Clock,
    sharing: Option<&Sharing>,
    folder: &Path,
) -> Result<Begun, OpenError> {
    let Some(sharing) = sharing else {
        let clock = clock.clone();
        let memory = rebuild(writer.tx(), clock.now())?;
        let broken_chains = ends_of_chains(writer.tx())?;
        return Ok(Begun { memory, clock, line: None, post: None, broken_chains });
    };
    let post = Post::new(sharing)?;
    let beside = writer.beside()?.ok_or_else(|| OpenError::System("the store is not shared".to_owned()))?;
    let begun = under_name(&post, writer, folder)?;
    let (clock, shared) = match clock {
        Clock::Virtual(_) => (clock.clone(), None),
        _ => {
            let shared = SharedClock::at(begun.now.unwrap_or_default());
            (Clock::Shared(Arc::clone(&shared)), Some(shared))
        }
    };
    let seen = begun.head;
    let time = clock.clone();
    let work = move |rows: &Rows, between: Between<'_>| -> Result<_, OpenError> {
        let memory = rebuild_in_pages(rows, &|| time.now(), between)?;
        Ok((memory, ends_of_chains(rows)?))
    };
    let making = Making::start(beside, work)?;
    making.moment(seen)?;
    // From here on the journal is kept for this server, and the others write on.
    let mut presence = Presence::of(post.own(), seen);
    presence.put(writer.tx(), clock.now().wall)?;
    writer.commit()?;
    post.sign()?;
    let (memory, broken_chains) = making.wait(&mut || presence.tell(writer, clock.now().wall))??;
    let line = Start {
        own: post.own(),
        clock: shared,
        seen,
        incarnation: begun.incarnation,
        look_every: sharing.look_every(),
    };
    Ok(Begun { memory, clock, line: Some(line), post: Some(post), broken_chains })
}

/// Begins a transaction, with the store's lock, when nobody has the server's name. Whoever was killed is followed at once where it had
/// the same data folder, and else as soon as it was not seen for [`crate::share::LEAD_MS`]; one that lives keeps the name.
fn under_name(post: &Post, writer: &Writer, folder: &Path) -> Result<journal::Begun, OpenError> {
    let (before, mut first) = (post.hold(folder)?, None);
    loop {
        let begun = writer.begin_after(i64::MAX)?;
        let servers = server::all(writer.tx())?;
        let Some(other) = post.rival(servers, before.as_deref(), begun.now.unwrap_or_default()) else {
            return Ok(begun);
        };
        writer.rollback()?;
        if *first.get_or_insert(other.seen_at) != other.seen_at {
            return Err(Error::Locked(name_is_taken(&other)).into());
        }
        std::thread::sleep(NAME_LOOK);
    }
}

/// Looks at the ends of the audit chains; what is wrong with them is told, and the server serves all the same.
fn ends_of_chains(rows: &Rows) -> Result<Vec<Broken>, Refusal> {
    let broken = verify::heads(rows)?;
    for Broken { chain, seq, reason } in &broken {
        tracing::error!(target: "security", "the audit record of `{chain}` is not whole: entry {seq} {reason}");
    }
    Ok(broken)
}
