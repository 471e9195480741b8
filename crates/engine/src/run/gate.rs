//! Gates of runs: what one asks about, and what becomes of its run when it has ended (D22, D23). The gate itself is
//! [`crate::gate`]'s.

use super::advance::{News, Told, advance};
use super::begin::goes_on;
use super::names::Got;
use super::prepare::{Ready, Sight};
use crate::act::{Act, refusal_of};
use crate::artifact::Artifact;
use crate::blob::Kept;
use crate::gate::ask::{Ask, Asked, Subject as Shown, ask};
use crate::pipeline::known::Definitions;
use serde_json::{Map, Value, json};
use tiltyard_model::event::ArtifactStored;
use tiltyard_model::gate::back::{Way, feedback};
use tiltyard_model::gate::{Side, State};
use tiltyard_model::id::Noun;
use tiltyard_model::pipeline::{self, OutputKind, RESULT, SUBJECT, Stage, Subject};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::graph::Graph;
use tiltyard_model::run::{Going, Outcome, Part, Rejection};
use tiltyard_model::schema::Schema;
use tiltyard_model::time::rfc3339;
use tiltyard_store::gate::{Found, Place};
use tiltyard_store::run::output::{self, MAX_VALUE_BYTES, Of, Put};
use tiltyard_store::{Rows, artifact};

/// A gate that is to open.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    stage: String,
    title: String,
    gate: pipeline::Gate,
    subject: About,
}

/// What it asks about.
#[derive(Debug, Clone)]
enum About {
    /// What a stage has put out.
    Artifact(Box<Artifact>),
    /// A result that no row names yet, and what it is called.
    Result(Kept, String),
    /// A question.
    Question(String),
}

/// The gate of a stage, or of an item.
pub(super) fn ready(
    sight: &Sight<'_>,
    of: &Stage,
    (gate, part): (&pipeline::Gate, Part),
    mut fields: Map<String, Value>,
) -> Result<Ready, Refusal> {
    let subject = match &gate.subject {
        Subject::Question => match fields.remove("subject") {
            Some(Value::String(text)) => About::Question(text),
            _ => return Ok(Ready::Fail("subject: is no text".to_owned())),
        },
        Subject::Output { stage, output } => match put_out(sight, *stage, output)? {
            Ok(about) => about,
            Err(error) => return Ok(Ready::Fail(format!("subject: {error}"))),
        },
    };
    let title = super::fields::title(sight, of, part);
    Ok(Ready::Gate(Box::new(Asking { stage: of.id.clone(), title, gate: gate.clone(), subject })))
}

fn put_out(sight: &Sight<'_>, stage: usize, name: &str) -> Result<Result<About, String>, Refusal> {
    let Some(of) = sight.definition.stages.get(stage) else {
        return Ok(Err("there is no such stage".into()));
    };
    let nothing = || format!("the stage `{}` has put out no `{name}`", of.id);
    let Some(found) = sight.stage(&of.id)? else { return Ok(Err(nothing())) };
    let of_stage = Of { run: sight.found.key, stage: found.index, attempt: found.stage.attempt, item: None };
    let kept = output::one(sight.rows, of_stage, name).map_err(refusal_of)?.and_then(|kept| kept.stored);
    if let Some(stored) = kept {
        let found = artifact::get(sight.rows, stored.id).map_err(refusal_of)?;
        return Ok(found.map(|found| About::Artifact(Box::new(found))).ok_or_else(nothing));
    }
    match super::names::output_of(sight, &of.id, name)? {
        Got::Value(Value::Null) => Ok(Err(nothing())),
        Got::TooLarge(bytes) => {
            Ok(Err(format!("it has {bytes} bytes, which is more than people are asked about")))
        }
        Got::Value(value) => {
            let kept = super::judge::write(sight, value.to_string().as_bytes())?;
            Ok(Ok(About::Result(kept, name.to_owned())))
        }
    }
}

