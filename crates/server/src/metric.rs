//! What is measured (O21), as families of samples: rendered as Prometheus text, or as one JSON object. The label sets
//! are bounded: routes come from the table, and beyond so many queues the rest is one.

use crate::app::App;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use tiltyard_engine::metric::{Histogram, Metrics};
use tiltyard_engine::reserve::Reserve;
use tiltyard_engine::{Act, Pass, Urgency, agent};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Reach;
use tiltyard_model::task::State;

/// Queues that have samples of their own; the rest are summed up as `_other`.
const MAX_QUEUE_LABELS: usize = 500;
/// What one number of a histogram of time is, in seconds.
const MICROSECOND: f64 = 1e-6;
/// How many of the finest step there are in one.
const NANOS: f64 = 1e9;

/// What sort of family it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

/// The samples of one name.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    /// What follows the name, the labels, and the value.
    samples: Vec<(&'static str, String, f64)>,
}

impl Family {
    fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind, samples: Vec::new() }
    }

    /// One sample without labels.
    fn only(kind: Kind, name: &'static str, help: &'static str, value: f64) -> Self {
        Self { samples: vec![("", String::new(), value)], ..Self::new(kind, name, help) }
    }

    fn with(mut self, labels: &[(&str, &str)], value: f64) -> Self {
        self.samples.push(("", written(labels), value));
        self
    }

    fn histogram(name: &'static str, help: &'static str, seen: &Histogram, unit: f64) -> Self {
        let shot = seen.shot();
        let mut family = Self::new(Kind::Histogram, name, help);
        for (bound, count) in &shot.buckets {
            let le = decimal(*bound as f64 * unit).to_string();
            family.samples.push(("_bucket", written(&[("le", &le)]), *count as f64));
        }
        family.samples.push(("_bucket", written(&[("le", "+Inf")]), shot.count as f64));
        family.samples.push(("_sum", String::new(), decimal(shot.sum as f64 * unit)));
        family.samples.push(("_count", String::new(), shot.count as f64));
        family
    }
}

/// The nearest number with nine decimals: what a person would write, not `0.00009999999999999999`.
fn decimal(value: f64) -> f64 {
    (value * NANOS).round() / NANOS
}

/// Labels as Prometheus writes them; values are escaped.
fn written(labels: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// As Prometheus reads it (text format 0.0.4).
pub(crate) fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let (name, help) = (family.name, family.help);
        // Writing into a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (suffix, labels, value) in &family.samples {
            let _ = writeln!(out, "{name}{suffix}{labels} {value}");
        }
    }
    out
}

/// The same by name and labels.
pub(crate) fn map(families: &[Family]) -> BTreeMap<String, f64> {
    let samples = families.iter().flat_map(|family| {
        family
            .samples
            .iter()
            .map(|(suffix, labels, value)| (format!("{}{suffix}{labels}", family.name), *value))
    });
    samples.collect()
}

/// Measures everything, as far as the caller may see it (SEC4): what is not counted by scope is for who covers them all.
///
/// # Errors
/// 503 when the door takes nothing.
pub(crate) async fn measure(app: &App, pass: Pass) -> Result<Vec<Family>, Refusal> {
    let whole = pass.caller.reach == Reach::All;
    let (tasks, agents) =
        app.engine.enter(pass, Urgency::Urgent, |act| Ok((tasks(act), agents(act)?))).await?;
    let mut families = vec![tasks, agents];
    if !whole {
        return Ok(families);
    }
    families.extend(of_engine(app.engine.door().metrics()));
    families.extend(of_store(app).await?);
    families.extend(of_server(app));
    families.extend(of_sockets(app));
    Ok(families)
}

fn tasks(act: &mut Act<'_>) -> Family {
    let mut family = Family::new(Kind::Gauge, "tiltyard_tasks", "Tasks by scope, queue and state.");
    let reach = &act.pass.caller.reach;
    let mut others = [0_i64; State::ALL.len()];
    let mut named = 0;
    for queue in act.memory.names.queues() {
        let scope = act.memory.names.scope_name(queue.scope);
        if !reach.covers(scope) {
            continue;
        }
        let counts = act.memory.counts.of(queue.key);
        named += 1;
        if named > MAX_QUEUE_LABELS {
            others.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            continue;
        }
        for state in State::ALL {
            let labels = [("scope", scope), ("queue", &*queue.name), ("state", state.as_str())];
            family = family.with(&labels, counts[state as usize] as f64);
        }
    }
    if named > MAX_QUEUE_LABELS {
        for state in State::ALL {
            let labels = [("scope", "_other"), ("queue", "_other"), ("state", state.as_str())];
            family = family.with(&labels, others[state as usize] as f64);
        }
    }
    family
}

fn agents(act: &mut Act<'_>) -> Result<Family, Refusal> {
    use tiltyard_model::agent::State;
    let all = agent::list(act)?;
    let mut family = Family::new(Kind::Gauge, "tiltyard_agents", "Agents by state.");
    for state in [State::Offline, State::Idle, State::Busy, State::Blocked, State::Draining] {
        let count = all.iter().filter(|seen| seen.state == state).count();
        family = family.with(&[("state", state.as_str())], count as f64);
    }
    Ok(family)
}

