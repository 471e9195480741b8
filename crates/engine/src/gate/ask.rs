//! A stage of a run asks people: a gate opens, unless what they decided before counts for the very same subject (D22).

use super::{Of, Open, open};
use crate::act::{Act, refusal_of};
use crate::artifact::Artifact;
use sha2::{Digest, Sha256};
use tiltyard_model::gate::calendar::Calendar;
use tiltyard_model::gate::reuse::{Origin, Past, counts};
use tiltyard_model::gate::{MAX_QUESTION_BYTES, Reduction, SelfApproval, SubjectKind};
use tiltyard_model::id::Id;
use tiltyard_model::pipeline;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::rules::Asks;
use tiltyard_model::run::{Part, stage};
use tiltyard_store::gate::{About, Document, Found, Place, past};

/// A stage of a run that asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The key of its scope.
    pub scope: i64,
    /// The run.
    pub run: Id,
    /// What the stage is called in the definition.
    pub stage: String,
    /// Which attempt at it.
    pub part: Part,
    /// The gate as the definition describes it.
    pub gate: pipeline::Gate,
    /// What it asks about.
    pub subject: Subject,
    /// One line for people.
    pub title: String,
    /// Who started the root of the run, or saved the schedule that did.
    pub submitter: Option<String>,
    /// How much waits behind it.
    pub weight: i64,
    /// Whether earlier decisions count.
    pub past: stage::Past,
}

/// What a gate of a run asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An artifact.
    Artifact(Box<Artifact>),
    /// A question, in full.
    Question(String),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// People are asked.
    Opened(Box<Found>),
    /// They have decided before: its subject, as they had patched it, is what is approved.
    Reused(Box<Found>),
}

/// Asks people, or finds that they have answered.
///
/// # Errors
/// 422 for a question that is too long; when the store cannot write it.
pub fn ask(act: &mut Act<'_>, ask: Ask) -> Result<Asked, Refusal> {
    if let Subject::Question(text) = &ask.subject
        && text.len() > MAX_QUESTION_BYTES
    {
        let why = format!(
            "the question has {} bytes, at most {MAX_QUESTION_BYTES} are asked: put the long part into an artifact",
            text.len()
        );
        return Err(Refusal::field("/with/subject", why));
    }
    let asks = asks(&ask.gate);
    match decided(act, &ask, &asks)? {
        Some(found) => Ok(Asked::Reused(Box::new(found))),
        None => {
            let calendar = Calendar::of(&ask.gate, act.now.wall);
            open(act, opening(ask, asks, calendar)).map(|found| Asked::Opened(Box::new(found)))
        }
    }
}

/// Who decides a gate of a definition. Where nobody may decide on what they started, one lone person is asked twice: the
/// run would wait for ever otherwise (D26).
pub fn asks(gate: &pipeline::Gate) -> Asks {
    let reduction = match gate.self_approval {
        SelfApproval::Forbidden => Reduction::WhenAlone,
        SelfApproval::Allowed => Reduction::Never,
    };
    Asks { quorum: gate.quorum.clone(), self_approval: gate.self_approval, reduction }
}

/// The decision at an earlier attempt that counts for this one. An item of a list is another one each time.
fn decided(act: &Act<'_>, ask: &Ask, asks: &Asks) -> Result<Option<Found>, Refusal> {
    if ask.part.item.is_some() || ask.past == stage::Past::AskAnew {
        return Ok(None);
    }
    let found = past(act.tx, ask.run, ask.part.stage).map_err(refusal_of)?;
    Ok(found.filter(|found| {
        let past = Past {
            state: found.gate.state,
            origin: found.run.and_then(|place| place.origin),
            votes: found.gate.votes.clone(),
            submitter: found.gate.submitter.clone(),
        };
        counts(&past, origin(&ask.subject), asks, ask.past)
    }))
}

fn origin(subject: &Subject) -> Option<Origin> {
    match subject {
        Subject::Artifact(artifact) => Some(Origin { artifact: artifact.id }),
        Subject::Question(_) => None,
    }
}

fn opening(ask: Ask, asks: Asks, calendar: Calendar) -> Open {
    let origin = origin(&ask.subject);
    let place =
        Place { run: ask.run, part: ask.part, artifact: origin.map(|origin| origin.artifact), origin };
    let kind = match ask.subject {
        Subject::Artifact(_) => SubjectKind::Artifact,
        Subject::Question(_) => SubjectKind::Question,
    };
    let mut about = About { stage: Some(ask.stage), ..About::of(kind, ask.title) };
    let subject_sha256 = match ask.subject {
        Subject::Artifact(artifact) => {
            about.document = Some(document(&artifact));
            artifact.sha256
        }
        Subject::Question(text) => {
            let digest = hex::encode(Sha256::digest(&text));
            about.text = Some(text);
            digest
        }
    };
    Open {
        scope: ask.scope,
        of: Of::Run(place),
        about,
        subject_sha256,
        asks,
        submitter: ask.submitter,
        block: None,
        calendar,
        on_timeout: ask.gate.on_timeout,
        weight: ask.weight,
    }
}

/// What is shown of an artifact.
pub(super) fn document(artifact: &Artifact) -> Document {
    Document { media_type: artifact.media_type.clone(), bytes: artifact.size, name: artifact.name.clone() }
}
