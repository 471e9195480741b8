//! Submissions: sentences become specs.

use super::template::fill;
use crate::ask::{Ask, scope_of};
use crate::caller::may_use_queue;
use crate::parameter::one_scope;
use crate::pen;
use crate::reply::{Answer, Reply};
use crate::view;
use http::StatusCode;
use serde_json::value::RawValue;
use tiltyard_engine::task::submit::{Submitted, submit, submit_batch};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::{Fault, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::task::admission::MAX_BATCH_TASKS;
use tiltyard_model::task::{
    Concurrency, DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, DEFAULT_QUEUE, DEFAULT_TIMEOUT_MS, Extras, Rate,
    Spec, State, Task, Unique,
};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::contract::fault::faults_of;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::task as wire;
use tiltyard_wire::task::command::{self, Words};
use tiltyard_wire::work::Idea;

/// `POST /tasks`.
pub(crate) async fn one(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let mut asked: wire::Submit = ask.body().await?;
    asked.scope = one_scope(asked.scope, scope)?;
    fill(&ask, None, std::slice::from_mut(&mut asked)).await.map_err(|(_, refusal)| refusal)?;
    let spec = spec(&ask.caller, None, asked)?;
    let deed = move |act: &mut Act<'_>| {
        let submitted = submit(act, &spec)?;
        Ok((spec, submitted, act.now.wall))
    };
    ask.act(Urgency::Normal, deed, |(spec, submitted, now)| shown(spec, submitted, now)).await
}

fn shown(spec: Spec, submitted: Submitted, now: TimeMs) -> Reply {
    let (status, task) = match submitted.first {
        Some(first) => (StatusCode::OK, first.task),
        None => (StatusCode::CREATED, fresh(spec, &submitted, now)),
    };
    let reply = Reply::text(status, view::task::text(&task)).one();
    if status == StatusCode::CREATED { reply.at(format!("{BASE_PATH}/tasks/{}", task.id)) } else { reply }
}

/// A task that has just been submitted, as it would be read.
fn fresh(spec: Spec, submitted: &Submitted, now: TimeMs) -> Task {
    Task {
        id: submitted.id,
        spec,
        created_by: String::new(),
        state: submitted.state,
        generation: 0,
        used: 0,
        waits_for: 0,
        ready_at: (submitted.state == State::Ready).then_some(now),
        attempt: None,
        lease_ms: None,
        progress: None,
        message: None,
        ended_at: None,
        reason: None,
        change: None,
    }
}

/// `POST /tasks/batch`.
pub(crate) async fn batch(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let mut asked: wire::SubmitBatch = ask.body().await?;
    let scope = one_scope(asked.scope.take(), scope)?;
    if asked.tasks.is_empty() || asked.tasks.len() > MAX_BATCH_TASKS {
        return Err(Refusal::field("/tasks", "must be 1 to 10,000 tasks"));
    }
    fill(&ask, scope.as_deref(), &mut asked.tasks).await.map_err(|(index, refusal)| place(index, refusal))?;
    let caller = &ask.caller;
    let placed =
        |(index, task)| spec(caller, scope.as_deref(), task).map_err(|refusal| place(index, refusal));
    let specs = asked.tasks.into_iter().enumerate().map(placed).collect::<Result<Vec<_>, Refusal>>()?;
    let deed = move |act: &mut Act<'_>| Ok((submit_batch(act, &specs)?, specs));
    ask.act(Urgency::Normal, deed, |(submitted, specs)| all_shown(&submitted, &specs)).await
}

fn place(index: usize, mut refusal: Refusal) -> Refusal {
    for fault in &mut refusal.faults {
        fault.field = format!("/tasks/{index}{}", fault.field);
    }
    refusal.message = format!("task {index}: {}", refusal.message);
    refusal
}

fn all_shown(submitted: &[Submitted], specs: &[Spec]) -> Reply {
    let mut out = Vec::with_capacity(submitted.len() * 256);
    pen::object(&mut out, |pen| {
        pen.member("tasks", |out| {
            pen::list(out, submitted.iter().zip(specs), |out, (submitted, spec)| match &submitted.first {
                Some(first) => view::task::write_brief(out, &first.task),
                None => view::task::write_new_brief(out, submitted, spec),
            });
        });
        let duplicates = submitted.iter().enumerate().filter(|(_, submitted)| submitted.first.is_some());
        let duplicates = duplicates.map(|(index, submitted)| wire::Duplicate { index, id: submitted.id });
        pen.any("duplicates", &duplicates.collect::<Vec<_>>());
    });
    Reply::text(StatusCode::CREATED, out)
}

