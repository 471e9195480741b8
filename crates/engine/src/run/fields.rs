//! The fields of a stage, filled in, as what carries it out wants them.

use super::names::{Got, Names};
use super::prepare::{Ready, Sight};
use serde_json::{Map, Value, json};
use tiltyard_model::event::Type;
use tiltyard_model::pipeline::{Expect, From, MAX_FOREACH_ITEMS, Output, Stage, Uses, Work};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::Part;
use tiltyard_model::task::admission::MAX_TITLE_CHARS;
use tiltyard_model::task::{
    CHANGE_KIND, Concurrency, DEFAULT_PRIORITY, DEFAULT_QUEUE, DEFAULT_TIMEOUT_MS, Extras, Rate, Spec,
};
use tiltyard_model::time::DurationMs;

/// The kind of a task that an agent runs as a program.
const COMMAND_KIND: &str = "command";

/// The task of a stage.
pub(super) fn task(
    sight: &Sight<'_>,
    (of, names): (&Stage, &Names),
    part: Part,
    (work, mut fields): (&Work, Map<String, Value>),
) -> Result<Ready, Refusal> {
    let (kind, payload) = match &work.uses {
        Uses::Command => (COMMAND_KIND.to_owned(), command(names, work, &mut fields)?),
        Uses::Change => (CHANGE_KIND.to_owned(), change(&fields)),
        _ => (
            text(&mut fields, "kind").unwrap_or_default(),
            fields.remove("payload").unwrap_or_else(|| json!({})),
        ),
    };
    let title = text(&mut fields, "title").unwrap_or_else(|| title(sight, of, part));
    let capabilities = texts(&mut fields, "capabilities");
    let extras = Extras {
        category: text(&mut fields, "category"),
        labels: texts(&mut fields, "labels"),
        capabilities,
        backoff: work.retry.backoff,
        concurrency: concurrency(&mut fields),
        rate: rate(&mut fields),
        assign_to: text(&mut fields, "assign_to"),
        ..Extras::default()
    };
    let priority = number(&mut fields, "priority").and_then(|priority| u8::try_from(priority).ok());
    Ok(Ready::Task(Box::new(Spec {
        scope: sight.found.scope_name.clone(),
        queue: text(&mut fields, "queue").unwrap_or_else(|| DEFAULT_QUEUE.to_owned()),
        kind,
        title,
        payload: payload.to_string(),
        priority: priority.unwrap_or(DEFAULT_PRIORITY),
        extras,
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: work.time_out_ms().unwrap_or(DEFAULT_TIMEOUT_MS),
        max_attempts: work.retry.max_attempts,
        unique: None,
    })))
}

/// What an agent runs, and what it takes of it.
fn command(names: &Names, work: &Work, fields: &mut Map<String, Value>) -> Result<Value, Refusal> {
    let mut payload = Map::new();
    for name in ["argv", "env", "cwd", "stdin", "files"] {
        if let Some(value) = fields.remove(name).filter(|value| !value.is_null()) {
            payload.insert(name.to_owned(), value);
        }
    }
    for file in work.handed_on() {
        let value = match names.handed(file.stage, file.output) {
            None | Some(Got::Value(Value::Null)) => continue,
            Some(Got::Value(value)) => value.clone(),
            Some(Got::TooLarge(bytes)) => {
                let text = format!("files: `{}` has {bytes} bytes and no artifact of its own", file.path);
                return Err(Refusal::new(Code::Invalid, text));
            }
        };
        let files = payload.entry("files").or_insert_with(|| json!({}));
        if let Some(files) = files.as_object_mut() {
            files.insert(file.path.to_owned(), value);
        }
    }
    let outputs: Map<String, Value> = work.outputs.iter().filter_map(output).collect();
    if !outputs.is_empty() {
        payload.insert("outputs".to_owned(), Value::Object(outputs));
    }
    Ok(Value::Object(payload))
}

