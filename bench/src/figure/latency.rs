//! E34: from the first byte of a submission to the handler's start, at 200 tasks a second. The claim is on disk before
//! the handler starts.

use super::{settle, taken};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::Server;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Time between two submissions.
const EVERY: Duration = Duration::from_millis(5);
/// Workers that wait for work.
const WORKERS: usize = 4;

/// E34.
pub(crate) async fn start(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E34", "ms (p50)");
    let mut slow = Vec::new();
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        let histogram = run(&server, plan.counts.latency).await?;
        report.runs.push(histogram.value_at_quantile(0.5) as f64 / 1_000.0);
        slow.push(histogram.value_at_quantile(0.99) as f64 / 1_000.0);
    }
    report.extra.insert("p99_ms".to_owned(), crate::report::median(&slow).into());
    Ok(report)
}

async fn run(server: &Server, count: usize) -> Result<Histogram<u64>> {
    let epoch = Instant::now();
    let (started, mut starts) = tokio::sync::mpsc::channel::<u64>(count);
    let mut crew = tokio::task::JoinSet::new();
    for number in 0..WORKERS {
        let mut connection = server.connect().await?;
        let started = started.clone();
        crew.spawn(async move { work(&mut connection, number, epoch, started).await });
    }
    drop(started);
    let mut producer = server.connect().await?;
    let feed = tokio::spawn(async move {
        let mut tick = tokio::time::interval(EVERY);
        for _ in 0..count {
            tick.tick().await;
            let sent = epoch.elapsed().as_micros();
            let filler = "x".repeat(150);
            let body =
                format!(r#"{{"kind":"bench","title":"t","payload":{{"sent":{sent},"filler":"{filler}"}}}}"#);
            producer.post("/tasks", body.as_bytes()).await?;
        }
        anyhow::Ok(())
    });
    let mut histogram = Histogram::new(3)?;
    for _ in 0..count {
        let Some(took) = starts.recv().await else { break };
        histogram.record(took)?;
    }
    feed.await??;
    crew.abort_all();
    Ok(histogram)
}

async fn work(
    connection: &mut crate::http::Connection,
    number: usize,
    epoch: Instant,
    started: tokio::sync::mpsc::Sender<u64>,
) -> Result<()> {
    let agent = format!("bench-{number}");
    let mut held = Vec::new();
    loop {
        let mut body = settle(&agent, &held, 1);
        // The claim waits inside the door for the submission that feeds it.
        body.truncate(body.len() - 2);
        body.extend_from_slice(br#","wait_ms":30000}}"#);
        let answer = connection.post("/tasks/settle", &body).await?;
        let now = epoch.elapsed().as_micros() as u64;
        let said: serde_json::Value = serde_json::from_slice(answer)?;
        for task in said["tasks"].as_array().into_iter().flatten() {
            let sent = task["payload"]["sent"].as_u64().unwrap_or(now);
            started.send(now.saturating_sub(sent)).await?;
        }
        held = taken(answer)?;
    }
}
