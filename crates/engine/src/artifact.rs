//! Artifacts: an attempt names the bytes that it has stored (D21). The bytes are on disk before: the server writes
//! them through `Engine::blobs`.

use crate::Engine;
use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::Lease;
use crate::task::access::may_answer;
use tiltyard_model::event::ArtifactStored;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::task::lease::stale;
use tiltyard_store::Rows;
use tiltyard_store::artifact;
/// An artifact as it is kept.
pub use tiltyard_store::artifact::Artifact;
use tiltyard_store::blob::Kept;

/// Most artifacts of one attempt.
pub const MAX_ARTIFACTS_OF_ATTEMPT: i64 = 1_000;
/// Longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 128;
/// Longest file name, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Most digests of a task that are removed at once when it goes; what it had beyond them is found later.
const MAX_DIGESTS_TOLD: i64 = 100;
/// The media type of bytes that nobody said anything of.
pub const DEFAULT_MEDIA_TYPE: &str = "application/octet-stream";

/// Bytes that an attempt has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The task.
    pub task: Id,
    /// The generation that holds its lease.
    pub generation: i64,
    /// The bytes, on disk.
    pub kept: Kept,
    /// Their media type; [`DEFAULT_MEDIA_TYPE`] when absent.
    pub media_type: Option<String>,
    /// A file name for people.
    pub name: Option<String>,
}

/// The live lease under which this caller may write for an attempt: its artifacts, its log. Asked before the bytes
/// are taken, so that a stale agent does not send them in vain.
///
/// # Errors
/// 404 for a task that the caller does not see or speaks for; 409 `stale_generation`.
pub fn may_write(act: &Act<'_>, task: Id, generation: i64) -> Result<Lease, Refusal> {
    let key = act.tx.key(task).filter(|_| task.noun() == Noun::Task);
    let key = key.ok_or_else(|| Refusal::missing("task", task))?;
    let Some(lease) = act.memory.leases.live(key, generation) else {
        let current = act.task(task)?.task.generation;
        let attempt = tiltyard_store::task::attempt(act.tx, key, generation).map_err(refusal_of)?;
        return Err(stale(generation, current, attempt.and_then(|attempt| attempt.outcome)));
    };
    if may_answer(act, lease) { Ok(lease.clone()) } else { Err(Refusal::missing("task", task)) }
}

/// Names stored bytes for the attempt that stored them; asked again, the same row is the answer.
///
/// # Errors
/// As [`may_write`]; 422 for a media type or a name that cannot be shown, and beyond [`MAX_ARTIFACTS_OF_ATTEMPT`].
pub fn put(act: &mut Act<'_>, put: &Put) -> Result<Artifact, Refusal> {
    let lease = may_write(act, put.task, put.generation)?;
    admit(put)?;
    let known = artifact::of_attempt(act.tx, lease.task, put.generation, &put.kept.sha256);
    if let Some(known) = known.map_err(refusal_of)? {
        return Ok(known);
    }
    let count = artifact::count_attempt(act.tx, lease.task, put.generation).map_err(refusal_of)?;
    if count >= MAX_ARTIFACTS_OF_ATTEMPT {
        return Err(Refusal::field(
            "/generation",
            "an attempt stores at most 1,000 artifacts: pack them together",
        ));
    }
    let scope = crate::task::end::place(act, &lease).1;
    let key = act.next_key();
    let new = Artifact {
        id: act.id(Noun::Artifact, key),
        scope,
        scope_name: act.memory.names.scope_name(scope).to_owned(),
        sha256: put.kept.sha256.clone(),
        size: put.kept.size,
        media_type: put.media_type.clone().unwrap_or_else(|| DEFAULT_MEDIA_TYPE.to_owned()),
        name: put.name.clone(),
        attempt: Some((put.task, put.generation)),
    };
    artifact::insert(act.tx, &new).map_err(refusal_of)?;
    let event = ArtifactStored { sha256: new.sha256.clone(), bytes: new.size };
    act.event(scope, &new.id.into(), Some(lease.task), &event)?;
    Ok(new)
}

fn admit(put: &Put) -> Result<(), Refusal> {
    let plain = |text: &String| text.is_ascii() && !text.chars().any(|letter| letter.is_control());
    let typed = |text: &String| plain(text) && text.contains('/') && text.len() <= MAX_MEDIA_TYPE_BYTES;
    if put.media_type.as_ref().is_some_and(|text| !typed(text)) {
        return Err(Refusal::field(
            "/media_type",
            "must be a media type such as text/plain, at most 128 bytes",
        ));
    }
    let named = |text: &String| {
        let odd = |letter: char| letter.is_control() || matches!(letter, '/' | '\\');
        !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.contains(odd) && text != "." && text != ".."
    };
    if put.name.as_ref().is_some_and(|text| !named(text)) {
        return Err(Refusal::field("/name", "must be a file name without folders, 1 to 255 bytes"));
    }
    Ok(())
}

/// One artifact that the caller may see.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Artifact, Refusal> {
    let found = artifact::get(rows, id).map_err(refusal_of)?;
    found
        .filter(|found| caller.reach.covers(&found.scope_name))
        .ok_or_else(|| Refusal::missing("artifact", id))
}

/// The newest artifact with these bytes that the caller may see.
///
/// # Errors
/// 404.
pub fn by_digest(rows: &Rows, caller: &Caller, sha256: &str) -> Result<Artifact, Refusal> {
    let scopes = match &caller.reach {
        Reach::All => None,
        Reach::Only(scopes) => Some(scopes.as_slice()),
    };
    let found = artifact::by_digest(rows, sha256, scopes).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::missing("artifact", sha256))
}

/// Forgets what a task that is gone had stored; its bytes and its logs are removed after the commit.
pub(crate) fn forget(act: &mut Act<'_>, task: i64) -> Result<(), Refusal> {
    let digests = artifact::digests_of_task(act.tx, task, MAX_DIGESTS_TOLD).map_err(refusal_of)?;
    artifact::delete_of_task(act.tx, task).map_err(refusal_of)?;
    act.effects.push(Effect::TaskGone { task, digests });
    Ok(())
}

/// Which of these digests no row names.
///
/// # Errors
/// When the store is broken.
pub(crate) fn unnamed(rows: &Rows, digests: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut left = Vec::new();
    for digest in digests {
        if !artifact::is_named(rows, &digest).map_err(refusal_of)? {
            left.push(digest);
        }
    }
    Ok(left)
}

/// Removes stored bytes that no row names: those of an upload that was refused, or that a crash came upon. Bytes that
/// somebody is about to name are held, and stay.
///
/// # Errors
/// When the store or the disk is broken.
pub async fn sweep(engine: &Engine, sha256: &str) -> Result<(), Refusal> {
    let Some(doubt) = engine.blobs().doubt(sha256) else { return Ok(()) };
    if !engine.may_remove_bytes().await? {
        return Ok(());
    }
    let digest = sha256.to_owned();
    let named = engine.read(move |rows| artifact::is_named(rows, &digest).map_err(refusal_of)).await?;
    if named {
        return Ok(());
    }
    let now = engine.clock().now().wall;
    let removed = tokio::task::spawn_blocking(move || doubt.remove(now)).await;
    removed.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?.map_err(refusal_of)
}
