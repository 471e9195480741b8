//! What every command is given.

use crate::client_file::{Destination, path, resolve};
use crate::exit::Failure;
use crate::flag::Global;
use crate::output::Output;
use crate::settings::environment::Environment;
use crate::settings::load::{Given, Loaded, load};
use std::future::Future;
use tiltyard_client::Client;
use tiltyard_client::connection;

/// What every command is given: where it stands, and where it speaks.
#[derive(Debug, Clone)]
pub struct Context {
    /// Flags that every command takes.
    pub global: Global,
    /// Variables and folders.
    pub environment: Environment,
    /// Standard output.
    pub output: Output,
}

impl Context {
    /// The one of this process.
    pub fn of_process(global: Global, output: Output) -> Self {
        Self { global, environment: Environment::of_process(), output }
    }

    /// The effective settings.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn settings(&self, given: &Given) -> Result<Loaded, Failure> {
        Ok(load(given, &self.environment)?)
    }

    /// Where to call, and as whom.
    ///
    /// # Errors
    /// When the client file cannot be read.
    pub fn destination(&self) -> Result<Destination, Failure> {
        let (server, token) = (self.global.server.as_deref(), self.global.token.as_ref());
        Ok(resolve(server, token, &self.environment)?)
    }

    /// Whether somebody said which server is meant: a flag, the environment, or the client file.
    pub fn names_server(&self) -> bool {
        let file = || path(&self.environment).is_some_and(|path| path.exists());
        self.global.server.is_some() || self.environment.get("TILTYARD_URL").is_some() || file()
    }

    /// A caller of the server.
    ///
    /// # Errors
    /// When address or token cannot be used.
    pub fn client(&self) -> Result<Client, Failure> {
        let Destination { url, token } = self.destination()?;
        let program = concat!("tiltyard-cli/", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Client::new(&connection::Destination { url, token, trusted_pem: None, program })?)
    }

    /// Runs a command that talks to a server, on this thread.
    ///
    /// # Errors
    /// Those of the command.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    }
}
