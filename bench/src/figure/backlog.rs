//! E35, E36: what a million waiting tasks cost.

use super::{Watch, fill};
use crate::plan::Plan;
use crate::process::memory_mib;
use crate::report::{Report, median};
use crate::server::Server;
use anyhow::Result;

/// The small backlog of E35.
const SMALL: usize = 10_000;
const WORKERS: usize = 4;
const BATCH: usize = 100;

/// E35: speed of draining 10,000 tasks with a million waiting behind them ÷ with nothing behind them.
pub(crate) async fn depth(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E35", "ratio");
    for _ in 0..plan.runs {
        let (mut alone, mut deep) = (Report::of("", ""), Report::of("", ""));
        run(plan, SMALL, &mut alone).await?;
        run(plan, plan.counts.backlog, &mut deep).await?;
        report.runs.push(median(&deep.runs) / median(&alone.runs));
        report.load_core_us.extend(deep.load_core_us);
        report.server_core_us.extend(deep.server_core_us);
    }
    Ok(report)
}

/// Drains the first 10,000 of a backlog.
async fn run(plan: &Plan, backlog: usize, report: &mut Report) -> Result<()> {
    let server = Server::start(plan).await?;
    fill(&server, backlog).await?;
    server.settle().await;
    let rounds = SMALL / BATCH / WORKERS;
    let mut crew = tokio::task::JoinSet::new();
    let watch = Watch::begin(&server)?;
    for number in 0..WORKERS {
        let mut connection = server.connect().await?;
        crew.spawn(async move {
            let agent = format!("bench-{number}");
            let mut held = Vec::new();
            for round in 0..=rounds {
                let next = if round < rounds { BATCH } else { 1 };
                let body = super::settle(&agent, &held, next);
                held = super::taken(connection.post("/tasks/settle", &body).await?)?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = crew.join_next().await {
        worker??;
    }
    watch.end(report, SMALL, (rounds + 1) * WORKERS)
}

/// E36: memory with a million waiting.
pub(crate) async fn memory(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E36", "MiB (resident)");
    let mut own = Vec::new();
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        fill(&server, plan.counts.backlog).await?;
        server.settle().await;
        let (resident, anonymous) = memory_mib(server.pid())?;
        report.runs.push(resident);
        own.push(anonymous);
    }
    report.extra.insert("anonymous_mib".to_owned(), median(&own).into());
    report.extra.insert("waiting".to_owned(), plan.counts.backlog.into());
    Ok(report)
}
