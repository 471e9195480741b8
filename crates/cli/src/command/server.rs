//! `tiltyard server`

pub mod announce;
mod program;
mod reload;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::flag::ServerFlags;
use crate::log::{self, LevelHandle};
use crate::parent::{self, Parent};
use crate::ready_file;
use crate::settings::load::Loaded;
use crate::settings::serve::{serve_options, url};
use crate::signal::{Asked, Signals};
use announce::Announcement;
use clap::Args;
use program::Surroundings;
use std::pin::pin;
use std::sync::Arc;
use tiltyard_engine::Engine;
use tiltyard_server::{End, Running, ServeOptions, serve};

/// Run the server
///
/// It answers until it is told to end: TERM or INT finishes what is in flight and ends within ten seconds, a second
/// one ends at once. HUP reads the settings anew.
#[derive(Debug, Args)]
pub struct Server {
    #[command(flatten)]
    flags: ServerFlags,
    /// End when standard input ends; `up` says this
    #[arg(long, hide = true)]
    tied: bool,
}

/// What outlives the start.
struct Life<'a> {
    context: &'a Context,
    flags: &'a ServerFlags,
    loaded: Loaded,
    level: LevelHandle,
    parent: Option<Parent>,
    program: Arc<Surroundings>,
}

impl Server {
    /// Serves.
    ///
    /// # Errors
    /// Why it does not start; when the store broke (E2).
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let loaded = context.settings(&self.flags.given())?;
        let mut options = serve_options(&loaded, &context.environment)?;
        let level = log::start(&loaded.settings.log)?;
        let program = Arc::new(Surroundings::new(&loaded, level.clone()));
        options.program = Arc::<Surroundings>::clone(&program);
        let parent = self.tied.then(Parent::hear).transpose()?;
        let life = Life { context, flags: &self.flags, loaded, level, parent, program };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(life.live(options))
    }
}

impl Life<'_> {
    async fn live(self, options: ServeOptions) -> Result<(), Failure> {
        // Before anything is opened: who ends it early ends it in order.
        let signals = Signals::take()?;
        let ready_file = self.flags.ready_file.clone();
        self.not_ready()?;
        let running = serve(options).await?;
        running.engine().letters().set(self.loaded.settings.dead_letters.max as usize);
        self.announce(&running)?;
        let end = self.stay(running, signals).await;
        if let Some(Err(error)) = ready_file.map(|path| ready_file::remove(&path)) {
            tracing::warn!(target: "api", "the ready file cannot be taken away: {error}");
        }
        end
    }

    /// What an earlier process left there would be read as this one's word.
    fn not_ready(&self) -> Result<(), Failure> {
        let Some(path) = &self.flags.ready_file else { return Ok(()) };
        ready_file::remove(path)
            .map_err(|error| Failure::failed(format!("{} cannot be taken away: {error}", path.display())))
    }

    /// The ready file last: whoever waits for it finds the client file there.
    fn announce(&self, running: &Running) -> Result<(), Failure> {
        let settings = &self.loaded.settings;
        let announcement = Announcement {
            url: url(settings, running.address()),
            address: running.address(),
            first: running.first().cloned(),
            open_to_all: settings.no_auth,
        };
        // The start has happened; that nobody reads of it is no reason to end.
        if let Err(failure) = announcement.tell(self.context) {
            tracing::warn!(target: "api", "standard output is closed: {failure}");
        }
        if settings.no_auth {
            tracing::warn!(target: "security", "no tokens are asked for: whoever reaches the address is an admin");
        }
        if let Some(path) = &self.flags.ready_file {
            ready_file::write(path, running.address())
                .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
        }
        Ok(())
    }

    /// Serves until it is asked to end.
    async fn stay(mut self, running: Running, mut signals: Signals) -> Result<(), Failure> {
        let (engine, stopper) = (Arc::clone(running.engine()), running.stopper());
        let mut draining = false;
        let mut served = pin!(running.join());
        loop {
            let asked = tokio::select! {
                end = &mut served => return verdict(end),
                asked = signals.next() => asked,
                () = parent::gone(&mut self.parent) => Asked::End,
            };
            match asked {
                Asked::End if draining => at_once(),
                Asked::End => {
                    draining = true;
                    tracing::info!(target: "api", "draining: a second signal ends at once");
                    stopper.reach(tiltyard_server::edge::stop::Stage::Draining);
                }
                Asked::Reload => self.reload(&engine).await,
            }
        }
    }
}

/// What is acknowledged is on disk already, so nothing is lost; what is in flight is cut.
fn at_once() {
    tracing::warn!(target: "api", "ended at once: what was in flight is cut");
    std::process::exit(Exit::Failed as i32);
}

fn verdict(end: End) -> Result<(), Failure> {
    match end {
        End::Stopped => Ok(()),
        End::Broken(why) => Err(Failure::new(Exit::Storage, format!("the store broke: {why}")).hint(
            "nothing that was acknowledged is lost: the next start recovers from what is on disk; check the disk first",
        )),
    }
}

impl Life<'_> {
    /// Takes the settings that can change while it runs. Wrong ones change nothing.
    async fn reload(&mut self, engine: &Engine) {
        let again = reload::Again { given: self.flags.given(), environment: &self.context.environment };
        if let Some(loaded) = again.take(&self.loaded, engine, &self.level).await {
            self.program.replace(&loaded);
            self.loaded = loaded;
        }
    }
}
