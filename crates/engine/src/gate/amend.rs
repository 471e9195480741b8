//! A vote with a patch for its gate's subject (D23, D24). The patch is applied outside of the door, where reading a
//! document and judging it against its schema keep nobody waiting; inside, what it made becomes a version of the
//! subject, if the gate still asks about what was patched.

use super::{of_run, read};
use crate::Engine;
use crate::act::record::Within;
use crate::act::{Act, refusal_of};
use crate::artifact::Artifact;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tiltyard_model::event::{ArtifactStored, GateAmended};
use tiltyard_model::gate::amend::{Amended, JSON_MEDIA_TYPE, amend, keepable, patchable};
use tiltyard_model::gate::vote::{Ballot, Verdict};
use tiltyard_model::gate::{Gate, State, SubjectKind};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::patch::{MAX_DOCUMENT_BYTES, applied};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::schema::Schema;
use tiltyard_store::Rows;
use tiltyard_store::blob::{BlobError, Blobs, Kept};
use tiltyard_store::gate::{Found, void_votes};

/// The output that a patched subject is, in its run.
pub const SUBJECT_OUTPUT: &str = "subject";

/// A patch that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// As it was sent.
    pub patch: Value,
    /// What it makes of the subject that was named; `None` where the gate has no business with that subject, which the
    /// door then says.
    pub made: Option<Made>,
}

/// A patched subject, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The digest of what was patched.
    pub from: String,
    /// The result, in its canonical bytes.
    pub kept: Kept,
}

/// A patched subject, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The result.
    pub document: Value,
    /// The digest that it will have.
    pub sha256: String,
}

/// What stands to be patched.
struct Basis {
    found: Found,
    seen: String,
    schema: Option<Schema>,
}

/// Applies a patch to the subject that a vote names, and keeps the result; nothing is decided by it.
///
/// # Errors
/// 404; 422 at `/patch` for a subject that is no JSON, a patch that cannot be applied, or a result that breaks the
/// schema of the subject.
pub async fn prepare(
    engine: &Engine,
    caller: &Caller,
    on: Id,
    (seen, patch): (Option<&str>, Value),
) -> Result<Prepared, Refusal> {
    keepable(&patch)?;
    let (caller, seen) = (caller.clone(), seen.map(str::to_ascii_lowercase));
    let basis = engine.read(move |rows| basis(rows, &caller, on, seen)).await?;
    let Some(basis) = basis else { return Ok(Prepared { patch, made: None }) };
    let blobs = engine.blobs().clone();
    let work = tokio::task::spawn_blocking(move || {
        let made = make(&blobs, &basis, &patch);
        // Whoever patches what the gate asks about no more is told that, and not what is wrong with the patch.
        let asked = basis.found.gate.state == State::Open && basis.seen == basis.found.gate.subject_sha256;
        let made = if asked { Some(made?) } else { made.ok() };
        Ok(Prepared { patch, made })
    });
    work.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?
}

/// The subject that is named, where the gate asks or has asked about it: no other bytes are read for a patch.
fn basis(rows: &Rows, caller: &Caller, on: Id, seen: Option<String>) -> Result<Option<Basis>, Refusal> {
    if on.noun() == Noun::Change {
        patchable(SubjectKind::Diff, None)?;
    }
    let found = read::get(rows, caller, on)?;
    let media_type = found.about.document.as_ref().map(|document| document.media_type.as_str());
    patchable(found.about.kind, media_type)?;
    let gate = &found.gate;
    let known = |seen: &String| *seen == gate.subject_sha256 || gate.earlier_sha256.contains(seen);
    let (Some(seen), Some(place)) = (seen.filter(known), found.run) else { return Ok(None) };
    let schema = of_run::schema(rows, &place)?;
    Ok(Some(Basis { found, seen, schema }))
}

/// What a patch would make of the subject that is named: nothing is kept.
///
/// # Errors
/// As [`prepare`]; 422 `subject_required`, 409 `subject_changed`.
pub async fn look(
    engine: &Engine,
    caller: &Caller,
    on: Id,
    (seen, patch): (Option<&str>, Value),
) -> Result<(Found, Looked), Refusal> {
    keepable(&patch)?;
    let named = seen.map(str::to_ascii_lowercase);
    let (asker, seen) = (caller.clone(), named.clone());
    let basis = engine.read(move |rows| basis(rows, &asker, on, seen)).await?;
    let Some(basis) = basis else {
        let asker = caller.clone();
        let found = engine.read(move |rows| read::get(rows, &asker, on)).await?;
        return Err(named.map_or_else(unnamed, |_| changed(&found.gate.subject_sha256)));
    };
    let blobs = engine.blobs().clone();
    let work = tokio::task::spawn_blocking(move || {
        let (document, bytes) = apply(&blobs, &basis, &patch)?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok((basis.found, Looked { document, sha256 }))
    });
    work.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?
}

fn unnamed() -> Refusal {
    let why = "say which subject you decide on: its SHA-256, as the gate shows it";
    Refusal::fault(Code::SubjectRequired, "/subject_sha256", why)
}

/// The gate asks about something else by now.
pub(super) fn changed(now: &str) -> Refusal {
    let text = "the subject is not the one that was patched; look at the present one and decide again";
    Refusal::new(Code::SubjectChanged, text).with("subject_sha256", now)
}

