//! `--follow`: what happens to a run, one line each, until it is over.

use crate::context::Context;
use crate::exit::Failure;
use crate::moment::short;
use crate::output::style::Colour;
use serde_json::Value;
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Request};
use tiltyard_model::run::State;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, Query};
use tiltyard_wire::run::View;

/// The cursor before the oldest event that is kept.
const OLDEST: &str = "0";
/// What every type begins with, and people know.
const TYPE_PREFIX: &str = "tiltyard.";
/// What says that a run is over.
const ENDS: [&str; 3] = ["run.succeeded", "run.failed", "run.cancelled"];

/// Tells what happens until the run is over, also what has happened before. A gate is told with the command that decides,
/// and waited for.
///
/// # Errors
/// A run that ends otherwise than succeeded; those of the calls.
pub async fn until_final(context: &Context, client: &Client, run: View) -> Result<(), Failure> {
    let query = Query { run: Some(run.id.to_string()), after: Some(OLDEST.to_owned()), ..Query::default() };
    if !context.output.is_json() {
        context.output.line(&format!("{}  {}", run.id, run.state.as_str()))?;
    }
    let mut stream = client.follow(Request::<call::EventStream>::new().query(query));
    while let Some(item) = stream.next().await? {
        let event = match item {
            Item::Next(event) => event,
            Item::Broken(error) => {
                super::eprintln_line(&format!("{error}; resuming"));
                continue;
            }
        };
        tell(context, &event)?;
        if ENDS.contains(&word(&event)) && event.subject == run.id.to_string() {
            // A run that went on again meanwhile ends once more.
            let now = client.call(Request::<call::RunGet>::new().place(run.id)).await?;
            if now.state.is_final() {
                return over(context, &now);
            }
        }
    }
    Err(Failure::failed(format!("the server ended the stream before {} was over", run.id)))
}

fn over(context: &Context, run: &View) -> Result<(), Failure> {
    if run.state == State::Succeeded {
        return if context.output.is_json() {
            Ok(())
        } else {
            context.output.line(&format!("{}  succeeded", run.id))
        };
    }
    let why = run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let failure = Failure::failed(format!("{} {}{why}", run.id, run.state.as_str()));
    Err(match &run.next {
        Some(next) => failure.hint(next.clone()),
        None => failure.hint(format!("tiltyard runs show {}", run.id)),
    })
}

/// The type without what each begins with.
fn word(event: &Event) -> &str {
    event.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&event.kind)
}

fn tell(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json_line(event);
    }
    let data = serde_json::from_str(event.data.get()).unwrap_or_default();
    let Some((colour, text)) = sentence(word(event), &event.subject, &data) else { return Ok(()) };
    let paint = context.output.paint;
    let head = paint.colour(Colour::Dim, &short(event.time));
    let text = visible::line(&text).into_owned();
    context
        .output
        .line(&format!("{head}  {}", colour.map_or(text.clone(), |colour| paint.colour(colour, &text))))
}

/// What an event means to somebody who waits; `None` for what says nothing new: a run goes to and fro between `running` and
/// `waiting` with every pause.
fn sentence(word: &str, subject: &str, data: &Value) -> Option<(Option<Colour>, String)> {
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| data[name].as_u64().unwrap_or_default();
    let stage = text("stage");
    Some(match word {
        "stage.started" => {
            let again = if number("attempt") > 1 {
                format!(", attempt {}", number("attempt"))
            } else {
                String::new()
            };
            (None, format!("{stage}: {} {}{again}", text("uses"), text("thing")))
        }
        "stage.succeeded" => (Some(Colour::Green), format!("{stage}: succeeded")),
        "stage.failed" => (Some(Colour::Red), format!("{stage}: failed: {}", text("error"))),
        "stage.skipped" => (Some(Colour::Dim), format!("{stage}: skipped{}", because(data))),
        "stage.cancelled" => (Some(Colour::Yellow), format!("{stage}: cancelled: {}", text("reason"))),
        "stage.retrying" => (
            Some(Colour::Yellow),
            format!("{stage}: failed, tried again at {}: {}", text("due"), text("error")),
        ),
        "stage.sent_back" => (
            Some(Colour::Yellow),
            format!("{stage}: once more, sent back by {} (round {})", text("gate"), number("round")),
        ),
        "stage.listed" => (None, format!("{stage}: {} items", number("items"))),
        "stage.progress" => {
            let failed = match number("failed") {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            (None, format!("{stage}: {} of {} items{failed}", number("ended"), number("items")))
        }
        "gate.opened" => {
            let text = format!(
                "waits for a decision: tiltyard approve {subject}, or tiltyard reject {subject} --reason TEXT"
            );
            (Some(Colour::Yellow), text)
        }
        "gate.approved" | "gate.rejected" | "gate.auto_approved" | "gate.expired" => {
            (None, format!("{subject}: {}", word.trim_start_matches("gate.")))
        }
        "run.rerun" => (None, "run again".to_owned()),
        _ => return None,
    })
}

fn because(data: &Value) -> String {
    match (data["cause"].as_str(), data["root"].as_str()) {
        (Some("condition"), _) => " by its condition".to_owned(),
        (_, Some(root)) => format!(", because {root} did not succeed"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_happens_is_told_in_sentences() {
        let told = |word: &str, data: Value| sentence(word, "gate_1", &data).map(|(_, text)| text);
        let started = json!({"stage": "a", "attempt": 2, "uses": "command", "thing": "task_1"});
        assert_eq!(told("stage.started", started).as_deref(), Some("a: command task_1, attempt 2"));
        let skipped = json!({"stage": "b", "cause": "needs", "root": "a"});
        assert_eq!(told("stage.skipped", skipped).as_deref(), Some("b: skipped, because a did not succeed"));
        assert!(told("gate.opened", json!({})).is_some_and(|text| text.contains("tiltyard approve gate_1")));
        assert_eq!((told("run.waiting", json!({})), told("task.ready", json!({}))), (None, None));
    }
}
