//! What a task of a run puts out is judged before its attempt has succeeded (P1 of the plan, D21): so that a result that
//! breaks its schema is the attempt's failure, and the task's own `retry` applies. Reading, parsing and judging happen
//! outside of the door; the deed takes a judgement only where it is about this very report.

use super::prepare::{Sight, Tools};
use crate::act::{Act, refusal_of};
use crate::blob::Kept;
use crate::memory::lease::Lease;
use crate::task::settle::{self, Report, Verdict};
use crate::{Engine, Pass, Urgency};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tiltyard_model::event::ArtifactStored;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::{From, MAX_DOCUMENT_BYTES, MAX_OUTPUTS, Output, OutputKind, Uses, Work};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::Part;
use tiltyard_model::schema::Schema;
use tiltyard_store::artifact::{self, Artifact, outputs_of_attempt};
use tiltyard_store::run::output::{self, MAX_VALUE_BYTES, Of};
use tokio::sync::Semaphore;

/// Most reports that are judged at once; more wait their turn, outside of the door.
const MAX_JUDGEMENTS: usize = 16;
/// How often a report is entered while what its task puts out is judged: once more than it can need.
pub const MAX_ROUNDS: u32 = 3;
/// Faults of a document that its error tells.
const TOLD_FAULTS: usize = 3;
/// Rows of an attempt's outputs that are looked at: each name may have been stored more than once.
const MAX_STORED: i64 = 1_000;
/// What says that a report was not taken, for what its task puts out was not judged.
const TO_JUDGE: &str = "to_judge";
/// What the error of an attempt begins with whose output was not what was promised.
const OF_OUTPUT: &str = "the output `";

static JUDGEMENTS: Semaphore = Semaphore::const_new(MAX_JUDGEMENTS);

/// What a report's outputs were found to be.
#[derive(Debug, Clone)]
pub struct Judgement {
    task: Id,
    generation: i64,
    result: [u8; 32],
    came_to: Result<Vec<Put>, String>,
}

/// An output that may be kept.
#[derive(Debug, Clone)]
struct Put {
    name: String,
    kind: OutputKind,
    bytes: Bytes,
    value: Option<String>,
}

/// Where its bytes are.
#[derive(Debug, Clone)]
enum Bytes {
    /// As the attempt has stored them.
    Stored(Id),
    /// In their canonical form, which no row names yet.
    New(Kept),
    /// In the report.
    Reported,
}

/// What is kept of a report, to know it again.
fn digest_of(report: &Report) -> [u8; 32] {
    Sha256::digest(report.result.as_deref().unwrap_or_default()).into()
}

/// Whether what this lease's task puts out must be judged before a success counts.
pub(crate) fn is_judged(act: &Act<'_>, lease: &Lease) -> bool {
    let Some((run, part)) = act.memory.runs.of_task(lease.task) else { return false };
    act.memory.runs.get(run).is_some_and(|live| live.graph.node(part.stage).judged)
}

/// The refusal of a report whose outputs are to be judged first; nothing was written.
pub fn to_judge() -> Refusal {
    let text = "what the attempt puts out is judged first: report it again in a moment";
    Refusal::new(Code::Overloaded, text).retry_after(1_000).with(TO_JUDGE, true)
}

/// Whether that is why a report was not taken.
pub fn is_to_judge(refusal: &Refusal) -> bool {
    refusal.extra.contains_key(TO_JUDGE)
}

/// What is wrong with what an attempt put out, for the report that the judgement is about; its outputs are kept where
/// nothing is.
///
/// # Errors
/// [`to_judge`] where the judgement is about another report; when the store cannot write them.
pub(crate) fn take(
    act: &mut Act<'_>,
    lease: &Lease,
    report: &Report,
    judgement: Option<&Judgement>,
) -> Result<Option<String>, Refusal> {
    let fits = |one: &&Judgement| {
        (one.task, one.generation, one.result) == (report.id, report.generation, digest_of(report))
    };
    let judgement = judgement.filter(fits).ok_or_else(to_judge)?;
    let puts = match &judgement.came_to {
        Err(error) => return Ok(Some(error.clone())),
        Ok(puts) => puts,
    };
    let Some((run, part)) = act.memory.runs.of_task(lease.task) else { return Ok(None) };
    puts.iter().try_for_each(|put| keep(act, lease, (run, part), put))?;
    Ok(None)
}

