//! `tiltyard up`

mod begin;
mod token;
mod words;

use crate::child::Child;
use crate::child::keep::{Keeper, News, Wish};
use crate::context::Context;
use crate::exit::Failure;
use crate::flag::ServerFlags;
use crate::settings::load::{Given, Override};
use crate::signal::{Asked, Signals};
use begin::Begun;
use clap::Args;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use words::Words;

/// How long the agent may take to finish or give back what it does, to tell it, and to end.
const AGENT_PATIENCE: Duration = Duration::from_secs(30);
/// How long the server may take: it ends within ten seconds by itself (O2).
const SERVER_PATIENCE: Duration = Duration::from_secs(12);

/// Start a server and an agent on this machine
///
/// They are two processes: either is started again when it ends, without the other. TERM, INT or Ctrl-C ends both in
/// order, first the agent, then the server; a second one ends them at once.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    flags: ServerFlags,
    /// Name of the agent, a slug [default: the machine's host name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Tasks that the agent runs at once
    #[arg(long, value_name = "COUNT")]
    slots: Option<String>,
    /// What the agent can do, separated by commas
    #[arg(long, value_name = "LIST")]
    capabilities: Option<String>,
    /// Show every line of both logs; without it warnings are shown on a terminal, and the rest is in the log files
    #[arg(long)]
    logs: bool,
}

impl Up {
    /// Runs both until it is told to end.
    ///
    /// # Errors
    /// When one of them does not start, or is given up.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(self.live(context))
    }

    async fn live(&self, context: &Context) -> Result<(), Failure> {
        let mut signals = Signals::take()?;
        let begun = tokio::select! {
            begun = self.begin(context) => begun?,
            // Nothing runs yet that would have to end in order: what was started ends with this process.
            () = ending(&mut signals) => return Ok(()),
        };
        let words = Arc::new(Words::of(context));
        words.begun(&begun)?;
        let Begun { server, agent, .. } = begun;
        let server = Kept::start(server, SERVER_PATIENCE, &words);
        let agent = Kept::start(agent, AGENT_PATIENCE, &words);
        stay(Both { server, agent }, signals).await
    }

    fn given(&self) -> Given {
        let mut given = self.flags.given();
        let own = [
            ("--name", "agent.name", &self.name),
            ("--slots", "agent.slots", &self.slots),
            ("--capabilities", "agent.capabilities", &self.capabilities),
        ];
        for (flag, path, value) in own {
            if let Some(value) = value.clone() {
                given.overrides.push(Override { flag: flag.to_owned(), path: path.to_owned(), value });
            }
        }
        given
    }
}

/// A child with its keeper.
struct Kept {
    wish: watch::Sender<Wish>,
    keeping: JoinHandle<Result<(), Failure>>,
}

struct Both {
    server: Kept,
    agent: Kept,
}

impl Kept {
    fn start(started: begin::Started, patience: Duration, words: &Arc<Words>) -> Self {
        let (wish, heard) = watch::channel(Wish::Run);
        let keeper = Keeper { order: started.order, patience, wish: heard };
        let (words, child) = (Arc::clone(words), started.child);
        let keeping = tokio::spawn(keeper.keep(child, move |news: &News<'_>| words.news(news)));
        Self { wish, keeping }
    }
}

async fn ending(signals: &mut Signals) {
    while signals.next().await != Asked::End {}
}

/// Waits for the first reason to end, and ends both in order.
async fn stay(mut both: Both, mut signals: Signals) -> Result<(), Failure> {
    let given_up = tokio::select! {
        ended = &mut both.agent.keeping => Some(settled(ended)),
        ended = &mut both.server.keeping => Some(settled(ended)),
        () = ending(&mut signals) => None,
    };
    let ended = end(both, signals).await;
    given_up.unwrap_or(Ok(())).and(ended)
}

/// First the agent, so that what it has done reaches the server; a second signal ends both at once.
async fn end(both: Both, mut signals: Signals) -> Result<(), Failure> {
    let Both { mut server, mut agent } = both;
    agent.wish.send_replace(Wish::End);
    let of_agent = finish(&mut agent, &mut signals, &server.wish).await;
    server.wish.send_modify(|wish| *wish = (*wish).max(Wish::End));
    let wish = server.wish.clone();
    let of_server = finish(&mut server, &mut signals, &wish).await;
    of_agent.and(of_server)
}

async fn finish(kept: &mut Kept, signals: &mut Signals, other: &watch::Sender<Wish>) -> Result<(), Failure> {
    if kept.keeping.is_finished() {
        // Its end was the reason for all this, and has been told.
        return Ok(());
    }
    tokio::select! {
        ended = &mut kept.keeping => return settled(ended),
        () = ending(signals) => {}
    }
    kept.wish.send_replace(Wish::EndAtOnce);
    other.send_replace(Wish::EndAtOnce);
    settled((&mut kept.keeping).await)
}

fn settled(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|error| Err(Failure::failed(format!("a keeper broke off: {error}"))))
}

/// The process of a child, for people.
fn pid(child: &Child) -> u32 {
    child.pid().unwrap_or_default()
}