/// What an agent takes of a program; its result it reports anyway.
fn output(output: &Output) -> Option<(String, Value)> {
    let asked = match &output.from {
        From::File { path, media_type: None } => json!({"file": path}),
        From::File { path, media_type } => json!({"file": path, "media_type": media_type}),
        From::Json { path } => json!({"json": path}),
        From::StdoutJson => json!({"stdout": "json"}),
        From::StdoutText => json!({"stdout": "text"}),
        From::Result => return None,
    };
    Some((output.name.clone(), asked))
}

/// The idea of a change.
fn change(fields: &Map<String, Value>) -> Value {
    let idea = ["repository", "prompt", "program", "criteria"].into_iter().filter_map(|name| {
        Some((name.to_owned(), fields.get(name).filter(|value| !value.is_null())?.clone()))
    });
    Value::Object(idea.collect())
}

/// `<pipeline> · <stage>`, with the item's place where there is one.
pub(super) fn title(sight: &Sight<'_>, of: &Stage, part: Part) -> String {
    let pipeline = sight.found.made.pipeline.as_deref().unwrap_or("pipeline");
    let item = part.item.map(|item| format!("#{}", item.index)).unwrap_or_default();
    format!("{pipeline} · {}{item}", of.id).chars().take(MAX_TITLE_CHARS).collect()
}

fn concurrency(fields: &mut Map<String, Value>) -> Option<Concurrency> {
    let limit = number(fields, "concurrency_limit").and_then(|limit| u32::try_from(limit).ok());
    text(fields, "concurrency_key").map(|key| Concurrency { key, limit: limit.unwrap_or(1) })
}

fn rate(fields: &mut Map<String, Value>) -> Option<Rate> {
    let per_minute = number(fields, "rate_per_minute").and_then(|rate| u32::try_from(rate).ok());
    text(fields, "rate_key").zip(per_minute).map(|(key, per_minute)| Rate { key, per_minute })
}

/// The list of a `foreach`, an item a text of JSON.
pub(super) fn list(mut fields: Map<String, Value>) -> Ready {
    match fields.remove("in") {
        Some(Value::Array(items)) if items.len() > MAX_FOREACH_ITEMS => {
            let text = format!("in: has {} items, and a list may have {MAX_FOREACH_ITEMS}", items.len());
            Ready::Fail(text)
        }
        Some(Value::Array(items)) => Ready::List(items.iter().map(Value::to_string).collect()),
        _ => Ready::Fail("in: is no list".to_owned()),
    }
}

/// A wait for so long.
pub(super) fn sleep(fields: &Map<String, Value>) -> Ready {
    match fields.get("for_ms").and_then(Value::as_i64) {
        Some(for_ms) => Ready::Sleep(for_ms),
        None => Ready::Fail("for_ms: is no number".to_owned()),
    }
}

/// A wait for an event.
pub(super) fn event(kind: Type, fields: &Map<String, Value>) -> Ready {
    match fields.get("event").and_then(|event| event.get("subject")) {
        None => Ready::Event(kind, None),
        Some(Value::String(subject)) => Ready::Event(kind, Some(subject.clone())),
        Some(_) => Ready::Fail("event.subject: is no text; what it looks up has no such value".to_owned()),
    }
}

/// A call, with what its answer must be like.
pub(super) fn call(work: &Work, expect: &Expect, mut fields: Map<String, Value>) -> Ready {
    fields.remove("expect");
    let timeout_ms: Option<DurationMs> = work.time_out_ms();
    let expected = json!({"statuses": expect.statuses, "schema": expect.schema});
    Ready::Call(json!({"fields": fields, "expect": expected, "timeout_ms": timeout_ms}).to_string())
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn number(fields: &mut Map<String, Value>, name: &str) -> Option<i64> {
    fields.remove(name)?.as_i64()
}

/// Sorted and without doubles, as tasks have them.
fn texts(fields: &mut Map<String, Value>, name: &str) -> Vec<String> {
    let Some(Value::Array(items)) = fields.remove(name) else { return Vec::new() };
    let mut all: Vec<String> = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    all.sort();
    all.dedup();
    all
}