fn keep(act: &mut Act<'_>, lease: &Lease, (run, part): (i64, Part), put: &Put) -> Result<(), Refusal> {
    let artifact = match &put.bytes {
        Bytes::Stored(id) => Some(id.key()),
        Bytes::New(kept) => Some(name(act, lease, run, (put, kept))?),
        Bytes::Reported => None,
    };
    let item = part.item.map(|item| item.index);
    let of = Of { run, stage: part.stage, attempt: part.attempt, item };
    let row = output::Put { name: &put.name, kind: put.kind, artifact, value: put.value.as_deref() };
    output::put(act.tx, of, &row).map_err(refusal_of)
}

/// The row of a document in its canonical form.
fn name(act: &mut Act<'_>, lease: &Lease, run: i64, (put, kept): (&Put, &Kept)) -> Result<i64, Refusal> {
    let key = act.next_key();
    let scope = crate::task::end::place(act, lease).1;
    let new = Artifact {
        id: act.id(Noun::Artifact, key),
        scope,
        scope_name: act.memory.names.scope_name(scope).to_owned(),
        sha256: kept.sha256.clone(),
        size: kept.size,
        media_type: "application/json".to_owned(),
        name: Some(format!("{}.json", put.name)),
        attempt: Some((act.id(Noun::Task, lease.task), lease.generation)),
        run: Some(act.id(Noun::Run, run)),
        output: Some(put.name.clone()),
    };
    artifact::insert(act.tx, &new).map_err(refusal_of)?;
    let event = ArtifactStored { sha256: new.sha256.clone(), bytes: new.size };
    act.event(scope, &new.id.into(), Some(lease.task), &event)?;
    Ok(key)
}

impl Engine {
    /// Takes one report, and judges what its task puts out where that is asked for.
    ///
    /// # Errors
    /// As [`settle::settle`].
    pub async fn settle(&self, pass: Pass, report: Report) -> Result<Verdict, Refusal> {
        let (report, mut judgement) = (Arc::new(report), None);
        for _ in 0..MAX_ROUNDS {
            let (one, judged) = (Arc::clone(&report), judgement.take());
            let deed = move |act: &mut Act<'_>| settle::settle_judged(act, &one, judged.as_ref());
            match self.enter(pass.clone(), Urgency::Urgent, deed).await {
                Err(refusal) if is_to_judge(&refusal) => judgement = Some(self.judge(&report).await?),
                done => return done,
            }
        }
        Err(to_judge())
    }

