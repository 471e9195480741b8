//! From settings to an agent that can be started: its folders, its executors, its conversation.

use crate::client_file::{self, Destination};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::environment::Environment;
use crate::settings::load::Loaded;
use crate::settings::name::{agent_name, host_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_agent::executor::change::{CHANGE_KIND, ChangeExecutor};
use tiltyard_agent::executor::command::{COMMAND_KIND, CommandExecutor};
use tiltyard_agent::executor::git_check::CheckExecutor;
use tiltyard_agent::executor::git_clean::CleanExecutor;
use tiltyard_agent::executor::git_merge::MergeExecutor;
use tiltyard_agent::executor::git_probe::ProbeExecutor;
use tiltyard_agent::executor::workshop::WorkshopSettings;
use tiltyard_agent::executor::{Executors, Workshop};
use tiltyard_agent::git::{AllowedRoots, Git, GitError, GitSettings};
use tiltyard_agent::host::{Host, HostError, HostSettings, Recovered};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::outbox::SealKey;
use tiltyard_agent::process::{Graces, Launcher, RunAs, hide_own_memory};
use tiltyard_agent::session::{Identity, Session, SessionSettings, Times};
use tiltyard_client::{Client, connection};
use tiltyard_model::secret::Secret;
use tiltyard_wire::work::{CHECK_KIND, CLEAN_KIND, MERGE_KIND, PROBE_KIND};

/// The argument that makes this binary a shim.
pub const SHIM_ARGUMENT: &str = "exec-shim";
/// How often clones that nobody needs any more are looked for.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// Longest wait for the programs of an earlier process to end.
const RECOVER_LIMIT: Duration = Duration::from_secs(60);

/// An agent as the settings want it.
#[derive(Debug, Clone)]
pub struct Plan {
    settings: Settings,
    destination: Destination,
    hide: Vec<PathBuf>,
    /// The queues it takes from; the server's choice when empty.
    queues: Vec<String>,
}

/// An agent that is ready to speak.
#[derive(Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Mirrors and clones; `None` without git.
    pub workshop: Option<Arc<Workshop>>,
    /// Its conversation.
    pub session: Session,
}

/// An agent with these settings. `told` is the token that a parent has said, which goes before that of the settings.
///
/// # Errors
/// When the client file cannot be read.
pub fn plan(
    loaded: &Loaded,
    environment: &Environment,
    told: Option<&Secret<String>>,
) -> Result<Plan, Failure> {
    let settings = loaded.settings.clone();
    let token = told.or(settings.agent.token.as_ref());
    let destination = client_file::resolve(settings.agent.server.as_deref(), token, environment)?;
    let own = [Some(settings.data.clone()), environment.config_folder(), environment.state_folder()];
    Ok(Plan { destination, hide: own.into_iter().flatten().collect(), queues: Vec::new(), settings })
}

impl Plan {
    /// Where it connects to.
    pub fn server(&self) -> &str {
        &self.destination.url
    }

    /// Its name: the one of the settings, else that of the machine.
    pub fn name(&self) -> String {
        agent_name(&self.settings.agent)
    }

