//! Tasks as they are shown: the members of `wire::task::View`, in its order.

use crate::pen::{self, Pen};
use tiltyard_engine::task::claim::Claimed;
use tiltyard_engine::task::submit::Submitted;
use tiltyard_engine::task::why::Why;
use tiltyard_model::id::Id;
use tiltyard_model::task::attempt::Attempt;
use tiltyard_model::task::{Spec, State, Task};
use tiltyard_model::visible::{is_hostile, is_suspicious};
use tiltyard_wire::task as wire;

/// What is known of a task beside its row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// What is left of its lease.
    pub(crate) lease_expires_in_ms: Option<i64>,
    /// Why it does not run.
    pub(crate) why: Option<&'a Why>,
}

/// Writes a task.
pub(crate) fn write(out: &mut Vec<u8>, task: &Task, beside: Beside<'_>) {
    pen::object(out, |pen| {
        pen.id("id", task.id);
        asked(pen, &task.spec);
        state(pen, task, beside);
        if is_marked(task) {
            pen.any("suspicious", &true);
        }
        pen.some("why", beside.why.map(why).as_ref());
    });
}

/// Writes a task that was claimed.
pub(crate) fn write_claimed(out: &mut Vec<u8>, claimed: &Claimed) {
    let lease_expires_in_ms = Some(claimed.lease_expires_in_ms);
    write(out, &claimed.found.task, Beside { lease_expires_in_ms, why: None });
}

/// A task alone, as text.
pub(crate) fn text(task: &Task) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM_BYTES + task.spec.payload.len());
    write(&mut out, task, Beside::default());
    out
}

/// What a task without its payload usually takes, in bytes.
pub(crate) const ROOM_BYTES: usize = 1_024;

/// What was asked for.
fn asked(pen: &mut Pen<'_>, spec: &Spec) {
    let extras = &spec.extras;
    pen.any("scope", &spec.scope);
    pen.any("queue", &spec.queue);
    pen.any("kind", &spec.kind);
    pen.any("title", &spec.title);
    pen.raw("payload", Some(&spec.payload));
    pen.any("priority", &spec.priority);
    pen.any("category", &extras.category);
    pen.any("labels", &extras.labels);
    pen.any("capabilities", &extras.capabilities);
    pen.any("depends_on", &spec.depends_on);
    pen.time("run_at", spec.run_at);
    pen.time("deadline", spec.deadline);
    pen.any("timeout_ms", &spec.timeout_ms);
    pen.any("max_attempts", &spec.max_attempts);
    pen.any("backoff", &extras.backoff);
    pen.any("unique_key", &spec.unique.as_ref().map(|unique| &unique.key));
    pen.any("unique_for_ms", &spec.unique.as_ref().and_then(|unique| unique.for_ms));
    pen.any("concurrency_key", &extras.concurrency.as_ref().map(|limit| &limit.key));
    pen.any("concurrency_limit", &extras.concurrency.as_ref().map(|limit| limit.limit));
    pen.any("rate_key", &extras.rate.as_ref().map(|rate| &rate.key));
    pen.any("rate_per_minute", &extras.rate.as_ref().map(|rate| rate.per_minute));
    pen.any("assign_to", &extras.assign_to);
    pen.any("on_dependency_failure", &extras.on_dependency_failure);
}

/// Where it stands.
fn state(pen: &mut Pen<'_>, task: &Task, beside: Beside<'_>) {
    let attempt = task.attempt.as_ref();
    pen.any("state", &task.state);
    pen.any("generation", &task.generation);
    pen.any("attempts", &task.used);
    pen.any("agent", &attempt.map(|attempt| &attempt.agent));
    pen.some("lease_expires_in_ms", beside.lease_expires_in_ms.as_ref());
    pen.some("progress", task.progress.as_ref());
    pen.some("message", task.message.as_ref());
    pen.time("created_at", Some(task.id.time_ms()));
    pen.time("ready_at", task.ready_at);
    pen.time("started_at", attempt.map(|attempt| attempt.started_at));
    pen.time("ended_at", task.ended_at);
    pen.raw("result", attempt.and_then(|attempt| attempt.result.as_deref()));
    pen.any("error", &attempt.and_then(|attempt| attempt.error.as_deref()));
    pen.some("reason", task.reason.as_ref());
    pen.some("stop", attempt.and_then(|attempt| attempt.stop.as_ref()));
    pen.some("change", task.change.as_ref());
}

/// SEC17: whether its texts hold characters that act instead of showing.
fn is_marked(task: &Task) -> bool {
    let error = task.attempt.as_ref().and_then(|attempt| attempt.error.as_deref());
    let lines =
        [Some(task.spec.title.as_str()), task.spec.extras.category.as_deref(), task.message.as_deref()];
    let labels = task.spec.extras.labels.iter().map(String::as_str);
    let hides = |line: &str| !is_plain(line) && line.chars().any(is_hostile);
    lines.into_iter().flatten().chain(labels).any(hides)
        || error.is_some_and(|error| !is_plain(error) && is_suspicious(error))
}

/// What nearly every text is: letters that a glance over the bytes shows to be harmless.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Writes a task in short.
pub(crate) fn write_brief(out: &mut Vec<u8>, task: &Task) {
    brief(out, task.id, task.state, &task.spec);
}

/// Writes a task in short that has just been submitted.
pub(crate) fn write_new_brief(out: &mut Vec<u8>, submitted: &Submitted, spec: &Spec) {
    brief(out, submitted.id, submitted.state, spec);
}