    /// Takes many reports, each for itself, and does `along` in the same deed; those whose outputs are to be judged are
    /// taken after that, in deeds of their own.
    ///
    /// # Errors
    /// What is about the server and not about one report; what `along` says.
    pub async fn settle_each<T: Send + 'static>(
        &self,
        pass: Pass,
        reports: Vec<Report>,
        along: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(Vec<settle::Judged>, T), Refusal> {
        let all = Arc::new(reports);
        let reports = Arc::clone(&all);
        let deed = move |act: &mut Act<'_>| {
            let verdicts = settle::each_unjudged(act, &reports)?;
            Ok((verdicts, along(act)?))
        };
        let (verdicts, with) = self.enter(pass.clone(), Urgency::Urgent, deed).await?;
        let mut judged = Vec::with_capacity(verdicts.len());
        for (report, verdict) in all.iter().zip(verdicts) {
            if let Some(verdict) = verdict {
                judged.push(verdict);
                continue;
            }
            judged.push(match self.settle(pass.clone(), report.clone()).await {
                Ok(verdict) => (report.id, Ok(verdict)),
                Err(refusal) if settle::is_a_verdict(refusal.kind()) => (report.id, Err(refusal.code)),
                // Said again, the others are known, and this one is taken.
                Err(refusal) => return Err(refusal),
            });
        }
        Ok((judged, with))
    }

    /// Judges what a report's task puts out.
    ///
    /// # Errors
    /// When the store or what lies beside it cannot be read.
    pub async fn judge(&self, report: &Report) -> Result<Judgement, Refusal> {
        let _turn = JUDGEMENTS.acquire().await.map_err(|_| to_judge())?;
        let id = report.id;
        let look = move |act: &mut Act<'_>| Ok(act.tx.key(id).and_then(|key| act.memory.runs.of_task(key)));
        let found = self.enter(Pass::system(), Urgency::Urgent, look).await?;
        let (run, part) = found.ok_or_else(to_judge)?;
        let tools = Tools { definitions: self.definitions().clone(), blobs: self.blobs().clone() };
        let report = report.clone();
        self.read(move |rows| {
            let sight = Sight::of(rows, &tools, run)?.ok_or_else(to_judge)?;
            let came_to = judged(&sight, part, &report)?;
            let (task, generation, result) = (report.id, report.generation, digest_of(&report));
            Ok(Judgement { task, generation, result, came_to })
        })
        .await
    }
}

/// What a part puts out, or what is wrong with it.
fn judged(sight: &Sight<'_>, part: Part, report: &Report) -> Result<Result<Vec<Put>, String>, Refusal> {
    let Some(stage) = sight.definition.stages.get(part.stage as usize) else { return Ok(Ok(Vec::new())) };
    let work: &Work = match &stage.work.uses {
        Uses::Foreach(foreach) if part.item.is_some() => &foreach.each,
        _ => &stage.work,
    };
    let key = sight.rows.key(report.id).ok_or_else(to_judge)?;
    let stored = outputs_of_attempt(sight.rows, key, report.generation, MAX_STORED).map_err(refusal_of)?;
    let stored: BTreeMap<String, Artifact> =
        stored.into_iter().filter_map(|one| Some((one.output.clone()?, one))).collect();
    let mut puts = Vec::new();
    for output in work.outputs.iter().take(MAX_OUTPUTS) {
        let found = match &output.from {
            From::Result => reported(output, report),
            From::File { .. } => file(output, &stored),
            From::Json { .. } | From::StdoutJson => document(sight, output, &stored)?,
            From::StdoutText => text(sight, output, &stored)?,
        };
        match found {
            Ok(put) => puts.extend(put),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(puts))
}

type Found = Result<Option<Put>, String>;

fn missing(output: &Output) -> String {
    let place = match &output.from {
        From::File { path, .. } | From::Json { path } => format!(" (there was no file `{path}`)"),
        _ => String::new(),
    };
    format!("the output `{}` is missing{place}", output.name)
}

fn reported(output: &Output, report: &Report) -> Found {
    let text = report.result.as_deref().unwrap_or("null");
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("the output `{}` is no JSON: {error}", output.name))?;
    meets(output, &value)?;
    let value = (text.len() <= MAX_VALUE_BYTES).then(|| text.to_owned());
    // A larger result is looked up with its task.
    Ok(value.map(|value| Put {
        name: output.name.clone(),
        kind: OutputKind::Document,
        bytes: Bytes::Reported,
        value: Some(value),
    }))
}

fn file(output: &Output, stored: &BTreeMap<String, Artifact>) -> Found {
    let found = stored.get(&output.name).ok_or_else(|| missing(output))?;
    let (name, bytes) = (output.name.clone(), Bytes::Stored(found.id));
    Ok(Some(Put { name, kind: OutputKind::File, bytes, value: None }))
}

