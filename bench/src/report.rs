//! One line a figure.

use crate::plan::{Plan, Store};
use anyhow::Result;
use serde_json::{Map, Value, json};

/// One measured figure.
pub(crate) struct Report {
    /// Its name in the specification.
    pub(crate) figure: &'static str,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// One value a run.
    pub(crate) runs: Vec<f64>,
    /// What the load generator cost, in core-µs a request; one value a run.
    pub(crate) load_core_us: Vec<f64>,
    /// What the server cost, in core-µs a task; one value a run.
    pub(crate) server_core_us: Vec<f64>,
    /// What else there is to know.
    pub(crate) extra: Map<String, Value>,
}

impl Report {
    /// An empty one.
    pub(crate) fn of(figure: &'static str, unit: &'static str) -> Self {
        Self {
            figure,
            unit,
            runs: Vec::new(),
            load_core_us: Vec::new(),
            server_core_us: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Its line.
    pub(crate) fn json(&self, plan: &Plan) -> Result<String> {
        let mut line = json!({
            "figure": self.figure,
            "median": rounded(median(&self.runs)),
            "unit": self.unit,
            "runs": self.runs.iter().copied().map(rounded).collect::<Vec<_>>(),
            "load_core_us_per_request": measured(&self.load_core_us),
            "server_core_us_per_task": measured(&self.server_core_us),
            "store": if plan.store == Store::Sqlite { "sqlite" } else { "postgres" },
            "servers": plan.servers,
            "durability": durability(plan.store),
            "quick": plan.quick,
            "commit": output("git", &["rev-parse", "--short", "HEAD"]),
            "machine": machine(),
        });
        if let Value::Object(fields) = &mut line {
            fields.extend(self.extra.clone());
        }
        Ok(serde_json::to_string(&line)?)
    }
}

fn durability(store: Store) -> &'static str {
    match store {
        Store::Sqlite => "full (fsync before every answer)",
        Store::Postgres => "full (synchronous_commit=on, fsync=on)",
    }
}

/// The middle value; of an even number the lower one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// The middle value, or nothing where nothing was measured.
fn measured(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| rounded(median(values)))
}

fn rounded(value: f64) -> f64 {
    if value >= 1_000.0 { value.round() } else { (value * 1_000.0).round() / 1_000.0 }
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({"cpu": model, "cores": cores, "kernel": output("uname", &["-r"])})
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