    /// The token it calls with.
    pub fn token(&self) -> Option<&Secret<String>> {
        self.destination.token.as_ref()
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(mut self, token: Secret<String>) -> Self {
        self.destination.token = Some(token);
        self
    }

    /// The same, taking from this queue only.
    #[must_use]
    pub fn taking_from(mut self, queue: &str) -> Self {
        self.queues = vec![queue.to_owned()];
        self
    }

    /// What its outcomes on disk are sealed with: programs can read no token.
    fn seal(&self) -> SealKey {
        let token = self.destination.token.as_ref();
        token.map_or_else(SealKey::default, |token| SealKey::from_secret(token.expose()))
    }

    /// A caller of its server, with its token.
    ///
    /// # Errors
    /// When address or token cannot be used.
    pub fn client(&self) -> Result<Client, Failure> {
        let Destination { url, token } = self.destination.clone();
        let program = concat!("tiltyard-agent/", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Client::new(&connection::Destination { url, token, trusted_pem: None, program })?)
    }
}

/// Opens its folders, and waits for what an earlier process has left. Nothing is said to the server yet.
///
/// # Errors
/// When a folder or the user cannot be used.
pub async fn start(plan: Plan) -> Result<Machine, Failure> {
    // Tokens are in here. Where the kernel refuses, the guide says what that means.
    if let Err(error) = hide_own_memory() {
        tracing::warn!(target: "security", "programs of this user can look into the agent's memory: {error}");
    }
    let (name, client) = (plan.name(), plan.client()?);
    let workshop = workshop(&plan, &client).await?;
    let host = host(&plan, executors(client.clone(), workshop.as_ref()))?;
    let recovered = host.recover(RECOVER_LIMIT).await?;
    tell_recovered(&recovered);
    // Not before: programs of an earlier process may write there until they have ended.
    if let Some(workshop) = &workshop {
        workshop.clear().await;
    }
    let agent = plan.settings.agent;
    let identity = Identity {
        name: name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_name(),
        capabilities: agent.capabilities,
        queues: plan.queues,
    };
    let settings = SessionSettings { identity, folder: agent.work, times: Times::default() };
    let session = Session::new(client, host, settings)?;
    Ok(Machine { name, workshop, session })
}

fn host(plan: &Plan, executors: Executors) -> Result<Arc<Host>, Failure> {
    let agent = &plan.settings.agent;
    let launcher = Launcher::new(std::env::current_exe()?, vec![SHIM_ARGUMENT.into()]);
    if let Err(error) = launcher.adopt_orphans() {
        tracing::warn!(target: "agent", "the end of programs whose shim is killed cannot be confirmed: {error}");
    }
    let user = agent.user.as_deref().map(RunAs::find).transpose();
    let user = user.map_err(|error| Failure::usage(error.to_string()))?;
    let settings = HostSettings {
        folder: agent.work.clone(),
        slots: agent.slots as usize,
        launcher,
        hide: plan.hide.clone(),
        user,
        graces: Graces { stop_ms: agent.grace_ms, ..Graces::default() },
        seal: plan.seal(),
        log_limits: LogLimits::default(),
        executors,
    };
    let (host, damage) = Host::open(settings).map_err(|error| no_host(&error))?;
    for damage in damage {
        let file = damage.file.display();
        tracing::error!(target: "agent", %file, reason = damage.reason, "an outcome is damaged and was set aside");
    }
    Ok(host)
}

fn no_host(error: &HostError) -> Failure {
    Failure::failed(error.to_string()).hint("each agent needs a folder of its own: --work DIR")
}

/// Without git an agent still runs commands.
async fn workshop(plan: &Plan, client: &Client) -> Result<Option<Arc<Workshop>>, Failure> {
    let git = match Git::find(git_settings(&plan.settings.agent)) {
        Ok(git) => git.version().await.map(|_| git),
        Err(error) => Err(error),
    };
    let git = match git {
        Ok(git) => git,
        Err(error) => {
            tracing::warn!(target: "agent", "no changes can be made or merged here: {error}");
            return Ok(None);
        }
    };
    let agent = &plan.settings.agent;
    private_folder(&agent.work)?;
    let settings = WorkshopSettings {
        git,
        folder: agent.work.clone(),
        roots: AllowedRoots::new(agent.roots.clone()),
        client: client.clone(),
    };
    let opened = Workshop::open(settings);
    let failed =
        |error: GitError| Failure::failed(error.to_string()).hint("say --work DIR for another folder");
    Ok(Some(Arc::new(opened.map_err(failed)?)))
}

/// How git reaches what is registered by address.
fn git_settings(agent: &crate::settings::Agent) -> GitSettings {
    GitSettings {
        program: None,
        ssh_command: agent.git_ssh_command.clone().map(Into::into),
        credential_helper: agent.git_credential_helper.clone(),
        timeout: Some(Duration::from_millis(agent.git_timeout_ms)),
    }
}

fn private_folder(folder: &Path) -> Result<(), Failure> {
    crate::place::make_private_folder(folder)
        .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))
}

fn executors(client: Client, workshop: Option<&Arc<Workshop>>) -> Executors {
    let executors = Executors::default().with(COMMAND_KIND, CommandExecutor::new(client));
    let Some(workshop) = workshop else { return executors };
    let share = || Arc::clone(workshop);
    executors
        .with(CHANGE_KIND, ChangeExecutor::new(share()))
        .with(PROBE_KIND, ProbeExecutor::new(share()))
        .with(CHECK_KIND, CheckExecutor::new(share()))
        .with(MERGE_KIND, MergeExecutor::new(share()))
        .with(CLEAN_KIND, CleanExecutor::new(share()))
}

fn tell_recovered(recovered: &Recovered) {
    let Recovered { outcomes, ended, alive, stuck } = recovered;
    if !outcomes.is_empty() || !ended.is_empty() {
        let (outcomes, ended) = (outcomes.len(), ended.len());
        tracing::info!(target: "agent", outcomes, ended, "an earlier process left outcomes to tell, and attempts that ended with it");
    }
    for key in alive {
        tracing::warn!(target: "agent", attempt = %key, "programs of an earlier process do not end; their shim goes on trying");
    }
    for (key, error) in stuck {
        tracing::warn!(target: "agent", attempt = %key, %error, "a folder of an earlier process cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C31: how git reaches what is registered by address is the operator's to say.
    #[test]
    fn c31_git_is_run_as_the_settings_say() {
        let agent = crate::settings::Agent {
            git_credential_helper: Some("store".into()),
            git_ssh_command: Some("ssh -i key".into()),
            git_timeout_ms: 5_000,
            ..Default::default()
        };
        let git = git_settings(&agent);
        assert_eq!(git.credential_helper.as_deref(), Some("store"));
        assert_eq!(git.ssh_command.as_deref(), Some(std::ffi::OsStr::new("ssh -i key")));
        assert_eq!(git.timeout, Some(Duration::from_secs(5)));
    }
}
