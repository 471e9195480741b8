//! E30, E31: how fast tasks enter.

use super::{BATCH, Watch, fill, task};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::Server;
use anyhow::Result;

/// Connections of E30.
const CONNECTIONS: usize = 32;

/// E30: one task a request, 32 connections, no unique key.
pub(crate) async fn single(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E30", "tasks/s");
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        server.settle().await;
        let each = plan.counts.single / CONNECTIONS;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(server.connect().await?);
        }
        let watch = Watch::begin(&server)?;
        let mut writers = tokio::task::JoinSet::new();
        for (lane, mut connection) in connections.into_iter().enumerate() {
            writers.spawn(async move {
                for number in 0..each {
                    connection.post("/tasks", task(lane * each + number).as_bytes()).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        watch.end(&mut report, each * CONNECTIONS, each * CONNECTIONS)?;
    }
    Ok(report)
}

/// E31: a thousand a batch.
pub(crate) async fn batch(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("E31", "tasks/s");
    for _ in 0..plan.runs {
        let server = Server::start(plan).await?;
        server.settle().await;
        let watch = Watch::begin(&server)?;
        fill(&server, plan.counts.batch).await?;
        watch.end(&mut report, plan.counts.batch, plan.counts.batch.div_ceil(BATCH))?;
    }
    Ok(report)
}
