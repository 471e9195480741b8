//! The log, told again: from the events alone, where each task stands. A move that is not in the table of the domain
//! document, or that is told twice, does not fit.

use serde_json::Value;
use std::collections::BTreeMap;

/// Where a task stands after the events so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Story {
    /// Its state.
    pub(crate) state: String,
    /// Its generation.
    pub(crate) generation: i64,
}

/// Where every task stands, and what does not fit.
pub(crate) fn fold(events: &[Value]) -> (BTreeMap<&str, Story>, Vec<String>) {
    let mut wrong = holes(events);
    let mut stories = BTreeMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        let Some(what) = kind.strip_prefix("tiltyard.task.") else { continue };
        let subject = event["subject"].as_str().unwrap_or_default();
        let before = stories.get(subject).cloned();
        match step(before.as_ref(), what, &event["data"]) {
            Step::To(story) => drop(stories.insert(subject, story)),
            Step::Nothing => {}
            Step::Wrong => wrong.push(format!("after {before:?} came {event}")),
        }
    }
    (stories, wrong)
}

/// D50: `seq` is gap-free in the store, `scope_seq` in the scope; the id is epoch and seq.
fn holes(events: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut scopes: BTreeMap<&str, i64> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        let seq = event["seq"].as_i64().unwrap_or_default();
        let id = event["id"].as_str().unwrap_or_default();
        if seq != place as i64 + 1 || !id.ends_with(&format!("-{seq}")) {
            wrong.push(format!("the event in place {} is {event}", place + 1));
            break;
        }
        let last = scopes.entry(event["scope"].as_str().unwrap_or_default()).or_default();
        let scope_seq = event["scope_seq"].as_i64().unwrap_or_default();
        if scope_seq != *last + 1 {
            wrong.push(format!("after {last} of its scope came {event}"));
        }
        *last = scope_seq;
    }
    wrong
}

enum Step {
    To(Story),
    Nothing,
    Wrong,
}

fn step(before: Option<&Story>, what: &str, data: &Value) -> Step {
    let (from, generation) = before.map_or(("", 0), |story| (story.state.as_str(), story.generation));
    let said = data["generation"].as_i64();
    let to = |state: &str, generation| Step::To(Story { state: state.to_owned(), generation });
    let ends = from == "running" && said == Some(generation);
    match what {
        "submitted" if from.is_empty() || matches!(from, "dead" | "cancelled") => {
            to(data["state"].as_str().unwrap_or_default(), generation)
        }
        "ready" if matches!(from, "pending" | "scheduled" | "dead" | "cancelled") => to("ready", generation),
        "leased" if from == "ready" && said == Some(generation + 1) => to("running", generation + 1),
        "lease_lost" | "released" if ends => to("ready", generation),
        "failed" if ends => to("scheduled", generation),
        "waiting" if ends => to("waiting", generation),
        "succeeded" if ends => to("succeeded", generation),
        "dead" if ends => to("dead", generation),
        "cancelled" if !matches!(from, "" | "succeeded" | "dead" | "cancelled") => {
            to("cancelled", generation)
        }
        "updated" | "stopped" => Step::Nothing,
        _ => Step::Wrong,
    }
}
