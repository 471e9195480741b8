//! The members of `with`, for each sort of work.

use super::form::{Field, Filled, Form, Needed, settled};
use super::template::{Template, Unrendered};
use super::{MAX_CONCURRENCY, MAX_WAIT_MS, Subject, Uses};
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

const COMMAND: &[Field] = &[
    needed("argv", Form::Texts(1)),
    field("env", Form::TextMap),
    field("cwd", Form::Text),
    field("stdin", Form::Any),
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
    names: &Value,
) -> Result<Map<String, Value>, Unrendered> {
    let Value::Object(mut members) = with.render(names)? else { return Ok(Map::new()) };
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
    Ok(members)
}

fn first(unfit: Vec<(String, String)>, with: &Template, name: &str) -> Unrendered {
    let expression = match with.member(name) {
        Some(Template::Expression(expression)) => expression.source().to_owned(),
        _ => String::new(),
    };
    let (field, error) = unfit.into_iter().next().unwrap_or_default();
    Unrendered { field, expression, error }
}
