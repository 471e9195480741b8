//! Load harness: starts the real server on a fresh folder, drives it over its real API with everything on that is on
//! by default, and prints one JSON line a figure (E30 to E36). Beside each figure stands what the load generator
//! itself cost, since both share the machine.

mod figure;
mod http;
mod peer;
mod plan;
mod process;
mod report;
mod server;

use anyhow::{Context, Result, bail};
use figure::{backlog, bloat, drain, enqueue, latency, pipeline};
use plan::Plan;
use report::Report;

const USAGE: &str = "usage: tiltyard-bench --server PATH [--store sqlite|postgres] [--servers N] [--quick] [--runs N] [FIGURE ...]
  FIGURE is E30 to E36; all when none is named. By name only: PIPELINE, stages of runs a second, and BLOAT (with --store postgres), what ten minutes of an idle transaction cost. --quick uses small counts: it shows that the harness works, not how fast.";

fn main() -> Result<()> {
    let plan = Plan::read(std::env::args().skip(1)).context(USAGE)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(all(plan))
}

async fn all(plan: Plan) -> Result<()> {
    for figure in &plan.figures {
        let report = measure(figure, &plan).await.with_context(|| format!("figure {figure}"))?;
        #[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
        for line in report {
            println!("{}", line.json(&plan)?);
        }
    }
    if plan.peers {
        #[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
        for line in tokio::task::block_in_place(|| peer::graphile_worker(&plan))? {
            println!("{line}");
        }
    }
    Ok(())
}

async fn measure(figure: &str, plan: &Plan) -> Result<Vec<Report>> {
    Ok(match figure {
        "E30" => vec![enqueue::single(plan).await?],
        "E31" => vec![enqueue::batch(plan).await?],
        "E32" => vec![drain::batches(plan).await?],
        "E33" => vec![drain::singles(plan).await?],
        "E34" => vec![latency::start(plan).await?],
        "E35" => vec![backlog::depth(plan).await?],
        "E36" => vec![backlog::memory(plan).await?],
        "BLOAT" => vec![bloat::idle(plan).await?],
        "PIPELINE" => vec![pipeline::stages(plan).await?],
        other => bail!("there is no figure {other}"),
    })
}