fn make(blobs: &Blobs, basis: &Basis, patch: &Value) -> Result<Made, Refusal> {
    let (_, bytes) = apply(blobs, basis, patch)?;
    let mut writer = blobs.writer(MAX_DOCUMENT_BYTES as u64).map_err(refusal_of)?;
    let kept = writer.write(&bytes).and_then(|()| writer.finish(None)).map_err(unkept)?;
    Ok(Made { from: basis.seen.clone(), kept })
}

/// The result and its canonical bytes.
fn apply(blobs: &Blobs, basis: &Basis, patch: &Value) -> Result<(Value, Vec<u8>), Refusal> {
    let document = document(blobs, &basis.seen)?;
    let result = applied(&document, patch, basis.schema.as_ref())?;
    let bytes = serde_json_canonicalizer::to_vec(&result)
        .map_err(|error| Refusal::field("/patch", format!("its result cannot be written: {error}")))?;
    Ok((result, bytes))
}

fn unkept(error: BlobError) -> Refusal {
    match error {
        BlobError::Store(error) => refusal_of(error),
        BlobError::TooLarge { limit } => {
            Refusal::field("/patch", format!("makes a document of more than {limit} bytes"))
        }
        BlobError::Digest { .. } => Refusal::new(Code::Internal, error.to_string()),
    }
}

fn document(blobs: &Blobs, sha256: &str) -> Result<Value, Refusal> {
    let gone = || Refusal::new(Code::Internal, format!("the bytes of the subject, {sha256}, are not there"));
    let (reader, size) = blobs.open_read(sha256).map_err(refusal_of)?.ok_or_else(gone)?;
    if size > MAX_DOCUMENT_BYTES as u64 {
        let why = format!(
            "is for a document of at most {MAX_DOCUMENT_BYTES} bytes, and this one has {size}; reject it with a reason"
        );
        return Err(Refusal::field("/patch", why));
    }
    let bytes = reader
        .read_at(0, size as usize)
        .map_err(|error| Refusal::new(Code::Internal, format!("the subject cannot be read: {error}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::field("/patch", format!("is for JSON, which the subject is not: {error}")))
}

/// Judges an approval with a patch, and makes its result the subject of the gate where it counts.
///
/// # Errors
/// As [`amend`]; `subject_changed` where the gate does not ask about what was patched.
pub(super) fn take(
    act: &mut Act<'_>,
    found: &mut Found,
    ballot: &Ballot,
    (prepared, humans): (&Prepared, u32),
) -> Result<Verdict, Refusal> {
    let now = act.now.wall;
    let asked = found.at(now);
    let made = prepared.made.as_ref().filter(|made| names(ballot, made));
    let Some(made) = made else { return Err(elsewhere(&asked, ballot, humans, now)) };
    let said = amend(&asked, ballot, &made.kept.sha256, humans, now)?;
    if !matches!(said.verdict, Verdict::Replayed(_)) && said.subject_sha256 != found.gate.subject_sha256 {
        replace(act, found, made, &said)?;
    }
    Ok(said.verdict)
}

fn names(ballot: &Ballot, made: &Made) -> bool {
    ballot.subject_sha256.as_ref().is_some_and(|seen| seen.eq_ignore_ascii_case(&made.from))
}

/// What is wrong with a vote whose subject is none of its gate. What a plain one would hear, and never a plain vote: it was
/// meant with its patch.
fn elsewhere(asked: &Gate, ballot: &Ballot, humans: u32, now: i64) -> Refusal {
    let plain = tiltyard_model::gate::vote::vote(asked, ballot, humans, now);
    plain.err().unwrap_or_else(|| changed(&asked.subject_sha256))
}

fn replace(act: &mut Act<'_>, found: &mut Found, made: &Made, said: &Amended) -> Result<(), Refusal> {
    let artifact = version(act, found, made)?;
    let before = std::mem::replace(&mut found.gate.subject_sha256, said.subject_sha256.clone());
    found.gate.earlier_sha256.push(before.clone());
    found.gate.submitter.clone_from(&said.submitter);
    found.gate.votes.clear();
    void_votes(act.tx, found.key, found.cast + 1).map_err(refusal_of)?;
    if let Some(place) = &mut found.run {
        place.artifact = Some(artifact.id);
    }
    found.about.document = Some(super::ask::document(&artifact));
    let by = act.pass.caller.owner.clone();
    let event = GateAmended { by, subject_sha256: said.subject_sha256.clone(), before_sha256: before };
    super::told(act, found, &event)
}

/// A row for a patched subject, as an output of its run.
pub(super) fn version(act: &mut Act<'_>, found: &Found, made: &Made) -> Result<Artifact, Refusal> {
    let key = act.next_key();
    let new = Artifact {
        id: act.id(Noun::Artifact, key),
        scope: found.scope,
        scope_name: found.scope_name.clone(),
        sha256: made.kept.sha256.clone(),
        size: made.kept.size,
        media_type: JSON_MEDIA_TYPE.to_owned(),
        name: found.about.document.as_ref().and_then(|document| document.name.clone()),
        attempt: None,
        run: found.run.map(|place| place.run),
        output: Some(SUBJECT_OUTPUT.to_owned()),
    };
    tiltyard_store::artifact::insert(act.tx, &new).map_err(refusal_of)?;
    let event = ArtifactStored { sha256: new.sha256.clone(), bytes: new.size };
    let within = Within { task: None, run: found.run.map(|place| place.run.key()) };
    act.event_within(found.scope, &new.id.into(), within, &event)?;
    Ok(new)
}
