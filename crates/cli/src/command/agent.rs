//! `tiltyard agent`

pub mod join;
pub mod machine;
mod own_file;
mod prove;
mod unit;

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::AgentFlags;
use crate::log::{self, LevelHandle};
use crate::parent::{self, Parent};
use crate::ready_file::{self, AgentReady};
use crate::signal::{Asked, Signals};
use clap::{Args, Subcommand};
use machine::Machine;
use std::path::PathBuf;
use tiltyard_agent::session::{Shutdown, Status};
use tokio::sync::watch;

/// Run an agent on this machine, or join a server with one command
///
/// It connects to its server, takes as many tasks at once as it has slots, and connects again for as long as it
/// lives. TERM or INT takes nothing new, lets what runs finish for a moment, gives back the rest and ends; a second
/// one ends at once.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Agent {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    flags: AgentFlags,
    /// Write name, server and process id here once the server has welcomed it
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// End when standard input ends; `up` says this
    #[arg(long, hide = true)]
    tied: bool,
}

/// What else can be done.
#[derive(Debug, Subcommand)]
enum Act {
    Join(Box<join::Join>),
}

/// What outlives the start.
struct Life<'a> {
    agent: &'a Agent,
    context: &'a Context,
    level: LevelHandle,
    parent: Option<Parent>,
}

impl Agent {
    /// Runs the agent, or does what is asked.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        if let Some(Act::Join(join)) = &self.act {
            return join.run(context);
        }
        let loaded = context.settings(&self.flags.given(&context.global))?;
        let level = log::start(&loaded.settings.log)?;
        let parent = self.tied.then(Parent::hear).transpose()?;
        let plan = machine::plan(&loaded, &context.environment, parent.as_ref().and_then(Parent::token))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let life = Life { agent: self, context, level, parent };
        let lived = runtime.block_on(life.live(plan));
        // A blocked thread (a big folder that goes, a dead disk) does not keep it from ending.
        runtime.shutdown_background();
        lived
    }
}

impl Life<'_> {
    async fn live(mut self, plan: machine::Plan) -> Result<(), Failure> {
        let mut signals = Signals::take()?;
        let server = plan.server().to_owned();
        let Machine { name, workshop, session } = machine::start(plan).await?;
        if let Some(workshop) = workshop {
            tokio::spawn(workshop.keep_tidy(machine::SWEEP_EVERY));
        }
        let (wish, shutdown) = watch::channel(Shutdown::No);
        let status = session.status();
        let mut running = tokio::spawn(session.run(shutdown));
        let ready = AgentReady { agent: name, server, pid: std::process::id() };
        let told = Told { agent: self.agent, context: self.context, ready };
        let mut told = std::pin::pin!(told.tell(status));
        loop {
            tokio::select! {
                ended = &mut running => return ended.map_err(|error| Failure::failed(format!("the agent broke: {error}"))),
                told = &mut told => told?,
                asked = signals.next() => self.obey(asked, &wish),
                () = parent::gone(&mut self.parent) => self.obey(Asked::End, &wish),
            }
        }
    }

    fn obey(&self, asked: Asked, wish: &watch::Sender<Shutdown>) {
        match asked {
            Asked::End if *wish.borrow() != Shutdown::No => {
                tracing::warn!(target: "agent", "ended at once: what runs is ended by its shims");
                wish.send_replace(Shutdown::AtOnce);
            }
            Asked::End => {
                tracing::info!(target: "agent", "draining: a second signal ends at once");
                wish.send_replace(Shutdown::Orderly);
            }
            Asked::Reload => self.reload(),
        }
    }

    /// Of an agent's settings only the level of its log can change while it runs.
    fn reload(&self) {
        match self.context.settings(&self.agent.flags.given(&self.context.global)) {
            Ok(loaded) => self.level.set_level(loaded.settings.log.level),
            Err(failure) => tracing::error!(target: "config", "the settings stay as they were: {failure}"),
        }
    }
}

/// Tells whoever waits that the agent is connected.
struct Told<'a> {
    agent: &'a Agent,
    context: &'a Context,
    ready: AgentReady,
}

impl Told<'_> {
    /// Says so at the first welcome, to standard output and in the ready file; then waits for ever.
    async fn tell(self, mut status: watch::Receiver<Status>) -> Result<(), Failure> {
        let welcomed = async { status.wait_for(|status| status.connected).await.is_ok() };
        if welcomed.await {
            // It works; that nobody reads of it is no reason to end.
            if let Err(failure) = self.say() {
                tracing::warn!(target: "agent", "standard output is closed: {failure}");
            }
            if let Some(path) = &self.agent.ready_file {
                let failed =
                    |error| Failure::failed(format!("{} cannot be written: {error}", path.display()));
                ready_file::write_agent(path, &self.ready).map_err(failed)?;
            }
        }
        std::future::pending().await
    }

    fn say(&self) -> Result<(), Failure> {
        if self.context.output.is_json() {
            return self.context.output.json_line(&self.ready);
        }
        let AgentReady { agent, server, .. } = &self.ready;
        self.context.output.line(&format!("The agent {agent} is connected to {server}"))
    }
}
