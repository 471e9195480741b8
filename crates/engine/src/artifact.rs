//! Artifacts: an attempt, or somebody who asks for work, names the bytes that were stored (D21). The bytes are on disk
//! before: the server writes them through `Engine::blobs`.

mod loose;

use crate::Engine;
use crate::act::record::Within;
use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::Lease;
use crate::task::access::{may_answer, may_reach};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use tiltyard_model::event::ArtifactStored;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::task::lease::stale;
use tiltyard_store::Rows;
/// An artifact as it is kept.
pub use tiltyard_store::artifact::Artifact;
use tiltyard_store::artifact::{self, Stored};
use tiltyard_store::blob::Kept;

pub use loose::{Cleared, LOOSE_FOR_MS, MAX_CLEARED, clear_loose};

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
    /// Which of the outputs that the task's payload names they are.
    pub output: Option<String>,
}

/// Bytes that somebody has stored for work that is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The scope.
    pub scope: String,
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
    admit(put.media_type.as_deref(), put.name.as_deref())?;
    let (sha256, output) = (put.kept.sha256.as_str(), put.output.as_deref());
    let stored = Stored { task: lease.task, generation: put.generation, sha256, output };
    let known = artifact::of_attempt(act.tx, stored);
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
    let bytes = (&put.kept, put.media_type.as_deref(), put.name.as_deref());
    let new = Artifact {
        attempt: Some((put.task, put.generation)),
        run: act.memory.runs.of_task(lease.task).map(|(run, _)| act.id(Noun::Run, run)),
        output: put.output.clone(),
        ..named(act, scope, bytes)
    };
    insert(act, &new)?;
    Ok(new)
}

/// Names stored bytes for work that is still to come, such as the input of a run. What nothing refers to is gone a day
/// later ([`LOOSE_FOR_MS`]).
///
/// # Errors
/// 422 for a scope that is not there, a media type or a name that cannot be shown.
pub fn post(act: &mut Act<'_>, post: &Post) -> Result<Artifact, Refusal> {
    let scope = act.scope_key(&post.scope)?;
    admit(post.media_type.as_deref(), post.name.as_deref())?;
    let new = named(act, scope, (&post.kept, post.media_type.as_deref(), post.name.as_deref()));
    insert(act, &new)?;
    Ok(new)
}

/// Names stored bytes, with their media type and name, as this output of a run.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn of_run(
    act: &mut Act<'_>,
    (run, scope): (i64, i64),
    bytes: (&Kept, Option<&str>, Option<&str>),
    output: &str,
) -> Result<Artifact, Refusal> {
    let run = Some(act.id(Noun::Run, run));
    let new = Artifact { run, output: Some(output.to_owned()), ..named(act, scope, bytes) };
    insert(act, &new)?;
    Ok(new)
}

/// A new row of nobody's, for these bytes with their media type and name.
fn named(act: &mut Act<'_>, scope: i64, bytes: (&Kept, Option<&str>, Option<&str>)) -> Artifact {
    let (kept, media_type, name) = bytes;
    let key = act.next_key();
    Artifact {
        id: act.id(Noun::Artifact, key),
        scope,
        scope_name: act.memory.names.scope_name(scope).to_owned(),
        sha256: kept.sha256.clone(),
        size: kept.size,
        media_type: media_type.unwrap_or(DEFAULT_MEDIA_TYPE).to_owned(),
        name: name.map(str::to_owned),
        attempt: None,
        run: None,
        output: None,
    }
}

fn insert(act: &mut Act<'_>, new: &Artifact) -> Result<(), Refusal> {
    artifact::insert(act.tx, new).map_err(refusal_of)?;
    let event = ArtifactStored { sha256: new.sha256.clone(), bytes: new.size };
    let within = Within { task: new.attempt.map(|(task, _)| task.key()), run: new.run.map(Id::key) };
    act.event_within(new.scope, &new.id.into(), within, &event)
}

/// What a payload says of outputs; the rest of it is for others.
#[derive(Deserialize)]
struct Declares {
    #[serde(default)]
    outputs: BTreeMap<String, IgnoredAny>,
}

/// Whether a task's payload names this output. Asked before the bytes are taken.
///
/// # Errors
/// 404 for a task that the caller does not see; 422 for an output that is not declared.
pub fn declares(rows: &Rows, caller: &Caller, task: Id, output: &str) -> Result<(), Refusal> {
    let found = tiltyard_store::task::get(rows, task).map_err(refusal_of)?;
    let found = found.filter(|found| may_reach(caller, &found.task.spec.scope, &found.task.spec.queue));
    let found = found.ok_or_else(|| Refusal::missing("task", task))?;
    let payload: Option<Declares> = serde_json::from_str(&found.task.spec.payload).ok();
    if payload.is_some_and(|payload| payload.outputs.contains_key(output)) {
        return Ok(());
    }
    let shown: String = output.escape_debug().take(64).collect();
    let said = format!(
        "the task's payload names no output `{shown}`: declare it in its `outputs`, or leave this out"
    );
    Err(Refusal::field("/output", said))
}

fn admit(media_type: Option<&str>, name: Option<&str>) -> Result<(), Refusal> {
    let plain = |text: &str| text.is_ascii() && !text.chars().any(|letter| letter.is_control());
    let typed = |text: &str| plain(text) && text.contains('/') && text.len() <= MAX_MEDIA_TYPE_BYTES;
    if media_type.is_some_and(|text| !typed(text)) {
        return Err(Refusal::field(
            "/media_type",
            "must be a media type such as text/plain, at most 128 bytes",
        ));
    }
    let named = |text: &str| {
        let odd = |letter: char| letter.is_control() || matches!(letter, '/' | '\\');
        !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.contains(odd) && text != "." && text != ".."
    };
    if name.is_some_and(|text| !named(text)) {
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

/// The same, where it is of the scope of a task that is handed it: whoever runs the task may reach more than it may.
///
/// # Errors
/// 404, also for a task that the caller does not see.
pub fn get_for(rows: &Rows, caller: &Caller, id: Id, task: Id) -> Result<Artifact, Refusal> {
    let found = get(rows, caller, id)?;
    let task = tiltyard_store::task::get(rows, task).map_err(refusal_of)?;
    let seen = task.map(|task| task.task.spec).filter(|spec| may_reach(caller, &spec.scope, &spec.queue));
    let is_its = seen.is_some_and(|spec| spec.scope == found.scope_name);
    is_its.then_some(found).ok_or_else(|| Refusal::missing("artifact", id))
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
