//! Calls of `http` stages (D20). A call is a row before anybody makes it, and says who makes it before that is done; it is made
//! outside of the door, and what came of it is taken note of in one deed, which ends the row. So it is made at least once, and
//! again only where that does no harm, or where the stage says so.

mod answer;

use super::advance::{News, Told, advance};
use crate::act::{Act, refusal_of};
use crate::artifact::of_run;
use crate::outgoing::{CallError, Request, idempotency_key, traceparent};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::timeout::DEFAULT_HTTP_TIMEOUT_MS;
use tiltyard_model::pipeline::{Expect, OutputKind, RESULT};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::{Again, Failure, Outcome, Part};
use tiltyard_model::time::DurationMs;
use tiltyard_store::blob::Kept;
use tiltyard_store::run::call::{self, Call};
use tiltyard_store::run::output::{self, MAX_VALUE_BYTES, Of};
use tiltyard_store::{Rows, server};

pub(crate) use answer::made;

/// How often a call is made again by itself when its server has gone, where that does no harm.
const MAX_RECALLS: u32 = 3;
/// A server that was not seen for so long makes no calls any more.
const GONE_AFTER_MS: DurationMs = 15_000;
/// Methods that do the same however often they are sent (RFC 9110, 9.2.2).
const REPEATABLE: [&str; 4] = ["GET", "HEAD", "PUT", "DELETE"];

/// What a call asks, as its row keeps it.
#[derive(Debug, Clone, Deserialize)]
struct Asks {
    fields: Fields,
    expect: Expected,
    timeout_ms: Option<DurationMs>,
}

#[derive(Debug, Clone, Deserialize)]
struct Fields {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Expected {
    #[serde(default)]
    statuses: Vec<u16>,
    schema: Option<Value>,
}

impl Asks {
    fn method(&self) -> &str {
        self.fields.method.as_deref().unwrap_or("GET")
    }

    fn body(&self) -> Option<(Vec<u8>, &'static str)> {
        match &self.fields.body {
            Value::Null => None,
            Value::String(text) => Some((text.clone().into_bytes(), "text/plain; charset=utf-8")),
            other => Some((other.to_string().into_bytes(), "application/json")),
        }
    }
}

fn read(text: &str) -> Result<Asks, CallError> {
    serde_json::from_str(text)
        .map_err(|error| CallError::lasting(format!("the call cannot be read: {error}")))
}

/// A call that somebody is about to make.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// The key of the run.
    pub run: i64,
    /// Whose it is.
    pub part: Part,
    /// The run's id.
    id: Id,
    /// The stage's name.
    stage: String,
    /// What is asked.
    request: String,
}

/// What is to be sent, and what its answer must be like.
pub(crate) struct Ready {
    /// What is to be sent.
    pub request: Request,
    /// What its answer must be like.
    pub expect: Expect,
}

impl Taken {
    /// What is to be sent.
    ///
    /// # Errors
    /// When the row says nothing that could be.
    pub(crate) fn ready(&self) -> Result<Ready, CallError> {
        let asks = read(&self.request)?;
        let key = idempotency_key(self.id, &self.stage, self.part);
        let mut headers: BTreeMap<String, String> = [
            ("idempotency-key".to_owned(), key.clone()),
            ("traceparent".to_owned(), traceparent(self.id, &key)),
        ]
        .into();
        for (name, value) in asks.fields.headers.clone().into_iter().flatten() {
            let name = name.to_ascii_lowercase();
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(&name)),
            }
        }
        let request = Request {
            method: asks.method().to_owned(),
            url: asks.fields.url.clone(),
            headers,
            body: asks.body(),
            wanted: asks.expect.statuses.clone(),
            timeout_ms: asks.timeout_ms.unwrap_or(DEFAULT_HTTP_TIMEOUT_MS),
        };
        Ok(Ready { request, expect: Expect { statuses: asks.expect.statuses, schema: asks.expect.schema } })
    }
}

/// The machine that a call goes to, for sharing them out; empty where that cannot be told.
pub(crate) fn host_of(call: &Call) -> String {
    let url = read(&call.request).map(|asks| asks.fields.url).unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
}

/// Takes calls to make them: from here on this server makes them, or has ended.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn take(act: &mut Act<'_>, calls: Vec<Call>, word: &str) -> Result<Vec<Taken>, Refusal> {
    let mut taken = Vec::new();
    for Call { run, part, request, .. } in calls {
        let Some(live) = act.memory.runs.get(run) else { continue };
        let stage = live.graph.node(part.stage).id.clone();
        if call::take(act.tx, run, part, word, act.now.wall).map_err(refusal_of)? {
            taken.push(Taken { run, part, id: act.id(Noun::Run, run), stage, request });
        }
    }
    Ok(taken)
}

