//! The members of `with`, for each sort of work.

use super::expression::{Expression, kind};
use super::file::HandedOn;
use super::form::{Field, Filled, Form, Needed, settled};
use super::lookup::Lookup;
use super::node::escaped;
use super::template::{Rendering, Template, Unrendered};
use super::{
    MAX_ARGUMENT_BYTES, MAX_CONCURRENCY, MAX_FIELDS_BYTES, MAX_INLINE_STDIN_BYTES, MAX_INPUT_BYTES,
    MAX_WAIT_MS, Subject, Until, Uses,
};
use crate::task::{MAX_PRIORITY, MIN_PRIORITY};
use serde_json::{Map, Value};

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form, needed: Needed::No, filled: Filled::Later }
}

const fn needed(name: &'static str, form: Form) -> Field {
    Field { name, form, needed: Needed::Yes, filled: Filled::Later }
}

const fn fixed(name: &'static str, form: Form) -> Field {
    Field { name, form, needed: Needed::No, filled: Filled::Fixed }
}

const fn needed_fixed(name: &'static str, form: Form) -> Field {
    Field { name, form, needed: Needed::Yes, filled: Filled::Fixed }
}

/// The files that a command gets, by their paths.
pub(super) const FILES: &str = "files";

const COMMAND: &[Field] = &[
    needed("argv", Form::Texts(1)),
    field("env", Form::TextMap),
    field("cwd", Form::Text),
    field("stdin", Form::Any),
    field(FILES, Form::Files),
    fixed("capabilities", Form::Tags),
];

const AGENT: &[Field] = &[
    needed_fixed("kind", Form::Slug),
    field("title", Form::Line),
    field("queue", Form::Slug),
    field("payload", Form::Any),
    field("priority", Form::Whole(MIN_PRIORITY as i64, MAX_PRIORITY as i64)),
    field("category", Form::Tag),
    field("labels", Form::Tags),
    field("capabilities", Form::Tags),
    field("assign_to", Form::Slug),
    field("concurrency_key", Form::Tag),
    field("concurrency_limit", Form::Whole(1, u32::MAX as i64)),
    field("rate_key", Form::Tag),
    field("rate_per_minute", Form::Whole(1, 1_000_000)),
];

const CHANGE: &[Field] = &[
    needed("repository", Form::Slug),
    needed("title", Form::Line),
    field("prompt", Form::Text),
    field("program", Form::TextOrTexts),
    field("criteria", Form::Texts(0)),
];

/// The methods that an `http` stage may use.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

const HTTP: &[Field] = &[
    field("method", Form::Word(METHODS)),
    needed("url", Form::Url),
    field("headers", Form::TextMap),
    field("body", Form::Any),
    fixed("expect", Form::Own),
];

const GATE: &[Field] = &[
    needed("subject", Form::Text),
    fixed("who", Form::Own),
    fixed("quorum", Form::Own),
    fixed("no_self_approval", Form::Truth),
    fixed("timeout_ms", Form::Whole(1, MAX_WAIT_MS)),
    fixed("on_timeout", Form::Word(&["approve", "reject", "nothing"])),
    fixed("on_reject", Form::Own),
    fixed("remind_after_ms", Form::Own),
    fixed("escalate", Form::Own),
];

const WAIT: &[Field] = &[field("for_ms", Form::Whole(1, MAX_WAIT_MS)), field("event", Form::Own)];

const PIPELINE: &[Field] = &[needed_fixed("name", Form::Slug), field("input", Form::Any)];

const FOREACH: &[Field] = &[
    needed("in", Form::List),
    fixed("as", Form::Own),
    fixed("concurrency", Form::Whole(1, MAX_CONCURRENCY as i64)),
    needed_fixed("do", Form::Own),
];

/// The members of `with` for a word of `uses`.
pub(super) fn fields(uses: &str) -> &'static [Field] {
    match uses {
        "command" => COMMAND,
        "agent" => AGENT,
        "change" => CHANGE,
        "http" => HTTP,
        "gate" => GATE,
        "wait" => WAIT,
        "pipeline" => PIPELINE,
        _ => FOREACH,
    }
}

/// The fields of a stage once names have values.
pub(super) fn rendered(
    uses: &Uses,
    with: &Template,
    names: &dyn Lookup,
) -> Result<Map<String, Value>, Unrendered> {
    let mut members = values(uses, with, names)?;
    for field in fields(uses.as_str()) {
        // A question is a text; the artifact that another gate asks about is not judged by its form.
        let asks_for_artifact =
            field.name == "subject" && matches!(uses, Uses::Gate(gate) if gate.subject != Subject::Question);
        if asks_for_artifact {
            continue;
        }
        if let Some(value) = members.remove(field.name) {
            let value = settled(field, value).map_err(|unfit| first(unfit, with, field.name))?;
            members.insert(field.name.to_owned(), value);
        }
    }
    match unfit(uses, &members) {
        None => Ok(members),
        Some((at, error)) => {
            let name = at.split('/').nth(1).unwrap_or_default().to_owned();
            Err(first(vec![(at, error)], with, &name))
        }
    }
}

