//! E32, E33: how fast a backlog is done, the next claim riding with each settle.

use super::{Watch, fill, settle, taken};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::Server;
use anyhow::{Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Workers of E33.
const WORKERS: usize = 100;
/// Workers of E32, and how many tasks they take at once.
const BATCH_WORKERS: usize = 4;
const BATCH_SIZE: usize = 1_000;

/// E32: by batches.
pub(crate) async fn batches(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E32", "tasks/s");
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        fill(&server, plan.counts.batch).await?;
        server.settle().await;
        let watch = Watch::begin(&server)?;
        let requests = drain(&server, plan.counts.batch, BATCH_WORKERS, BATCH_SIZE).await?;
        watch.end(&mut report, plan.counts.batch, requests)?;
    }
    report.extra.insert("batch".to_owned(), BATCH_SIZE.into());
    Ok(report)
}

/// E33: one task a request, 100 workers.
pub(crate) async fn singles(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E33", "tasks/s");
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        fill(&server, plan.counts.single).await?;
        server.settle().await;
        let watch = Watch::begin(&server)?;
        let requests = drain(&server, plan.counts.single, WORKERS, 1).await?;
        watch.end(&mut report, plan.counts.single, requests)?;
    }
    Ok(report)
}

/// Drains a backlog of `count` tasks; gives the number of requests.
pub(crate) async fn drain(server: &Server, count: usize, workers: usize, batch: usize) -> Result<usize> {
    let (done, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut crew = tokio::task::JoinSet::new();
    for number in 0..workers {
        let mut connection = server.connect().await?;
        let (done, requests) = (Arc::clone(&done), Arc::clone(&requests));
        crew.spawn(async move {
            let agent = format!("bench-{number}");
            let mut held = Vec::new();
            loop {
                let answer = connection.post("/tasks/settle", &settle(&agent, &held, batch)).await?;
                requests.fetch_add(1, Ordering::Relaxed);
                done.fetch_add(held.len(), Ordering::Relaxed);
                held = taken(answer)?;
                if held.is_empty() {
                    return anyhow::Ok(());
                }
            }
        });
    }
    while let Some(worker) = crew.join_next().await {
        worker??;
    }
    let done = done.load(Ordering::Relaxed);
    if done != count {
        bail!("{done} of {count} tasks were done");
    }
    Ok(requests.load(Ordering::Relaxed))
}