/// Calls whose server has gone while they were under way: whether they arrived nobody knows. Those that do no harm twice are made
/// again; of the others the stage says whether they are.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn lost(act: &mut Act<'_>, calls: Vec<Call>) -> Result<usize, Refusal> {
    let mut any = 0;
    for call in calls {
        any += usize::from(
            act.one_of_many("a call that nobody makes any more", call.run, |act| lose(act, &call))?,
        );
    }
    Ok(any)
}

fn lose(act: &mut Act<'_>, call: &Call) -> Result<(), Refusal> {
    let (run, part) = (call.run, call.part);
    let method = read(&call.request).map(|asks| asks.method().to_owned()).unwrap_or_default();
    if REPEATABLE.contains(&method.as_str()) && call.tries <= MAX_RECALLS {
        let server = call.server.as_deref().unwrap_or_default();
        return call::give_back(act.tx, run, part, server).map(drop).map_err(refusal_of);
    }
    let error = if call.tries > MAX_RECALLS {
        format!(
            "the server ended {} times while the call was under way; nobody knows whether it arrived",
            call.tries
        )
    } else {
        "the server ended while the call was under way; nobody knows whether it arrived. `retry` of the stage says whether it is \
         sent again"
            .to_owned()
    };
    let outcome = Outcome::Failed(part, Failure::Failed, Again::May);
    finish(act, Made { run, part, outcome, told: Told::error(error, "failed"), result: None, body: None })
}

/// Whether a call that is under way is nobody's any more: its server was not seen for long, or is this one, which does not make
/// it.
///
/// # Errors
/// When the store is broken.
pub(crate) fn gone(act: &Act<'_>, call: &Call, own: &str) -> Result<bool, Refusal> {
    gone_by(act.tx, act.now.wall, call, own)
}

fn gone_by(rows: &Rows, now: i64, call: &Call, own: &str) -> Result<bool, Refusal> {
    let word = call.server.as_deref().unwrap_or_default();
    if word == own {
        return Ok(true);
    }
    let there = server::all(rows).map_err(refusal_of)?;
    let is_there = |server: &server::Server| {
        format!("{}/{}", server.name, server.instance) == word && (server.seen_at - now).abs() < GONE_AFTER_MS
    };
    Ok(!there.iter().any(is_there))
}

/// What came of a call.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The key of the run.
    pub run: i64,
    /// Whose it was.
    pub part: Part,
    /// What follows.
    pub outcome: Outcome,
    /// What people are told.
    pub told: Told,
    /// `{status, headers, body}`, where there was an answer.
    pub result: Option<Answered>,
    /// The body, where it is not in the result: its place there is filled in when it has a row.
    pub body: Option<(Kept, String)>,
}

/// What a call was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// JSON; the body is null where it lies elsewhere.
    pub value: Value,
    /// Its bytes as a document, where it is too long for a row and all of it is known.
    pub kept: Option<Kept>,
}

/// Takes note of what came of a call. One that was called off meanwhile comes too late.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn finish(act: &mut Act<'_>, made: Made) -> Result<(), Refusal> {
    let Made { run, part, outcome, mut told, result, body } = made;
    if !call::end(act.tx, run, part).map_err(refusal_of)? {
        return Ok(());
    }
    let scope = act.memory.runs.get(run).map_or(0, |live| live.scope);
    if let Some(mut answered) = result {
        if let Some((kept, media_type)) = body {
            let stored = of_run(act, (run, scope), (&kept, Some(&media_type), None), "body")?;
            answered.value["body"] = answer::reference(&stored);
        }
        let text = answered.value.to_string();
        match part.item {
            Some(_) => told.result = Some(text),
            None => keep(act, (run, scope), part, &text, answered.kept.as_ref())?,
        }
    }
    advance(act, &News { told, ..News::of(run, outcome) })
}

fn keep(
    act: &mut Act<'_>,
    (run, scope): (i64, i64),
    part: Part,
    text: &str,
    kept: Option<&Kept>,
) -> Result<(), Refusal> {
    let artifact = match kept {
        Some(kept) => {
            Some(of_run(act, (run, scope), (kept, Some("application/json"), Some("result.json")), RESULT)?)
        }
        None => None,
    };
    let of = Of { run, stage: part.stage, attempt: part.attempt, item: None };
    let new = output::Put {
        name: RESULT,
        kind: OutputKind::Document,
        artifact: artifact.map(|stored| stored.id.key()),
        value: (text.len() <= MAX_VALUE_BYTES).then_some(text),
    };
    output::put(act.tx, of, &new).map_err(refusal_of)
}