fn values(uses: &Uses, with: &Template, names: &dyn Lookup) -> Result<Map<String, Value>, Unrendered> {
    let mut rendering = Rendering::new(names);
    let mut values = Map::new();
    for (name, member) in with.members() {
        let at = format!("/{}", escaped(name));
        let value = match uses {
            Uses::Command if name == FILES => files(member, &at, &mut rendering)?,
            _ => rendering.value(member, &at)?,
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// The files that are to be written: those that are handed on as they are need no value.
fn files(member: &Template, at: &str, rendering: &mut Rendering<'_>) -> Result<Value, Unrendered> {
    let mut files = Map::new();
    for (path, file) in member.members().iter().filter(|(_, file)| whole_output(file).is_none()) {
        let value = rendering.value(file, &format!("{at}/{}", escaped(path)))?;
        if !value.is_null() {
            files.insert(path.clone(), value);
        }
    }
    Ok(Value::Object(files))
}

/// The stage and output that a template is, where it is that and nothing else.
pub(super) fn whole_output(template: &Template) -> Option<(&str, &str)> {
    let Template::Expression(expression) = template else { return None };
    let path = expression.as_path().filter(|path| path.steps.len() == 4)?;
    let output = path.name(0) == Some("stages") && path.name(2) == Some("outputs");
    output.then(|| Some((path.name(1)?, path.name(3)?)))?
}

/// Outputs that are handed on as they are.
pub(super) fn handed_on(with: &Template) -> Vec<HandedOn<'_>> {
    let files = with.member(FILES).map(Template::members).unwrap_or_default();
    let files = files.iter().filter_map(|(path, file)| {
        let (stage, output) = whole_output(file)?;
        Some(HandedOn { path, stage, output })
    });
    files.collect()
}

/// The expressions whose value is asked for: all but outputs that are handed on as they are.
pub(super) fn looked_up(with: &Template) -> Vec<&Expression> {
    let members = with.members().iter().flat_map(|(name, member)| match name.as_str() {
        FILES => member
            .members()
            .iter()
            .map(|(_, file)| file)
            .filter(|file| whole_output(file).is_none())
            .collect(),
        _ => vec![member],
    });
    members.flat_map(Template::expressions).collect()
}

/// What cannot be carried out, though each field is of its form.
fn unfit(uses: &Uses, members: &Map<String, Value>) -> Option<(String, String)> {
    match uses {
        Uses::Command => argument(members).or_else(|| heavy(members)),
        Uses::Agent | Uses::Change => heavy(members),
        Uses::Pipeline(_) => {
            let bytes = members.get("input").map_or(0, json_bytes);
            let error = || {
                format!("becomes {bytes} bytes of JSON, and a run takes at most {MAX_INPUT_BYTES} as input")
            };
            (bytes > MAX_INPUT_BYTES).then(|| ("/input".to_owned(), error()))
        }
        Uses::Wait(Until::Event(_)) => {
            let subject = members.get("event").and_then(|event| event.get("subject"))?;
            let text = subject.as_str().is_some_and(|text| !text.is_empty());
            let error = "must become a text, the id of what the event is about; leave it out for any";
            (!text).then(|| ("/event/subject".to_owned(), format!("{error}, and is {}", kind(subject))))
        }
        _ => None,
    }
}

/// An argument or a variable that no program can be started with.
fn argument(members: &Map<String, Value>) -> Option<(String, String)> {
    let argv = members.get("argv").and_then(Value::as_array).into_iter().flatten().enumerate();
    let argv = argv.map(|(index, text)| (format!("/argv/{index}"), text.as_str().map_or(0, str::len)));
    let env = members.get("env").and_then(Value::as_object).into_iter().flatten();
    let env = env.map(|(name, text)| {
        (format!("/env/{}", escaped(name)), name.len() + 1 + text.as_str().map_or(0, str::len))
    });
    let (at, bytes) = argv.chain(env).find(|(_, bytes)| *bytes > MAX_ARGUMENT_BYTES)?;
    let error = format!(
        "becomes {bytes} bytes, and a program takes at most {MAX_ARGUMENT_BYTES} in one argument or variable; hand it on \
         through `stdin` or `files`"
    );
    Some((at, error))
}

/// Fields that are together more than goes with a task: told at the largest of them.
fn heavy(members: &Map<String, Value>) -> Option<(String, String)> {
    let weigh = |(name, value): (&String, &Value)| match name.as_str() {
        FILES => 0,
        "stdin" => Some(bytes(value)).filter(|bytes| *bytes <= MAX_INLINE_STDIN_BYTES).unwrap_or(0),
        _ => json_bytes(value),
    };
    let sum: usize = members.iter().map(weigh).sum();
    let (largest, _) =
        members.iter().max_by_key(|member| weigh(*member)).filter(|_| sum > MAX_FIELDS_BYTES)?;
    let error = format!(
        "is the largest of fields that together become {sum} bytes, and at most {MAX_FIELDS_BYTES} go with a task; hand larger \
         things on as artifacts: `files`, or a command's `stdin` beyond {MAX_INLINE_STDIN_BYTES} bytes"
    );
    Some((format!("/{}", escaped(largest)), error))
}

/// What a program reads of it: a text as it is, anything else as JSON.
fn bytes(value: &Value) -> usize {
    value.as_str().map_or_else(|| json_bytes(value), str::len)
}

fn json_bytes(value: &Value) -> usize {
    value.to_string().len()
}

fn first(unfit: Vec<(String, String)>, with: &Template, name: &str) -> Unrendered {
    let expression = match with.member(name) {
        Some(Template::Expression(expression)) => expression.source().to_owned(),
        _ => String::new(),
    };
    let (field, error) = unfit.into_iter().next().unwrap_or_default();
    Unrendered { field, expression, error }
}