fn brief(out: &mut Vec<u8>, id: Id, state: State, spec: &Spec) {
    pen::object(out, |pen| {
        pen.id("id", id);
        pen.any("scope", &spec.scope);
        pen.any("queue", &spec.queue);
        pen.any("kind", &spec.kind);
        pen.any("title", &spec.title);
        pen.any("priority", &spec.priority);
        pen.any("state", &state);
        pen.time("created_at", Some(id.time_ms()));
    });
}

/// Why a task does not run.
pub(crate) fn why(why: &Why) -> wire::Why {
    let reason = |reason: &tiltyard_engine::task::why::Reason| wire::Reason {
        code: reason.code.to_owned(),
        text: reason.text.clone(),
        about: reason.about.clone(),
    };
    let reasons: Vec<_> = why.reasons.iter().map(reason).collect();
    let summary = reasons.first().map_or_else(String::new, |reason| reason.text.clone());
    wire::Why { state: why.state, summary, reasons }
}

/// Writes an attempt of the task at `path`.
pub(crate) fn write_attempt(out: &mut Vec<u8>, task: Id, attempt: &Attempt) {
    pen::object(out, |pen| {
        let generation = attempt.generation;
        pen.any("generation", &generation);
        pen.any("agent", &attempt.agent);
        pen.time("started_at", Some(attempt.started_at));
        pen.time("ended_at", attempt.ended_at);
        pen.any("outcome", &attempt.outcome);
        pen.any("error", &attempt.error);
        pen.raw("result", attempt.result.as_deref());
        let base = tiltyard_wire::endpoint::BASE_PATH;
        pen.any("log", &format!("{base}/tasks/{task}/log?generation={generation}"));
        pen.any("stop", &attempt.stop);
        if attempt.payload.is_some() {
            pen.raw("payload", attempt.payload.as_deref());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::id::Noun;
    use tiltyard_model::task::attempt::{Outcome, Stop};
    use tiltyard_model::task::{Concurrency, Extras, Rate, Unique};

    fn task() -> Task {
        let id = Id::from_parts(Noun::Task, Id::key_at(1_700_000_000_123, 1), 5);
        let limits = Extras {
            category: Some("b\u{202e}ug".into()),
            labels: vec!["a".into()],
            concurrency: Some(Concurrency { key: "k".into(), limit: 2 }),
            rate: Some(Rate { key: "r".into(), per_minute: 3 }),
            assign_to: Some("me".into()),
            ..Extras::default()
        };
        let spec = Spec {
            scope: "default".into(),
            queue: "default".into(),
            kind: "command".into(),
            title: "say \"hi\"".into(),
            payload: r#"{"x":[1.50,"é"]}"#.into(),
            priority: 7,
            extras: limits,
            depends_on: vec![id],
            run_at: Some(5),
            deadline: None,
            timeout_ms: 9,
            max_attempts: 2,
            unique: Some(Unique { key: "u".into(), for_ms: Some(4) }),
        };
        let attempt = Attempt {
            generation: 2,
            agent: "me".into(),
            instance: None,
            started_at: 7,
            ended_at: Some(8),
            outcome: Some(Outcome::Cancelled),
            error: Some("no".into()),
            result: Some("[1]".into()),
            stop: Some(Stop::Requested),
            payload: Some("{}".into()),
        };
        Task {
            id,
            spec,
            created_by: "x".into(),
            state: State::Cancelled,
            generation: 2,
            used: 1,
            waits_for: 0,
            ready_at: Some(6),
            attempt: Some(attempt),
            lease_ms: None,
            progress: Some(0.5),
            message: Some("m".into()),
            ended_at: Some(9),
            reason: Some("deadline".into()),
            change: Some(Id::from_parts(Noun::Change, 4, 5)),
        }
    }

    // What is written by hand is what the wire's own type writes: no member more, less or elsewhere.
    #[test]
    fn a_task_is_written_as_the_wire_has_it() {
        let reasons =
            vec![tiltyard_engine::task::why::Reason { code: "final", text: "t".into(), about: None }];
        let said = Why { state: State::Cancelled, reasons };
        let mut bare = task();
        bare.spec = Spec { extras: Extras::default(), unique: None, depends_on: Vec::new(), ..bare.spec };
        let bare = Task { attempt: None, progress: None, message: None, reason: None, change: None, ..bare };
        for (task, beside) in
            [(task(), Beside { lease_expires_in_ms: Some(3), why: Some(&said) }), (bare, Beside::default())]
        {
            let mut out = Vec::new();
            write(&mut out, &task, beside);
            let read: wire::View = serde_json::from_slice(&out).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(out).unwrap());
            assert_eq!(read.suspicious, task.spec.extras.category.is_some());
        }
    }

    #[test]
    fn briefs_and_attempts_are_written_as_the_wire_has_them() {
        let (task, mut out) = (task(), Vec::new());
        write_brief(&mut out, &task);
        let read: wire::Brief = serde_json::from_slice(&out).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(out).unwrap());
        for payload in [None, Some("{}".to_owned())] {
            let mut out = Vec::new();
            write_attempt(&mut out, task.id, &Attempt { payload, ..task.attempt.clone().unwrap() });
            let read: wire::Attempt = serde_json::from_slice(&out).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(out).unwrap());
        }
    }
}
