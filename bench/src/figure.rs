//! The figures, and what they share.

pub(crate) mod backlog;
pub(crate) mod bloat;
pub(crate) mod drain;
pub(crate) mod enqueue;
pub(crate) mod latency;
pub(crate) mod pipeline;

use crate::process::core_us;
use crate::report::Report;
use crate::server::Server;
use anyhow::Result;
use std::time::Instant;

/// Tasks of a batch.
pub(crate) const BATCH: usize = 1_000;

/// A task of about 200 bytes of payload.
pub(crate) fn task(number: usize) -> String {
    let filler = "x".repeat(150);
    format!(
        r#"{{"kind":"bench","title":"task {number}","payload":{{"number":{number},"filler":"{filler}"}}}}"#
    )
}

/// A batch of them.
pub(crate) fn batch(from: usize, count: usize) -> Vec<u8> {
    let tasks: Vec<String> = (from..from + count).map(task).collect();
    format!(r#"{{"tasks":[{}]}}"#, tasks.join(",")).into_bytes()
}

/// Fills the queue, by several connections.
pub(crate) async fn fill(server: &Server, count: usize) -> Result<()> {
    let mut fillers = tokio::task::JoinSet::new();
    let lanes = 4;
    for lane in 0..lanes {
        let mut connection = server.connect().await?;
        let batches = (lane..count.div_ceil(BATCH)).step_by(lanes);
        fillers.spawn(async move {
            for number in batches {
                let from = number * BATCH;
                connection.post("/tasks/batch", &batch(from, BATCH.min(count - from))).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filler) = fillers.join_next().await {
        filler??;
    }
    Ok(())
}

/// What one run took.
pub(crate) struct Watch {
    began: Instant,
    own: f64,
    server: f64,
    pid: u32,
}

impl Watch {
    /// Begins.
    pub(crate) fn begin(server: &Server) -> Result<Self> {
        let pid = server.pid();
        Ok(Self { began: Instant::now(), own: core_us(std::process::id())?, server: core_us(pid)?, pid })
    }

    /// Ends, and adds a run of `tasks` tasks in `requests` requests to a report of tasks a second.
    pub(crate) fn end(self, report: &mut Report, tasks: usize, requests: usize) -> Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        report.runs.push(tasks as f64 / seconds);
        report.load_core_us.push((core_us(std::process::id())? - self.own) / requests as f64);
        report.server_core_us.push((core_us(self.pid)? - self.server) / tasks as f64);
        Ok(())
    }
}

/// A task of an answer: what a worker must know of it to report.
#[derive(serde::Deserialize)]
struct Taken<'a> {
    id: &'a str,
    generation: i64,
}

#[derive(serde::Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    tasks: Vec<Taken<'a>>,
}

/// Tasks of an answer as `(id, generation)`.
pub(crate) fn taken(answer: &[u8]) -> Result<Vec<(String, i64)>> {
    let answer: Answer<'_> = serde_json::from_slice(answer)?;
    Ok(answer.tasks.into_iter().map(|task| (task.id.to_owned(), task.generation)).collect())
}

/// A settle of those tasks, with a claim of so many riding along.
pub(crate) fn settle(agent: &str, done: &[(String, i64)], max: usize) -> Vec<u8> {
    let items: Vec<String> = done
        .iter()
        .map(|(id, generation)| {
            format!(r#"{{"id":"{id}","generation":{generation},"outcome":"succeeded","result":null}}"#)
        })
        .collect();
    format!(r#"{{"items":[{}],"claim":{{"agent":"{agent}","max":{max}}}}}"#, items.join(",")).into_bytes()
}
