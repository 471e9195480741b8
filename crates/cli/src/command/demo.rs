//! `tiltyard demo`

mod cast;
mod follow;
mod idea;
mod project;
mod proof;
mod scene;
mod story;

use crate::context::Context;
use crate::exit::Failure;
use crate::signal::{Asked, Signals};
use clap::Args;
use proof::Proof;
use scene::Scene;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use story::Story;
use tempfile::TempDir;
use tokio::time::timeout;

/// What the temporary folder is called.
const PREFIX: &str = "tiltyard-demo-";
/// How long the ends of agent and server may take, each.
const PATIENCE: Duration = Duration::from_secs(15);

/// Watch three ideas become two merged changes and a dead letter
///
/// In a temporary folder: a server, an agent, a small git project with tests of its own, and three ideas done by
/// scripted programs. One merges by itself, one after an approval by somebody else, one fails until it is given up. Ends
/// with 0 only when all of that is proven from the repository, its checks and the audit record.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the folder to look at
    #[arg(long)]
    keep: bool,
    /// The longest it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    limit: u64,
}

/// Where it all happens.
enum Stage {
    /// It goes at the end.
    Passing(TempDir),
    /// It stays.
    Kept(PathBuf),
}

impl Demo {
    /// Plays it.
    ///
    /// # Errors
    /// When anything is otherwise than it should be, or takes too long.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let started = Instant::now();
        let story = Story::new(context.output, started);
        let stage = Stage::set(self.keep)?;
        let played = context.block_on(self.play(&story, stage.path(), started));
        let proven = match played {
            Ok(proof) => {
                story.ending(&stage)?;
                context.output.json_line(&proof)?;
                proof.verdict()
            }
            Err(failure) => Err(failure),
        };
        proven.map_err(|failure| stage.keep_for(failure))
    }

    async fn play(&self, story: &Story, folder: &Path, started: Instant) -> Result<Proof, Failure> {
        let mut signals = Signals::take()?;
        let late = |_| Failure::failed(format!("server and agent do not answer after {} s", self.limit));
        let setting = timeout(Duration::from_secs(self.limit), Scene::set(story, folder));
        let mut scene = tokio::select! {
            set = setting => set.map_err(late)??,
            () = interrupted(&mut signals) => return Err(interruption()),
        };
        let limit = Duration::from_secs(self.limit).saturating_sub(started.elapsed());
        let played = tokio::select! {
            played = timeout(limit, scene.play(story)) => Some(played),
            () = interrupted(&mut signals) => None,
        };
        let played = match played {
            Some(Ok(played)) => played,
            Some(Err(_)) => Err(scene.stuck(self.limit).await),
            None => Err(interruption()),
        };
        let ended = scene.end(PATIENCE).await;
        let mut proof = played?;
        ended?;
        proof.take_time(started.elapsed());
        Ok(proof)
    }
}

async fn interrupted(signals: &mut Signals) {
    while signals.next().await != Asked::End {}
}

fn interruption() -> Failure {
    Failure::failed("stopped before its end")
}

impl Stage {
    fn set(keep: bool) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        Ok(if keep { Self::Kept(folder.keep()) } else { Self::Passing(folder) })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    /// What went wrong can be looked at: the folder stays, and the failure says where.
    fn keep_for(self, failure: Failure) -> Failure {
        let path = match self {
            Self::Passing(folder) => folder.keep(),
            Self::Kept(path) => path,
        };
        let looked_at = format!("everything is left in {}: logs in log/, the store in data/", path.display());
        let hint = failure.hint.map_or_else(|| looked_at.clone(), |hint| format!("{hint}; {looked_at}"));
        Failure { hint: Some(hint), ..failure }
    }
}
