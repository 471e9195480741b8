//! Flags that several commands share; each is defined once.

use crate::settings::load::{Given, Override};
use clap::Args;
use std::path::PathBuf;
use tiltyard_model::secret::Secret;

/// Where the help of a command shows the flags that are not its own.
const EVERYWHERE: &str = "Options of every command";

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Print JSON for machines
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// Address of the server [default: TILTYARD_URL, else the client file, else http://127.0.0.1:8470]
    #[arg(long, global = true, value_name = "URL", help_heading = EVERYWHERE)]
    pub server: Option<String>,
    /// Token; other users of this machine may see it here, so prefer TILTYARD_TOKEN or the client file
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret, help_heading = EVERYWHERE)]
    pub token: Option<Secret<String>>,
}

/// A value that is never printed.
///
/// # Errors
/// Never; the signature is clap's.
pub fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// Flags of commands that read the settings.
#[derive(Debug, Clone, Default, Args)]
pub struct SettingsFlags {
    /// Settings file [default: ./tiltyard.toml, else $XDG_CONFIG_HOME/tiltyard/tiltyard.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Any setting, by its key; may be given many times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

/// Flags of commands that work on a store, wherever it lies.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreFlags {
    #[command(flatten)]
    /// The settings.
    pub settings: SettingsFlags,
    /// Where the data lives: `embedded`, or `postgres://…` (other users of this machine may see a password here)
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

/// Flags of commands that start a server.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerFlags {
    #[command(flatten)]
    /// The settings.
    pub settings: SettingsFlags,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where the data lives: `embedded`, or `postgres://…` (other users of this machine may see a password here)
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// When a change counts as done: `full` or `relaxed`
    #[arg(long, value_name = "WORD")]
    pub durability: Option<String>,
    /// Allow an address other than loopback
    #[arg(long)]
    pub allow_external_bind: bool,
    /// Let everybody in as an admin; only on loopback
    #[arg(long)]
    pub no_auth: bool,
    /// Write address and process id here once the server answers
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Flags of commands that start an agent. Server and token are the global ones.
#[derive(Debug, Clone, Default, Args)]
pub struct AgentFlags {
    #[command(flatten)]
    /// The settings.
    pub settings: SettingsFlags,
    /// Its name, a slug
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Tasks that it runs at once
    #[arg(long, value_name = "COUNT")]
    pub slots: Option<String>,
    /// What it can do, separated by commas
    #[arg(long, value_name = "LIST")]
    pub capabilities: Option<String>,
    /// Folder of its clones, mirrors and outbox
    #[arg(long, value_name = "DIR")]
    pub work: Option<String>,
    /// Run programs as this user
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as log.level=debug")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn put(given: &mut Given, flag: &str, path: &str, value: Option<&str>) {
    if let Some(value) = value {
        let (flag, path, value) = (flag.to_owned(), path.to_owned(), value.to_owned());
        given.overrides.push(Override { flag, path, value });
    }
}

impl SettingsFlags {
    /// These, as far as `later` ones do not say otherwise.
    #[must_use]
    pub fn over(self, later: &Self) -> Self {
        Self {
            config: later.config.clone().or(self.config),
            data: later.data.clone().or(self.data),
            set: self.set.into_iter().chain(later.set.iter().cloned()).collect(),
        }
    }

    /// What these flags say about settings.
    pub fn given(&self) -> Given {
        let mut given = Given { config: self.config.clone(), overrides: Vec::new() };
        put(&mut given, "--data", "data", self.data.as_deref());
        for (key, value) in &self.set {
            put(&mut given, &format!("--set {key}"), key, Some(value));
        }
        given
    }
}

impl StoreFlags {
    /// These, as far as `later` ones do not say otherwise.
    #[must_use]
    pub fn over(self, later: &Self) -> Self {
        Self { settings: self.settings.over(&later.settings), store: later.store.clone().or(self.store) }
    }

    /// What these flags say about settings.
    pub fn given(&self) -> Given {
        let mut given = self.settings.given();
        put(&mut given, "--store", "store", self.store.as_deref());
        given
    }
}

impl ServerFlags {
    /// What these flags say about settings.
    pub fn given(&self) -> Given {
        let mut given = self.settings.given();
        put(&mut given, "--listen", "listen", self.listen.as_deref());
        put(&mut given, "--store", "store", self.store.as_deref());
        put(&mut given, "--durability", "durability", self.durability.as_deref());
        put(&mut given, "--no-auth", "no_auth", self.no_auth.then_some("true"));
        let external = self.allow_external_bind.then_some("true");
        put(&mut given, "--allow-external-bind", "allow_external_bind", external);
        given
    }
}

impl AgentFlags {
    /// What these flags and the global ones say about settings.
    pub fn given(&self, global: &Global) -> Given {
        let mut given = self.settings.given();
        put(&mut given, "--name", "agent.name", self.name.as_deref());
        put(&mut given, "--slots", "agent.slots", self.slots.as_deref());
        put(&mut given, "--capabilities", "agent.capabilities", self.capabilities.as_deref());
        put(&mut given, "--work", "agent.work", self.work.as_deref());
        put(&mut given, "--user", "agent.user", self.user.as_deref());
        put(&mut given, "--server", "agent.server", global.server.as_deref());
        let token = global.token.as_ref().map(|token| token.expose().as_str());
        put(&mut given, "--token", "agent.token", token);
        given
    }
}
