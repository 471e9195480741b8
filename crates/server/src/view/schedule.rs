//! Schedules as sentences.

use serde_json::value::RawValue;
use tiltyard_model::id::Noun;
use tiltyard_model::schedule::Timing;
use tiltyard_model::schedule::kept::{Last, Schedule, What};
use tiltyard_model::task::Spec;
use tiltyard_model::task::retry::Backoff;
use tiltyard_wire::schedule as wire;
use tiltyard_wire::task::Submit;
use tiltyard_wire::time::Time;

/// A schedule as it is.
pub(crate) fn view(schedule: Schedule) -> wire::View {
    let next = schedule.upcoming().into_iter().map(Time).collect();
    let (cron, timezone, every_ms, from) = match schedule.timing {
        Timing::Cron { expression, timezone } => (Some(expression), Some(timezone), None, None),
        Timing::Every { every_ms, from_ms } => (None, None, Some(every_ms), Some(Time(from_ms))),
    };
    let (pipeline, input, task) = match schedule.what {
        What::Pipeline { name, input } => (Some(name), Some(input), None),
        What::Task(spec) => (None, None, Some(Box::new(submission(*spec)))),
    };
    wire::View {
        scope: schedule.scope,
        name: schedule.name,
        cron,
        timezone,
        every_ms,
        from,
        pipeline,
        input,
        task,
        missed: schedule.missed,
        overlap: schedule.overlap,
        paused: schedule.paused,
        revision: schedule.revision,
        next,
        last: schedule.last.map(last),
        saved_by: schedule.saved_by,
        updated_at: Time(schedule.updated_at),
    }
}

fn last(last: Last) -> wire::Last {
    let of = |noun| last.thing.filter(|id| id.noun() == noun);
    wire::Last {
        slot: Time(last.at),
        became: last.became,
        task: of(Noun::Task),
        run: of(Noun::Run),
        error: last.error,
    }
}

/// The submission that a schedule makes, in full.
fn submission(spec: Spec) -> Submit {
    let extras = spec.extras;
    let (concurrency, rate) = (extras.concurrency, extras.rate);
    let backoff = Some(extras.backoff).filter(|backoff| *backoff != Backoff::default());
    Submit {
        scope: None,
        queue: Some(spec.queue),
        kind: spec.kind,
        title: spec.title,
        payload: RawValue::from_string(spec.payload).ok(),
        priority: Some(spec.priority),
        category: extras.category,
        labels: extras.labels,
        capabilities: extras.capabilities,
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: Some(spec.timeout_ms),
        max_attempts: Some(spec.max_attempts),
        backoff,
        unique_for_ms: spec.unique.as_ref().and_then(|unique| unique.for_ms),
        unique_key: spec.unique.map(|unique| unique.key),
        concurrency_limit: concurrency.as_ref().map(|concurrency| concurrency.limit),
        concurrency_key: concurrency.map(|concurrency| concurrency.key),
        rate_per_minute: rate.as_ref().map(|rate| rate.per_minute),
        rate_key: rate.map(|rate| rate.key),
        assign_to: extras.assign_to,
        on_dependency_failure: None,
        template: None,
    }
}