/// What a submission asks for, its template's part filled in; `named` is the scope of those that name none themselves.
///
/// # Errors
/// 403 for a scope or a queue that is not the token's, 422 for parts that do not belong together.
pub(crate) fn spec(caller: &Caller, named: Option<&str>, asked: wire::Submit) -> Result<Spec, Refusal> {
    let mut found = loose_parts(&asked);
    found.extend(misfits(&asked.kind, asked.payload.as_deref()));
    Refusal::from_faults(found).map_or(Ok(()), Err)?;
    let scope = scope_of(caller, asked.scope.as_deref().or(named))?.to_owned();
    let queue = asked.queue.unwrap_or_else(|| DEFAULT_QUEUE.to_owned());
    may_use_queue(caller, &queue)?;
    let mut capabilities = asked.capabilities;
    capabilities.sort();
    capabilities.dedup();
    let limit = asked.concurrency_limit.unwrap_or(1);
    let extras = Extras {
        category: asked.category,
        labels: asked.labels,
        capabilities,
        backoff: asked.backoff.unwrap_or_default(),
        concurrency: asked.concurrency_key.map(|key| Concurrency { key, limit }),
        rate: asked.rate_key.zip(asked.rate_per_minute).map(|(key, per_minute)| Rate { key, per_minute }),
        assign_to: asked.assign_to,
        on_dependency_failure: asked.on_dependency_failure.unwrap_or_default(),
    };
    Ok(Spec {
        scope,
        queue,
        kind: asked.kind,
        title: asked.title,
        payload: asked.payload.map_or_else(|| "{}".to_owned(), |payload| Box::<str>::from(payload).into()),
        priority: asked.priority.unwrap_or(DEFAULT_PRIORITY),
        extras,
        depends_on: asked.depends_on,
        run_at: asked.run_at.map(|time| time.0),
        deadline: asked.deadline.map(|time| time.0),
        timeout_ms: asked.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
        max_attempts: asked.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
        unique: asked.unique_key.map(|key| Unique { key, for_ms: asked.unique_for_ms }),
    })
}

/// What is wrong with the payload of a kind that is known here: it would fail at an agent later, each time it is tried.
/// A `command` without argv is for workers who know what else it says.
fn misfits(kind: &str, payload: Option<&RawValue>) -> Vec<Fault> {
    const PLACE: &str = "/payload";
    let text = payload.map_or("{}", RawValue::get);
    let value = || serde_json::from_str(text).unwrap_or_default();
    match kind {
        "change" if serde_json::from_str::<Idea>(text).is_err() => faults_of::<Idea>(PLACE, &value())
            .into_iter()
            .filter(|fault| fault.field != "/payload/given")
            .collect(),
        "command" if text.contains("\"argv\"") => match serde_json::from_str::<command::Payload>(text) {
            Ok(command::Payload { argv: Words::Text(_), shell: false, .. }) => vec![Fault {
                field: "/payload/argv".to_owned(),
                error: "must be a list: the program and its arguments; one text needs `shell: true`"
                    .to_owned(),
            }],
            Ok(_) => Vec::new(),
            Err(_) if value().get("argv").is_none() => Vec::new(),
            Err(_) => faults_of::<command::Payload>(PLACE, &value()),
        },
        _ => Vec::new(),
    }
}

/// Limits without their key, and a key without its limit.
fn loose_parts(asked: &wire::Submit) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |ok: bool, field: &str, error: &str| {
        if !ok {
            faults.push(Fault { field: field.to_owned(), error: error.to_owned() });
        }
    };
    let (limit, unique) = (asked.concurrency_limit, asked.unique_for_ms);
    check(
        limit.is_none() || asked.concurrency_key.is_some(),
        "/concurrency_key",
        "is needed by concurrency_limit",
    );
    check(
        asked.rate_key.is_none() || asked.rate_per_minute.is_some(),
        "/rate_per_minute",
        "is needed by rate_key",
    );
    check(
        asked.rate_per_minute.is_none() || asked.rate_key.is_some(),
        "/rate_key",
        "is needed by rate_per_minute",
    );
    check(unique.is_none() || asked.unique_key.is_some(), "/unique_key", "is needed by unique_for_ms");
    faults
}
