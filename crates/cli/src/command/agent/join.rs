//! `tiltyard agent join`

use super::machine::{self, Plan};
use super::own_file::{Entry, OwnFile};
use super::prove::{Proof, prove};
use super::unit;
use crate::context::Context;
use crate::exit::Failure;
use crate::flag::AgentFlags;
use crate::log;
use crate::settings::load::{Given, Loaded, Override};
use crate::settings::origin::Origin;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tiltyard_client::{Client, Request};
use tiltyard_model::secret::Secret;
use tiltyard_wire::agent::Register;
use tiltyard_wire::endpoint::call;

/// Scope of the proof where the token's scopes say everywhere.
const DEFAULT_SCOPE: &str = "default";
/// Settings of the agent that are kept in its file when they were given.
const KEPT_SETTINGS: [&str; 9] = [
    "slots",
    "capabilities",
    "work",
    "roots",
    "user",
    "grace_ms",
    "git_credential_helper",
    "git_ssh_command",
    "git_timeout_ms",
];

/// Add this machine to a server: verify, write the settings, prove with a task that does nothing
///
/// The token is one of the role agent; with an admin's token a new one is minted for this agent, and the admin's is
/// not kept.
#[derive(Debug, Args)]
pub struct Join {
    /// Address of the server
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    flags: AgentFlags,
    /// Write a systemd unit of this user and start it
    #[arg(long)]
    systemd: bool,
}

/// What was done, for people and machines.
struct Joined {
    name: String,
    server: String,
    config: PathBuf,
    proof: Proof,
    unit: Option<PathBuf>,
}

impl Join {
    /// Joins.
    ///
    /// # Errors
    /// Where it failed; nothing is written before the server has welcomed the agent and its proof is done.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let loaded = context.settings(&self.given(context))?;
        log::start(&loaded.settings.log)?;
        let file = OwnFile::look(self.path(context)?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let joined = runtime.block_on(self.join(context, &loaded, &file));
        runtime.shutdown_background();
        joined?.tell(context)
    }

    fn given(&self, context: &Context) -> Given {
        let mut given = self.flags.given(&context.global);
        // The file is about to be written, not read.
        given.config = None;
        let (flag, path) = ("URL".to_owned(), "agent.server".to_owned());
        given.overrides.push(Override { flag, path, value: self.url.clone() });
        given
    }

    fn path(&self, context: &Context) -> Result<PathBuf, Failure> {
        let named = self.flags.settings.config.as_ref().map(|path| context.environment.absolute(path));
        let own = || Some(context.environment.config_folder()?.join("tiltyard.toml"));
        named
            .or_else(own)
            .ok_or_else(|| Failure::usage("say --config FILE: there is no HOME to keep the settings in"))
    }

    async fn join(&self, context: &Context, loaded: &Loaded, file: &OwnFile) -> Result<Joined, Failure> {
        let plan = machine::plan(loaded, &context.environment, None)?;
        let scope = scope_of(&plan.client()?).await?;
        let (plan, token) = with_own_token(plan).await?;
        let (name, server) = (plan.name(), plan.server().to_owned());
        let proof = prove(plan, &scope).await?;
        let entry = Entry { server: &server, token: &token, name: &name, others: kept(loaded) };
        file.write(entry)?;
        let unit = self.systemd.then(|| unit::write(&context.environment, file.path())).transpose()?;
        if unit.is_some() {
            unit::enable().await?;
        }
        Ok(Joined { name, server, config: file.path().to_owned(), proof, unit })
    }
}

/// Where the token may submit; this is also what verifies address and token.
async fn scope_of(client: &Client) -> Result<String, Failure> {
    let scopes = client.call(Request::<call::ScopeList>::new()).await?.items;
    let default = scopes.iter().find(|scope| scope.name == DEFAULT_SCOPE);
    let scope = default
        .or_else(|| scopes.iter().find(|scope| scope.name != "system"))
        .map(|scope| scope.name.clone());
    scope.ok_or_else(|| Failure::failed("the token covers no scope: it can take no work"))
}

/// An admin's token is no token to leave on a machine: a token of the agent's own takes its place.
async fn with_own_token(plan: Plan) -> Result<(Plan, Secret<String>), Failure> {
    let given = plan.token().cloned();
    let given =
        given.ok_or_else(|| Failure::usage("say --token: a server that knows its agents needs one"))?;
    let body = Register { name: plan.name(), ..Register::default() };
    match plan.client()?.call(Request::<call::AgentRegister>::new().body(body)).await {
        Ok(registered) => {
            let own = Secret::new(registered.token);
            Ok((plan.with_token(own.clone()), own))
        }
        // Not an admin's: then it is the agent's own already.
        Err(error) if error.status() == Some(403) => Ok((plan, given)),
        Err(error) if error.code() == Some("already_exists") => {
            let failure = Failure::from(error);
            Err(failure.hint(
                "say --name for another one; or mint it a token: tiltyard token mint NAME --role agent",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// What somebody has set about this agent.
fn kept(loaded: &Loaded) -> toml::Table {
    let all = toml::Value::try_from(&loaded.settings.agent).ok();
    let all = all.as_ref().and_then(toml::Value::as_table);
    let given = |name: &&str| loaded.origin(&format!("agent.{name}")) != Origin::Default;
    let value = |name: &str| Some((name.to_owned(), all?.get(name)?.clone()));
    KEPT_SETTINGS.into_iter().filter(given).filter_map(value).collect()
}

impl Joined {
    fn tell(&self, context: &Context) -> Result<(), Failure> {
        let Self { name, server, config, proof, unit } = self;
        let (config, took_ms) = (config.display(), proof.took.as_millis());
        if context.output.is_json() {
            let unit = unit.as_ref().map(|path| path.display().to_string());
            return context.output.json(&json!({
                "agent": name, "server": server, "config": config.to_string(), "task": proof.task,
                "took_ms": took_ms, "unit": unit,
            }));
        }
        let next = match unit {
            Some(_) => format!("It runs now: systemctl --user status {}", unit::UNIT),
            None => format!("Start it: tiltyard agent --config {config}"),
        };
        let text = format!(
            "{name} has joined {server}: {} was done in {took_ms} ms\nIts settings are in {config}\n{next}",
            proof.task
        );
        context.output.line(&text)
    }
}