/// Opens it, or finds that people have answered.
pub(super) fn open(act: &mut Act<'_>, (run, part): (i64, Part), asking: Asking) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(()) };
    let (scope, past) = (live.scope, live.run.stage(part.stage).past);
    let found = super::find::by_key(act.tx, run)?;
    let subject = match asking.subject {
        About::Artifact(artifact) => Shown::Artifact(artifact),
        About::Result(kept, name) => Shown::Artifact(Box::new(named(act, run, (scope, &kept), &name)?)),
        About::Question(text) => Shown::Question(text),
    };
    let asked = Ask {
        scope,
        run: found.id,
        stage: asking.stage,
        part,
        gate: asking.gate,
        subject,
        title: asking.title,
        submitter: found.made.submitter.clone(),
        weight: weight(act, run, part),
        past,
    };
    match ask(act, asked)? {
        Asked::Opened(gate) => goes_on(act, (run, part), Some((Noun::Gate, gate.key)), Going::Waiting),
        Asked::Reused(gate) => {
            keep(act, (run, part), &gate, Earlier::Reused)?;
            goes_on(act, (run, part), Some((Noun::Gate, gate.key)), Going::Running)?;
            advance(act, &News::of(run, Outcome::Succeeded(part)))
        }
    }
}

/// The row of a result that people are asked about.
fn named(act: &mut Act<'_>, run: i64, (scope, kept): (i64, &Kept), name: &str) -> Result<Artifact, Refusal> {
    let key = act.next_key();
    let new = Artifact {
        id: act.id(Noun::Artifact, key),
        scope,
        scope_name: act.memory.names.scope_name(scope).to_owned(),
        sha256: kept.sha256.clone(),
        size: kept.size,
        media_type: "application/json".to_owned(),
        name: Some(format!("{name}.json")),
        attempt: None,
        run: Some(act.id(Noun::Run, run)),
        output: Some(name.to_owned()),
    };
    artifact::insert(act.tx, &new).map_err(refusal_of)?;
    let event = ArtifactStored { sha256: new.sha256.clone(), bytes: new.size };
    act.event_within(scope, &new.id.into(), crate::act::record::Within::run(run), &event)?;
    Ok(new)
}

/// How many stages wait for this one, here and in the runs above.
fn weight(act: &Act<'_>, run: i64, part: Part) -> i64 {
    let (mut at, mut weight) = (Some((run, part)), 0);
    while let Some((run, part)) = at {
        let Some(live) = act.memory.runs.get(run) else { break };
        weight += i64::from(live.graph.behind(part.stage));
        at = live.parent;
    }
    weight
}

/// Whether a decision was made now, or counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Earlier {
    Now,
    Reused,
}

/// What a gate puts out: what was approved, and who said so.
fn keep(act: &mut Act<'_>, (run, part): (i64, Part), gate: &Found, earlier: Earlier) -> Result<(), Refusal> {
    let of = Of { run, stage: part.stage, attempt: part.attempt, item: part.item.map(|item| item.index) };
    let artifact = gate.run.and_then(|place| place.artifact).and_then(|id| act.tx.key(id));
    let question = gate.about.text.as_ref().map(|text| Value::String(text.clone()).to_string());
    let question = question.filter(|text| text.len() <= MAX_VALUE_BYTES);
    let kind = if artifact.is_some() { OutputKind::Document } else { OutputKind::Text };
    let subject = Put { name: SUBJECT, kind, artifact, value: question.as_deref() };
    output::put(act.tx, of, &subject).map_err(refusal_of)?;
    let ended = gate.gate.ended.as_ref();
    let comment = gate.gate.votes.last().and_then(|vote| vote.comment.clone());
    let mut by: Vec<&str> = Vec::new();
    for vote in gate.gate.votes.iter().filter(|vote| vote.side == Side::Approve) {
        if !by.contains(&vote.voter.identity.as_str()) {
            by.push(&vote.voter.identity);
        }
    }
    let mut said = json!({
        "state": gate.gate.state.as_str(),
        "by": by,
        "comment": comment,
        "at": ended.map(|ended| rfc3339(ended.at_ms)),
    });
    if let (Earlier::Reused, Some(members)) = (earlier, said.as_object_mut()) {
        members.insert("reused".to_owned(), Value::String(gate.gate.id.to_string()));
    }
    let said = said.to_string();
    let result = Put { name: RESULT, kind: OutputKind::Document, artifact: None, value: Some(&said) };
    output::put(act.tx, of, &result).map_err(refusal_of)
}

