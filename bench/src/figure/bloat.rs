//! What an idle transaction costs: somebody's session of the database that was left open, so that no dead row behind it can be
//! cleared away. The store works at a steady rate meanwhile; before and after, it is driven as fast as it goes.

use super::{batch, drain, fill, settle, taken};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::Server;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Tasks a second meanwhile.
const RATE: usize = 5_000;
/// Tasks of a request meanwhile.
const PORTION: usize = 100;
/// Workers meanwhile.
const WORKERS: usize = 4;

/// The share of the throughput that is left after `plan.counts.idle_seconds` beside the open transaction, of what is left after
/// the same time and the same tasks without one (1.0: it costs nothing).
pub(crate) async fn idle(plan: &Plan) -> Result<Report> {
    let mut report = Report::of("BLOAT", "share left");
    let without = span(plan, false).await?;
    let with = span(plan, true).await?;
    report.runs.push(with.after / without.after);
    for (name, span) in [("without", without), ("with", with)] {
        report.extra.insert(format!("tasks_per_s_before_{name}"), span.before.round().into());
        report.extra.insert(format!("tasks_per_s_after_{name}"), span.after.round().into());
        report.extra.insert(
            format!("steady_tasks_per_s_{name}"),
            (span.done as u64 / plan.counts.idle_seconds).into(),
        );
    }
    report.extra.insert("seconds".to_owned(), plan.counts.idle_seconds.into());
    Ok(report)
}

/// What a store of its own did: tasks a second before and after, and how many between.
struct Span {
    before: f64,
    after: f64,
    done: usize,
}

async fn span(plan: &Plan, open: bool) -> Result<Span> {
    let server = Server::start(plan).await?;
    let before = throughput(&server, plan).await?;
    let left_open = open.then(|| LeftOpen::begin(&server)).transpose()?;
    let done = steady(&server, Duration::from_secs(plan.counts.idle_seconds)).await?;
    let after = throughput(&server, plan).await?;
    drop(left_open);
    Ok(Span { before, after, done })
}

/// Tasks a second, in and out again.
async fn throughput(server: &Server, plan: &Plan) -> Result<f64> {
    server.settle().await;
    let count = plan.counts.batch / 5;
    let began = Instant::now();
    fill(server, count).await?;
    drain::drain(server, count, WORKERS, 1_000).await?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// Puts tasks in at the rate and has them done; gives how many.
async fn steady(server: &Server, time: Duration) -> Result<usize> {
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut crew = tokio::task::JoinSet::new();
    for number in 0..WORKERS {
        let mut connection = server.connect().await?;
        let (over, done) = (Arc::clone(&over), Arc::clone(&done));
        crew.spawn(async move {
            let agent = format!("bench-{number}");
            let mut held = Vec::new();
            loop {
                let mut body = settle(&agent, &held, PORTION);
                body.truncate(body.len() - 2);
                body.extend_from_slice(br#","wait_ms":500}}"#);
                let answer = connection.post("/tasks/settle", &body).await?;
                done.fetch_add(held.len(), Ordering::Relaxed);
                held = taken(answer)?;
                if held.is_empty() && over.load(Ordering::Relaxed) {
                    return anyhow::Ok(());
                }
            }
        });
    }
    let mut producer = server.connect().await?;
    let mut tick = tokio::time::interval(Duration::from_secs(1) * PORTION as u32 / RATE as u32);
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < time {
        tick.tick().await;
        producer.post("/tasks/batch", &batch(sent, PORTION)).await?;
        sent += PORTION;
    }
    over.store(true, Ordering::Relaxed);
    while let Some(worker) = crew.join_next().await {
        worker??;
    }
    Ok(done.load(Ordering::Relaxed))
}

/// A session with a transaction that nobody ends.
struct LeftOpen(Child);

impl LeftOpen {
    fn begin(server: &Server) -> Result<Self> {
        let Some(url) = server.database() else { bail!("BLOAT needs --store postgres") };
        let mut child = Command::new("psql")
            .args(["--quiet", "--no-psqlrc", "--tuples-only", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting psql")?;
        let text = "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT 'open ' || txid_current();\n";
        child.stdin.as_mut().context("its input")?.write_all(text.as_bytes())?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        for line in lines {
            if line?.contains("open ") {
                return Ok(Self(child));
            }
        }
        bail!("psql has ended")
    }
}

impl Drop for LeftOpen {
    fn drop(&mut self) {
        // A child that has ended by itself is no error here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
