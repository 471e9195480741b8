//! Admission: what a submission must be like before anything is written.

use super::{MAX_PRIORITY, MIN_PRIORITY, Spec};
use crate::refusal::Fault;
use crate::slug::is_slug;
use crate::time::{DurationMs, HOUR_MS, MAX_TIME_MS, TimeMs};

/// Longest title in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Largest payload in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;
/// Most labels, and most capabilities, of a task.
pub const MAX_TAGS: usize = 32;
/// Longest label, capability, category or key in characters.
pub const MAX_TAG_CHARS: usize = 256;
/// Most dependencies of a task.
pub const MAX_DEPENDENCIES: usize = 1_000;
/// Longest wall time of an attempt.
pub const MAX_TIMEOUT_MS: DurationMs = 7 * 24 * HOUR_MS;
/// Most attempts of a task.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Longest back-off and longest hold of a unique key.
pub const MAX_DELAY_MS: DurationMs = 366 * 24 * HOUR_MS;
/// Most tasks of one batch.
pub const MAX_BATCH_TASKS: usize = 10_000;

/// Every failure of a submission, each with its place; empty when it may enter.
pub fn faults(spec: &Spec) -> Vec<Fault> {
    let mut found = Faults(Vec::new());
    names(spec, &mut found);
    sizes(spec, &mut found);
    times(spec, &mut found);
    limits(spec, &mut found);
    found.0
}

struct Faults(Vec<Fault>);

impl Faults {
    fn check(&mut self, ok: bool, field: &str, error: &str) {
        if !ok {
            self.0.push(Fault { field: field.to_owned(), error: error.to_owned() });
        }
    }
}

const SLUG_RULE: &str = "must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -";
const TAG_RULE: &str = "at most 32, each 1 to 256 characters without control characters";

fn names(spec: &Spec, found: &mut Faults) {
    found.check(is_slug(&spec.queue), "/queue", SLUG_RULE);
    let kind_rule = if spec.kind.is_empty() {
        "is needed: `command`, `change` or what a worker knows"
    } else {
        SLUG_RULE
    };
    found.check(is_slug(&spec.kind) || is_internal_kind(&spec.kind), "/kind", kind_rule);
    let assigned = spec.extras.assign_to.as_deref().is_none_or(is_slug);
    found.check(assigned, "/assign_to", SLUG_RULE);
}

/// `git.check`, `git.merge`, `git.probe`: kinds that only the engine submits (C19).
pub fn is_internal_kind(kind: &str) -> bool {
    kind.strip_prefix("git.").is_some_and(is_slug)
}

fn sizes(spec: &Spec, found: &mut Faults) {
    let title = spec.title.chars().count();
    let titled = title <= MAX_TITLE_CHARS
        && !spec.title.trim().is_empty()
        && !spec.title.chars().any(char::is_control);
    let title_rule = if spec.title.is_empty() {
        "is needed: one line for people"
    } else {
        "must be 1 to 200 characters on one line, not only blanks"
    };
    found.check(titled, "/title", title_rule);
    found.check(
        spec.payload.len() <= MAX_PAYLOAD_BYTES,
        "/payload",
        "must be at most 256 KiB of JSON; put bigger things into artifacts",
    );
    let extras = &spec.extras;
    found.check(tags(&extras.labels), "/labels", TAG_RULE);
    found.check(tags(&extras.capabilities), "/capabilities", TAG_RULE);
    found.check(
        extras.category.as_deref().is_none_or(is_tag),
        "/category",
        "must be 1 to 256 characters without control characters",
    );
    found.check(spec.depends_on.len() <= MAX_DEPENDENCIES, "/depends_on", "at most 1,000 dependencies");
}

/// Whether `text` may be a label, a capability, a category or a key.
pub fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn tags(list: &[String]) -> bool {
    list.len() <= MAX_TAGS && list.iter().all(|tag| is_tag(tag))
}