/// A gate of a run has ended: the run goes on, back, or stops there. Nothing while it is open.
pub(crate) fn ended(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let Some(place) = found.run else { return Ok(()) };
    let (run, part) = (place.run.key(), place.part);
    // A run that has gone on without it does not hear of it.
    let live = act.memory.runs.get(run);
    if live.is_none_or(|live| live.run.stage(part.stage).attempt != part.attempt) {
        return Ok(());
    }
    let by = found.gate.ended.as_ref().and_then(|ended| ended.by.clone());
    match found.gate.state {
        State::Open | State::Cancelled | State::Superseded => Ok(()),
        State::Approved | State::AutoApproved => {
            keep(act, (run, part), found, Earlier::Now)?;
            advance(act, &News::of(run, Outcome::Succeeded(part)))
        }
        State::Rejected | State::Expired => {
            let said = feedback(&found.gate);
            let error = match (&by, said.reason) {
                (Some(by), Some(reason)) => format!("{by} rejected: {reason}"),
                (Some(by), None) => format!("{by} rejected"),
                (None, _) => "nobody decided in time, which means no".to_owned(),
            };
            let cause = if by.is_some() { "rejected" } else { "expired" };
            let named = found.gate.ended.as_ref().and_then(|ended| ended.back.as_ref());
            let named = named.and_then(|back| back.to_stage.clone());
            let live = act.memory.runs.get(run);
            let stage = named.and_then(|name| live?.graph.find(&name));
            let rejection = stage.map_or(Rejection::AsDefined, Rejection::Back);
            let told = Told { by, gate: Some(found.gate.id), ..Told::error(error, cause) };
            advance(act, &News { told, ..News::of(run, Outcome::Rejected(part, rejection)) })
        }
    }
}

/// What a reject may carry at a gate of a run.
///
/// # Errors
/// 422 at `/to_stage` for a stage that the run has not, or that the gate does not run after.
pub(crate) fn way(act: &Act<'_>, place: &Place, to_stage: Option<&str>) -> Result<Way, Refusal> {
    if place.part.item.is_some() {
        return Ok(Way::Item);
    }
    let Some(live) = act.memory.runs.get(place.run.key()) else { return Ok(Way::Named) };
    let graph: &Graph = &live.graph;
    if let Some(name) = to_stage {
        let stage = graph.find(name);
        let shown: String = name.chars().take(64).collect();
        let stage =
            stage.ok_or_else(|| Refusal::field("/to_stage", format!("the run has no stage `{shown}`")))?;
        if !graph.is_before(stage, place.part.stage) {
            let text = format!("the gate does not run after `{shown}`, so it cannot send the run back there");
            return Err(Refusal::field("/to_stage", text));
        }
    }
    let node = graph.node(place.part.stage);
    let left = node.back.is_some_and(|back| live.run.stage(place.part.stage).sent_back < back.rounds);
    Ok(if left { Way::Defined } else { Way::Named })
}

/// The schema that the subject of a gate must meet, also after a patch; `None` where its definition says none.
///
/// # Errors
/// When the store is broken, or the schema cannot be used.
pub(crate) fn schema(rows: &Rows, place: &Place) -> Result<Option<Schema>, Refusal> {
    let found = tiltyard_store::run::get(rows, place.run).map_err(refusal_of)?;
    let Some(found) = found else { return Ok(None) };
    let definition = Definitions::default().get(rows, found.made.version)?;
    let stage = place.part.stage as usize;
    let Some(schema) = definition.output_schema(stage, SUBJECT) else { return Ok(None) };
    Schema::read(schema).map(Some).map_err(|_| {
        use tiltyard_model::refusal::Code;
        Refusal::new(Code::Internal, "the schema of a gate's subject cannot be used")
    })
}
