//! PIPELINE: how many stages of runs are done a second, where the work of each is nothing: what a stage costs the server, from
//! its task to the next stage's. Workers report what they have done and claim what came of it in one request.

use super::{settle, taken};
use crate::http::Connection;
use crate::plan::Plan;
use crate::process::core_us;
use crate::report::{Report, median};
use crate::server::Server;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

/// Workers, and how many tasks each takes at once.
const WORKERS: usize = 4;
const BATCH_SIZE: usize = 250;
/// Layers of the third form; the last stage of each waits for all others of it.
const LAYERS: usize = 10;
/// How long a claim waits for stages that begin.
const WAIT_MS: u32 = 30_000;

/// How the stages of a run need each other.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// None needs another.
    Wide,
    /// Each needs the one before it.
    Chain,
    /// Layers, each of which ends in a stage that needs the others of it, and that the next ones need.
    Joins,
}

impl Form {
    const ALL: [Self; 3] = [Self::Wide, Self::Chain, Self::Joins];

    fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Chain => "chain",
            Self::Joins => "joins",
        }
    }

    /// What the stage of this number needs, of so many.
    fn needs(self, number: usize, count: usize) -> Vec<usize> {
        let layer = count / LAYERS;
        match self {
            Self::Wide => Vec::new(),
            Self::Chain => number.checked_sub(1).into_iter().collect(),
            Self::Joins if number % layer == layer - 1 => (number + 1 - layer..number).collect(),
            Self::Joins => (number - number % layer).checked_sub(1).into_iter().collect(),
        }
    }

    fn definition(self, count: usize) -> Value {
        let stages = (0..count).map(|number| {
            let needs: Vec<String> = self.needs(number, count).iter().map(|on| format!("s{on}")).collect();
            json!({"id": format!("s{number}"), "uses": "command", "needs": needs, "with": {"argv": ["true"]}})
        });
        json!({"stages": stages.collect::<Vec<Value>>()})
    }
}

/// The median is that of the first form; the others stand beside it.
pub(crate) async fn stages(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("PIPELINE", "stages/s (wide)");
    for form in Form::ALL {
        let mut speeds = Vec::new();
        for _ in 0..plan.runs {
            let server = Server::start(plan).await?;
            server.settle().await;
            let before = core_us(server.pid())?;
            speeds.push(run(&server, form, plan.counts.stages).await?);
            let cost = (core_us(server.pid())? - before) / plan.counts.stages as f64;
            if matches!(form, Form::Wide) {
                report.server_core_us.push(cost);
            }
        }
        report.extra.insert(format!("stages_per_s_{}", form.name()), median(&speeds).round().into());
        if matches!(form, Form::Wide) {
            report.runs = speeds;
        }
    }
    report.extra.insert("stages".to_owned(), plan.counts.stages.into());
    Ok(report)
}

/// From the start of a run to its end; stages a second.
async fn run(server: &Server, form: Form, count: usize) -> Result<f64> {
    let (done, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut crew = tokio::task::JoinSet::new();
    for number in 0..WORKERS {
        let connection = server.connect().await?;
        let (done, over) = (Arc::clone(&done), Arc::clone(&over));
        crew.spawn(async move { work(connection, number, (done, count), over).await });
    }
    let mut admin = server.connect_admin().await?;
    let body = serde_json::to_vec(&json!({"definition": form.definition(count)}))?;
    let began = Instant::now();
    let started: Value = serde_json::from_slice(admin.post("/runs", &body).await?)?;
    tokio::select! {
        () = over.notified() => {}
        Some(ended) = crew.join_next() => {
            ended??;
            bail!("a worker ended before the run");
        }
    }
    let took = began.elapsed().as_secs_f64();
    let id = started["id"].as_str().context("a run without an id")?;
    let view: Value = serde_json::from_slice(admin.get(&format!("/runs/{id}")).await?)?;
    if view["state"] != "succeeded" {
        bail!("after {count} stages the run is {}", view["state"]);
    }
    Ok(count as f64 / took)
}

/// Works until it is aborted; tells when the last of all is done.
async fn work(
    mut connection: Connection,
    number: usize,
    (done, count): (Arc<AtomicUsize>, usize),
    over: Arc<Notify>,
) -> Result<()> {
    let agent = format!("bench-{number}");
    let mut held = Vec::new();
    loop {
        let mut body = settle(&agent, &held, BATCH_SIZE);
        // What has been reported is answered together with what was claimed: with something in hand nothing is waited for.
        if held.is_empty() {
            body.truncate(body.len() - 2);
            body.extend_from_slice(format!(r#","wait_ms":{WAIT_MS}}}}}"#).as_bytes());
        }
        let settled = held.len();
        held = taken(connection.post("/tasks/settle", &body).await?)?;
        if done.fetch_add(settled, Ordering::Relaxed) + settled == count {
            over.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // No requirement: what is measured is what it is called.
    #[test]
    fn each_form_is_what_it_is_called() {
        let edges = |form: Form| (0..1_000).map(|number| form.needs(number, 1_000).len()).sum::<usize>();
        assert_eq!((edges(Form::Wide), edges(Form::Chain)), (0, 999));
        assert_eq!(Form::Joins.needs(99, 1_000), (0..99).collect::<Vec<usize>>());
        assert_eq!((Form::Joins.needs(5, 1_000), Form::Joins.needs(100, 1_000)), (vec![], vec![99]));
        assert_eq!(edges(Form::Joins), 10 * 99 + 9 * 99);
    }
}
