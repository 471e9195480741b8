//! Peers, from their own packages, on the same machine in the same run.

use crate::plan::Plan;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tiltyard_testkit::postgres::{Cluster, Sync};

/// graphile-worker, which uses PostgreSQL as we do: its lines.
pub(crate) fn graphile_worker(plan: &Plan) -> Result<Vec<String>> {
    let home = installed()?;
    let mut lines: Vec<Value> = Vec::new();
    for _ in 0..plan.runs {
        let cluster = Cluster::start(Sync::On, &["shared_buffers=128MB"])?;
        let database = cluster.database()?;
        let counts = [plan.counts.single, plan.counts.batch].map(|count| (count / 4).to_string());
        let mut command = Command::new("node");
        command.arg("graphile-worker.mjs").arg(database.tcp_url()).args(counts).current_dir(&home);
        let done = command.output().context("starting node")?;
        if !done.status.success() {
            bail!("graphile-worker: {}", String::from_utf8_lossy(&done.stderr));
        }
        for (place, text) in String::from_utf8_lossy(&done.stdout).lines().enumerate() {
            let said: Value = serde_json::from_str(text).context("a line of graphile-worker")?;
            match lines.get_mut(place) {
                Some(line) => line["runs"].as_array_mut().context("runs")?.push(said["value"].clone()),
                None => lines.push(first(&said)),
            }
        }
    }
    Ok(lines.iter().map(with_median).collect())
}

fn first(said: &Value) -> Value {
    json!({
        "peer": "graphile-worker",
        "figure": said["figure"],
        "unit": said["unit"],
        "runs": [said["value"]],
        "store": "postgres",
        "durability": "full (synchronous_commit=on, fsync=on)",
    })
}

fn with_median(line: &Value) -> String {
    let runs = line["runs"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let mut line = line.clone();
    line["median"] = json!(crate::report::median(&runs.collect::<Vec<_>>()));
    line.to_string()
}

/// The folder with the peers' packages, at the versions that are written down, beside what is built.
fn installed() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| own.join("../../target"), PathBuf::from);
    let home = target.join("peers");
    std::fs::create_dir_all(&home)?;
    for file in ["package.json", "graphile-worker.mjs"] {
        std::fs::copy(own.join(file), home.join(file)).with_context(|| format!("copying {file}"))?;
    }
    let arguments = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"];
    let done = Command::new("npm").args(arguments).current_dir(&home).output().context("starting npm")?;
    if !done.status.success() {
        bail!("npm install: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(home)
}