fn document(
    sight: &Sight<'_>,
    output: &Output,
    stored: &BTreeMap<String, Artifact>,
) -> Result<Found, Refusal> {
    let Some(found) = stored.get(&output.name) else { return Ok(Err(missing(output))) };
    let Some(bytes) = read(sight, found)? else { return Ok(Err(too_large(output, found))) };
    let value: Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(error) => return Ok(Err(format!("the output `{}` is no JSON: {error}", output.name))),
    };
    if let Err(error) = meets(output, &value) {
        return Ok(Err(error));
    }
    let text = canonical(&value);
    let bytes = if text.as_bytes() == bytes {
        Bytes::Stored(found.id)
    } else {
        Bytes::New(write(sight, text.as_bytes())?)
    };
    let value = (text.len() <= MAX_VALUE_BYTES).then_some(text);
    Ok(Ok(Some(Put { name: output.name.clone(), kind: OutputKind::Document, bytes, value })))
}

fn text(sight: &Sight<'_>, output: &Output, stored: &BTreeMap<String, Artifact>) -> Result<Found, Refusal> {
    let Some(found) = stored.get(&output.name) else { return Ok(Err(missing(output))) };
    let Some(bytes) = read(sight, found)? else { return Ok(Err(too_large(output, found))) };
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(Err(format!("the output `{}` is no UTF-8", output.name)));
    };
    let value = Value::String(text).to_string();
    let value = (value.len() <= MAX_VALUE_BYTES).then_some(value);
    let (name, bytes) = (output.name.clone(), Bytes::Stored(found.id));
    Ok(Ok(Some(Put { name, kind: OutputKind::Text, bytes, value })))
}

fn too_large(output: &Output, found: &Artifact) -> String {
    let (name, size) = (&output.name, found.size);
    format!(
        "the output `{name}` has {size} bytes, and a document or text may have {MAX_DOCUMENT_BYTES}: put it out as a file"
    )
}

/// The bytes of an artifact; `None` where they are more than a document may have.
fn read(sight: &Sight<'_>, found: &Artifact) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(size) = usize::try_from(found.size).ok().filter(|size| *size <= MAX_DOCUMENT_BYTES) else {
        return Ok(None);
    };
    let broken = |why: String| Refusal::new(Code::Internal, format!("{} cannot be read: {why}", found.id));
    let open = sight.tools.blobs.open_read(&found.sha256).map_err(refusal_of)?;
    let (reader, _) = open.ok_or_else(|| broken("its bytes are gone".to_owned()))?;
    reader.read_at(0, size).map(Some).map_err(|error| broken(error.to_string()))
}

pub(super) fn write(sight: &Sight<'_>, bytes: &[u8]) -> Result<Kept, Refusal> {
    let broken = |error: &dyn std::fmt::Display| {
        Refusal::new(Code::StorageLow, format!("what a stage put out cannot be kept: {error}"))
            .retry_after(5_000)
    };
    let mut writer = sight.tools.blobs.writer(bytes.len() as u64).map_err(refusal_of)?;
    writer.write(bytes).map_err(|error| broken(&error))?;
    writer.finish(None).map_err(|error| broken(&error))
}

/// Members in order, nothing between: equal documents have equal bytes.
fn canonical(value: &Value) -> String {
    value.to_string()
}

fn meets(output: &Output, value: &Value) -> Result<(), String> {
    let Some(schema) = &output.schema else { return Ok(()) };
    let schema = Schema::read(schema)
        .map_err(|_| format!("the output `{}` has a schema that cannot be used", output.name))?;
    let faults = schema.faults(value);
    if faults.is_empty() {
        return Ok(());
    }
    let told = faults.iter().take(TOLD_FAULTS).map(|fault| {
        let place = if fault.field.is_empty() { "the whole" } else { &fault.field };
        format!("{place}: {}", fault.error)
    });
    let told: Vec<String> = told.collect();
    let more = faults.len().saturating_sub(TOLD_FAULTS);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Err(format!("the output `{}` breaks its schema: {}{more}", output.name, told.join("; ")))
}

/// Whether the error of an attempt is that its output was not what was promised.
pub(crate) fn is_of_output(error: &str) -> bool {
    error.starts_with(OF_OUTPUT)
}
