//! The first seconds of `up`: the server, a token for the agent, the agent.

use super::Up;
use super::token::{Tokens, Wanted};
use crate::child::{Child, Hearing, Order};
use crate::client_file::{self, ClientFile};
use crate::command::server::announce;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::style::Paint;
use crate::place::make_private_folder;
use crate::settings::load::Loaded;
use crate::settings::name::agent_name;
use crate::settings::serve::serve_options;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// How long the agent's first word is waited for before the server's address is told without it.
const FIRST_CONNECTION: Duration = Duration::from_secs(10);

/// A child that runs, and how it is started again.
pub(super) struct Started {
    pub(super) order: Order,
    pub(super) child: Child,
}

/// Both run.
pub(super) struct Begun {
    pub(super) server: Started,
    pub(super) agent: Started,
    pub(super) url: String,
    pub(super) agent_name: String,
    pub(super) slots: u32,
    /// Whether the agent has been welcomed.
    pub(super) connected: bool,
    pub(super) data: PathBuf,
    pub(super) logs: PathBuf,
    /// The file that lets this user's command line in, when a token is known.
    pub(super) client_file: Option<PathBuf>,
    /// Where the one with another token is now that was there before.
    pub(super) client_file_before: Option<PathBuf>,
    /// The first token, where this start made it.
    pub(super) token: Option<String>,
    /// What opens the console, signed in where tokens are asked for.
    pub(super) link: Option<String>,
}

impl Up {
    pub(super) async fn begin(&self, context: &Context) -> Result<Begun, Failure> {
        let loaded = context.settings(&self.given())?;
        // What keeps a server from starting is told here once, and not by a child.
        serve_options(&loaded, &context.environment)?;
        let (data, logs) = (loaded.settings.data.clone(), loaded.settings.data.join("log"));
        make_private_folder(&data)?;
        make_private_folder(&logs)?;
        let (mut server, said) = self.start_server(&loaded, &logs).await?;
        server.order = server.order.setting("listen", &said.address.to_string());
        let name = agent_name(&loaded.settings.agent);
        let wanted = Wanted {
            url: &said.url,
            data: &data,
            name: &name,
            capabilities: &loaded.settings.agent.capabilities,
            first: said.token.clone().map(Into::into),
        };
        let tokens = match loaded.settings.no_auth {
            true => Tokens::default(),
            false => Tokens::find(context, &wanted).await?,
        };
        let link = match loaded.settings.no_auth {
            true => Some(said.url.clone()),
            false => tokens.link(&said.url).await?,
        };
        let (client_file, before) = keep(context, &said.url, &tokens)?;
        let client_file_before = before.or(said.client_file_before);
        let order = Order::agent(&self.given(), &said.url, tokens.agent, self.hearing());
        let order = log_to(order.setting("agent.name", &name), &logs.join("agent.log"));
        let mut child = Child::start(&order).await?;
        let connected = first_word(&mut child).await?;
        let (slots, agent_name, url) = (loaded.settings.agent.slots, name, said.url);
        let agent = Started { order, child };
        let token = said.token;
        Ok(Begun {
            server,
            agent,
            url,
            agent_name,
            slots,
            connected,
            data,
            logs,
            client_file,
            client_file_before,
            token,
            link,
        })
    }

    async fn start_server(
        &self,
        loaded: &Loaded,
        logs: &std::path::Path,
    ) -> Result<(Started, announce::Line), Failure> {
        let mut order = Order::server(&self.given(), self.hearing());
        if loaded.settings.log.file.is_none() {
            order = log_to(order, &logs.join("server.log"));
        }
        order = order.setting("log.format", "json");
        if let Some(path) = &self.flags.ready_file {
            order = order.argument("--ready-file").argument(&path.display().to_string());
        }
        let mut child = Child::start(&order).await?;
        let line = child.first_line().await.map_err(|ended| ended.failure())?;
        let said = serde_json::from_str(&line).map_err(|error| {
            Failure::failed(format!("the server's first line is not understood: {error}"))
        })?;
        Ok((Started { order, child }, said))
    }

    /// On a terminal a person wants to read; elsewhere somebody collects lines.
    fn hearing(&self) -> Hearing {
        if self.logs || !std::io::stderr().is_terminal() {
            Hearing::All
        } else {
            Hearing::Warnings(Paint::of_stderr())
        }
    }
}

fn log_to(order: Order, file: &std::path::Path) -> Order {
    order.setting("log.file", &file.display().to_string()).setting("log.format", "json")
}

/// Lets this user's command line in: the client file, and where the one is that it replaced.
fn keep(
    context: &Context,
    url: &str,
    tokens: &Tokens,
) -> Result<(Option<PathBuf>, Option<PathBuf>), Failure> {
    let (Some(path), Some(token)) = (client_file::path(&context.environment), &tokens.person) else {
        return Ok((None, None));
    };
    let before = ClientFile { url: url.to_owned(), token: token.clone() }.replace(&path)?;
    Ok((Some(path), before))
}

/// Whether the agent said in time that it is welcome.
async fn first_word(child: &mut Child) -> Result<bool, Failure> {
    match timeout(FIRST_CONNECTION, child.first_line()).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(ended)) => Err(ended.failure()),
        // It goes on trying.
        Err(_) => Ok(false),
    }
}
