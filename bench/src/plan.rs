//! What to measure, and how much of it.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What is measured on a shared store unless figures are named (E37).
const SHARED: [&str; 4] = ["E30", "E31", "E32", "E34"];
/// What is measured only when it is named.
const BY_NAME: [&str; 2] = ["BLOAT", "PIPELINE"];
const ALL: [&str; 7] = ["E30", "E31", "E32", "E33", "E34", "E35", "E36"];

/// What to measure.
pub(crate) struct Plan {
    /// The program.
    pub(crate) server: PathBuf,
    /// On which store.
    pub(crate) store: Store,
    /// How many servers share it.
    pub(crate) servers: usize,
    /// Whether its peers are measured beside it.
    pub(crate) peers: bool,
    /// Which figures.
    pub(crate) figures: Vec<String>,
    /// How often each; the median counts.
    pub(crate) runs: usize,
    /// How much.
    pub(crate) counts: Counts,
    /// Whether the counts are too small for the figures to mean anything.
    pub(crate) quick: bool,
}

/// On which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The embedded one.
    Sqlite,
    /// A PostgreSQL server of its own, made for the run, with the settings of its package.
    Postgres,
}

/// How much of it.
pub(crate) struct Counts {
    /// Tasks of E30.
    pub(crate) single: usize,
    /// Tasks of E31 to E33 and the small backlog of E35.
    pub(crate) batch: usize,
    /// Tasks of E34, at 200 a second.
    pub(crate) latency: usize,
    /// The large backlog of E35 and E36.
    pub(crate) backlog: usize,
    /// Stages of a run of PIPELINE.
    pub(crate) stages: usize,
    /// Seconds of BLOAT.
    pub(crate) idle_seconds: u64,
}

impl Plan {
    /// Reads the arguments.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut server, mut figures, mut runs, mut quick) = (None, Vec::new(), 3, false);
        let (mut store, mut servers, mut idle_seconds) = (Store::Sqlite, 1, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--server" => server = Some(arguments.next().context("--server needs a path")?),
                "--runs" => runs = arguments.next().context("--runs needs a number")?.parse()?,
                "--store" => store = store_of(&arguments.next().context("--store needs a word")?)?,
                "--servers" => servers = arguments.next().context("--servers needs a number")?.parse()?,
                "--quick" => quick = true,
                "--idle-seconds" => {
                    let seconds = arguments.next().context("--idle-seconds needs a number")?;
                    idle_seconds = Some(seconds.parse::<u64>()?.max(1));
                }
                figure if ALL.contains(&figure) || BY_NAME.contains(&figure) => {
                    figures.push(figure.to_owned());
                }
                other => bail!("{other} is not known"),
            }
        }
        let peers = store == Store::Postgres && figures.is_empty();
        if figures.is_empty() {
            figures = match store {
                Store::Sqlite => ALL.map(str::to_owned).to_vec(),
                Store::Postgres => SHARED.map(str::to_owned).to_vec(),
            };
        }
        if servers == 0 || (servers > 1 && store == Store::Sqlite) {
            bail!("several servers need --store postgres");
        }
        // Each run starts it in a folder of its own.
        let server = std::path::absolute(server.context("--server is missing")?)?;
        let mut counts = if quick {
            Counts {
                single: 2_000,
                batch: 10_000,
                latency: 100,
                backlog: 20_000,
                stages: 100,
                idle_seconds: 5,
            }
        } else {
            Counts {
                single: 200_000,
                batch: 500_000,
                latency: 4_000,
                backlog: 1_000_000,
                stages: 1_000,
                idle_seconds: 600,
            }
        };
        counts.idle_seconds = idle_seconds.unwrap_or(counts.idle_seconds);
        Ok(Self {
            server,
            store,
            servers,
            peers,
            figures,
            runs: if quick { 1 } else { runs.max(1) },
            counts,
            quick,
        })
    }
}

fn store_of(word: &str) -> Result<Store> {
    match word {
        "sqlite" => Ok(Store::Sqlite),
        "postgres" => Ok(Store::Postgres),
        other => bail!("{other} is no store: sqlite or postgres"),
    }
}