fn times(spec: &Spec, found: &mut Faults) {
    let in_range = |time: Option<TimeMs>| time.is_none_or(|time| (0..=MAX_TIME_MS).contains(&time));
    found.check(in_range(spec.run_at), "/run_at", "must lie between 1970 and 9999");
    found.check(in_range(spec.deadline), "/deadline", "must lie between 1970 and 9999");
    if let (Some(run_at), Some(deadline)) = (spec.run_at, spec.deadline) {
        found.check(deadline > run_at, "/deadline", "must be later than run_at");
    }
    let timeout = (1..=MAX_TIMEOUT_MS).contains(&spec.timeout_ms);
    found.check(timeout, "/timeout_ms", "must be 1 ms to 7 days");
}

fn limits(spec: &Spec, found: &mut Faults) {
    let priority = (MIN_PRIORITY..=MAX_PRIORITY).contains(&spec.priority);
    found.check(priority, "/priority", "must be 1 to 10; 10 runs first");
    found.check((1..=MAX_ATTEMPTS).contains(&spec.max_attempts), "/max_attempts", "must be 1 to 1,000");
    let backoff = &spec.extras.backoff;
    let delays = 0..=MAX_DELAY_MS;
    found.check(delays.contains(&backoff.base_ms), "/backoff/base_ms", "must be 0 ms to 366 days");
    found.check(delays.contains(&backoff.max_ms), "/backoff/max_ms", "must be 0 ms to 366 days");
    if let Some(concurrency) = &spec.extras.concurrency {
        found.check(is_tag(&concurrency.key), "/concurrency_key", "must be 1 to 256 characters");
        found.check(concurrency.limit >= 1, "/concurrency_limit", "must be at least 1");
    }
    if let Some(rate) = &spec.extras.rate {
        found.check(is_tag(&rate.key), "/rate_key", "must be 1 to 256 characters");
        found.check((1..=1_000_000).contains(&rate.per_minute), "/rate_per_minute", "must be 1 to 1,000,000");
    }
    if let Some(unique) = &spec.unique {
        found.check(is_tag(&unique.key), "/unique_key", "must be 1 to 256 characters");
        let held = unique.for_ms.is_none_or(|held| (1..=MAX_DELAY_MS).contains(&held));
        found.check(held, "/unique_for_ms", "must be 1 ms to 366 days");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{DEFAULT_TIMEOUT_MS, Extras, Rate, Unique};

    fn spec() -> Spec {
        Spec {
            scope: "default".into(),
            queue: "default".into(),
            kind: "command".into(),
            title: "say hello".into(),
            payload: "{}".into(),
            priority: 5,
            extras: Extras::default(),
            depends_on: Vec::new(),
            run_at: None,
            deadline: None,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            max_attempts: 3,
            unique: None,
        }
    }

    fn fields(spec: &Spec) -> Vec<String> {
        faults(spec).into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_plain_task_may_enter() {
        assert_eq!(fields(&spec()), Vec::<String>::new());
    }

    // API2: validation names every failure, each with its place.
    #[test]
    fn every_failure_is_named_at_once() {
        let mut bad = spec();
        bad.priority = 11;
        bad.queue = "No".into();
        bad.title = String::new();
        bad.timeout_ms = 0;
        bad.max_attempts = 0;
        bad.run_at = Some(9);
        bad.deadline = Some(9);
        bad.extras.labels = vec![String::new()];
        bad.extras.rate = Some(Rate { key: "r".into(), per_minute: 0 });
        bad.unique = Some(Unique { key: "k".into(), for_ms: Some(0) });
        let found = fields(&bad);
        for field in [
            "/queue",
            "/title",
            "/labels",
            "/deadline",
            "/timeout_ms",
            "/priority",
            "/max_attempts",
            "/rate_per_minute",
            "/unique_for_ms",
        ] {
            assert!(found.iter().any(|place| place == field), "{field} in {found:?}");
        }
        assert_eq!(found.len(), 9);
    }

    #[test]
    fn sizes_have_sharp_edges() {
        let mut edge = spec();
        edge.title = "x".repeat(200);
        edge.payload = "x".repeat(MAX_PAYLOAD_BYTES);
        assert!(faults(&edge).is_empty());
        edge.title.push('x');
        edge.payload.push('x');
        assert_eq!(fields(&edge), ["/title", "/payload"]);
        assert_eq!(fields(&Spec { title: " \u{3000}".into(), ..spec() }), ["/title"]);
    }
}