fn of_engine(metrics: &Metrics) -> Vec<Family> {
    let count = |name, help, counter: &tiltyard_engine::metric::Counter| {
        Family::only(Kind::Counter, name, help, counter.get() as f64)
    };
    let time = |name, help, seen| Family::histogram(name, help, seen, MICROSECOND);
    vec![
        count("tiltyard_tasks_submitted_total", "Tasks submitted.", &metrics.submitted),
        count("tiltyard_attempts_started_total", "Attempts started.", &metrics.started),
        count("tiltyard_tasks_finished_total", "Tasks succeeded.", &metrics.finished),
        count("tiltyard_attempts_failed_total", "Attempts that failed or timed out.", &metrics.failed),
        count("tiltyard_leases_lost_total", "Leases lost.", &metrics.lost),
        count("tiltyard_claims_idle_total", "Claims that found nothing.", &metrics.idle_claims),
        count("tiltyard_events_total", "Events written.", &metrics.events),
        count("tiltyard_shed_total", "Requests turned away because too many waited.", &metrics.shed),
        count("tiltyard_refusals_total", "Deeds that were refused.", &metrics.refused),
        time("tiltyard_commit_seconds", "Time of a commit, the disk's included.", &metrics.commit_us),
        time("tiltyard_door_seconds", "Time from entering the door to the answer.", &metrics.door_us),
        time("tiltyard_claim_seconds", "Time of a claim inside the door.", &metrics.claim_us),
        time("tiltyard_start_seconds", "Time from a task's becoming ready to its lease.", &metrics.start_us),
        Family::histogram("tiltyard_commit_batch_size", "Deeds of one commit.", &metrics.batch_size, 1.0),
    ]
}

async fn of_store(app: &App) -> Result<Vec<Family>, Refusal> {
    let (bytes, log_bytes) = app.engine.store_bytes().await?;
    let store = Family::new(Kind::Gauge, "tiltyard_store_bytes", "Size of the store's files.")
        .with(&[("file", "database")], bytes as f64)
        .with(&[("file", "log")], log_bytes as f64);
    let mut families = vec![store];
    if let Ok(space) = Reserve::of(app.engine.folder()).space() {
        let help = "Free space of the data folder's disk.";
        families.push(Family::only(Kind::Gauge, "tiltyard_disk_free_bytes", help, space.free as f64));
    }
    Ok(families)
}

fn of_server(app: &App) -> Vec<Family> {
    let mut requests =
        Family::new(Kind::Counter, "tiltyard_http_requests_total", "Answers by route and code.");
    for line in app.counts.lines() {
        requests =
            requests.with(&[("route", &line.route), ("code", &line.status.to_string())], line.count as f64);
    }
    let mut times =
        Family::new(Kind::Counter, "tiltyard_http_route_seconds_total", "Time spent on answers, by route.");
    for (route, took_us) in app.counts.times_us() {
        times = times.with(&[("route", &route)], took_us as f64 * MICROSECOND);
    }
    let waiting = app.engine.door().queued() as f64;
    vec![
        requests,
        times,
        Family::histogram(
            "tiltyard_http_request_seconds",
            "Time of an answer.",
            &app.counts.took_us,
            MICROSECOND,
        ),
        Family::only(Kind::Gauge, "tiltyard_queued_intents", "Deeds that wait for the disk.", waiting),
        Family::only(
            Kind::Gauge,
            "tiltyard_start_time_seconds",
            "When the server started, in seconds since 1970.",
            app.started_at as f64 / 1_000.0,
        ),
    ]
}

fn of_sockets(app: &App) -> Vec<Family> {
    let (figures, tail) = (&app.live.figures, app.engine.tail());
    let count = |name, help, counter: &AtomicU64| {
        Family::only(Kind::Counter, name, help, counter.load(Relaxed) as f64)
    };
    let gauge = |name, help, value: f64| Family::only(Kind::Gauge, name, help, value);
    let followers = "Streams, followed logs and sockets that follow the event log.";
    let behind = "Events that are committed and not handed to followers yet.";
    vec![
        Family::new(Kind::Gauge, "tiltyard_sockets", "Open sockets, by who holds them.")
            .with(&[("of", "agents")], app.live.connected() as f64)
            .with(&[("of", "readers")], figures.readers.load(Relaxed) as f64),
        gauge("tiltyard_followers", followers, tail.followers() as f64),
        gauge("tiltyard_followers_behind_events", behind, tail.behind() as f64),
        count("tiltyard_agent_connections_total", "Connections of agents that said hello.", &figures.came),
        count("tiltyard_agent_disconnections_total", "Connections of agents ended.", &figures.ended),
        count("tiltyard_readers_lagged_total", "Readers told that they are too slow.", &figures.lagged),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_engine::metric::SIZE_BOUNDS;

    // O21: the text form of Prometheus, with escaped labels and cumulative buckets.
    #[test]
    fn o21_families_are_written_as_prometheus_reads_them() {
        let seen = Histogram::new(&SIZE_BOUNDS);
        seen.see(2);
        seen.see(1_000_000);
        let families = [
            Family::new(Kind::Gauge, "a", "An a.").with(&[("q", "x\"\n\\"), ("s", "y")], 1.5),
            Family::histogram("b", "A b.", &seen, 0.5),
        ];
        let text = text(&families);
        assert!(
            text.starts_with("# HELP a An a.\n# TYPE a gauge\na{q=\"x\\\"\\n\\\\\",s=\"y\"} 1.5\n"),
            "{text}"
        );
        for line in [
            "b_bucket{le=\"0.5\"} 0",
            "b_bucket{le=\"1\"} 1",
            "b_bucket{le=\"+Inf\"} 2",
            "b_sum 500001",
            "b_count 2",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in\n{text}");
        }
        assert_eq!(map(&families)["b_count"], 2.0);
        // A dashboard asks for `le="0.0001"`.
        assert_eq!(decimal(100.0 * MICROSECOND).to_string(), "0.0001");
        assert_eq!(decimal(262.0 * MICROSECOND).to_string(), "0.000262");
        assert_eq!(decimal(60_000_000.0 * MICROSECOND).to_string(), "60");
    }
}
