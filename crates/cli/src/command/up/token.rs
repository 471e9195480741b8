//! The tokens of this machine: one for the person who started it, one for its agent (SEC1, SEC3).

use crate::client_file::{self, ClientFile};
use crate::command::ui::Link;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::place::{Privacy, write_whole};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tiltyard_client::connection::Destination;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_model::secret::Secret;
use tiltyard_wire::agent::Register;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::PageQuery;
use tiltyard_wire::token::Mint;

/// Where the agent's token is kept between two starts, in the data folder; programs that the agent runs do not see it.
const FILE_NAME: &str = "agent-token.json";
/// Most tokens that are looked through for the one of an agent.
const MAX_LOOKED_AT: u32 = 100;

/// For whom tokens are wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) url: &'a str,
    pub(super) data: &'a Path,
    pub(super) name: &'a str,
    pub(super) capabilities: &'a [String],
    /// The first token, when the server has just made it.
    pub(super) first: Option<Secret<String>>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// For the command line of this user; `None` when nobody here knows one.
    pub(super) person: Option<Secret<String>>,
    /// For the agent; `None` where none is asked for.
    pub(super) agent: Option<Secret<String>>,
}

#[derive(Deserialize)]
struct Saved {
    agent: String,
    token: Secret<String>,
}

impl Tokens {
    /// Finds what is there, and mints what is not.
    pub(super) async fn find(context: &Context, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let known = Known::here(context, wanted)?;
        let person = known.person(wanted).await?;
        let agent = match saved(wanted).await? {
            Some(token) => token,
            None => known.register(wanted).await?,
        };
        Ok(Self { person, agent: Some(agent) })
    }

    /// A link that opens the console; `None` when nobody here knows a token that may read.
    pub(super) async fn link(&self, url: &str) -> Result<Option<String>, Failure> {
        let Some(token) = &self.person else { return Ok(None) };
        Ok(unless_refused(Link::ask(&client(url, token)?, url).await)?.map(|link| link.url))
    }
}

/// Tokens of people that this user has.
struct Known {
    /// The first token, else the one of the client file.
    own: Option<Secret<String>>,
    /// `--token`, `TILTYARD_TOKEN`, `ADMIN_TOKEN`: for as long as they are given.
    given: Vec<Secret<String>>,
}

impl Known {
    fn here(context: &Context, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let file = client_file::path(&context.environment).map(|path| ClientFile::read(&path)).transpose()?;
        let own = wanted.first.clone().or_else(|| file.flatten().map(|file| file.token));
        let of_environment =
            |name: &str| context.environment.get(name).map(|text| Secret::new(text.to_owned()));
        let given =
            [context.global.token.clone(), of_environment("TILTYARD_TOKEN"), of_environment("ADMIN_TOKEN")];
        Ok(Self { own, given: given.into_iter().flatten().collect() })
    }

    /// The one to keep: the own one if it is taken here, else a new one by whatever is given.
    async fn person(&self, wanted: &Wanted<'_>) -> Result<Option<Secret<String>>, Failure> {
        if let Some(own) = &self.own
            && is_taken(wanted.url, own).await?
        {
            return Ok(Some(own.clone()));
        }
        for token in &self.given {
            let mint = Mint {
                label: format!("command line on {}", wanted.name),
                role: Role::Admin,
                scopes: vec!["*".to_owned()],
                queues: None,
                owner: Some("admin".to_owned()),
                groups: Vec::new(),
                expires: None,
            };
            let request = Request::<call::TokenMint>::new().body(mint);
            if let Some(minted) = unless_refused(client(wanted.url, token)?.call(request).await)? {
                return Ok(Some(minted.token.into()));
            }
        }
        Ok(None)
    }

    /// A token for the agent, by the first token that may give one.
    async fn register(&self, wanted: &Wanted<'_>) -> Result<Secret<String>, Failure> {
        for token in self.own.iter().chain(&self.given) {
            let client = client(wanted.url, token)?;
            if let Some(token) = register(&client, wanted).await? {
                save(wanted, &token)?;
                return Ok(token);
            }
        }
        let failure = Failure::new(Exit::Refused, "no token is known here that may register the agent");
        Err(failure.hint(
            "the first token was shown when the store was made: give it as TILTYARD_TOKEN once, or start with \
             ADMIN_TOKEN set to 16 characters or more",
        ))
    }
}

/// Registers the agent; one that is known already gets its like for the token that was lost. `None` when the caller
/// may not.
async fn register(client: &Client, wanted: &Wanted<'_>) -> Result<Option<Secret<String>>, Failure> {
    let (name, capabilities) = (wanted.name.to_owned(), wanted.capabilities.to_vec());
    let body = Register { name, capabilities, scopes: None };
    match client.call(Request::<call::AgentRegister>::new().body(body)).await {
        Err(error) if error.code() == Some("already_exists") => another(client, wanted.name).await.map(Some),
        answer => Ok(unless_refused(answer)?.map(|registered| registered.token.into())),
    }
}

/// The agent's live token is ended and its like minted; an agent that never had one of its own gets a plain one.
async fn another(client: &Client, agent: &str) -> Result<Secret<String>, Failure> {
    let query = PageQuery { limit: Some(MAX_LOOKED_AT), ..PageQuery::default() };
    let tokens = client.call(Request::<call::TokenList>::new().query(query)).await?;
    let own =
        tokens.items.iter().find(|token| token.agent.as_deref() == Some(agent) && token.revoked.is_none());
    let minted = match own {
        Some(token) => client.call(Request::<call::TokenRotate>::new().place(token.id)).await?,
        None => {
            let mint = Mint {
                label: format!("agent {agent}"),
                role: Role::Agent,
                scopes: vec!["*".to_owned()],
                queues: None,
                owner: None,
                groups: Vec::new(),
                expires: None,
            };
            client.call(Request::<call::TokenMint>::new().body(mint)).await?
        }
    };
    Ok(minted.token.into())
}

/// The agent's token of an earlier start, if it is still taken.
async fn saved(wanted: &Wanted<'_>) -> Result<Option<Secret<String>>, Failure> {
    let text = match std::fs::read_to_string(file(wanted)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // A file that cannot be read is as good as none: another token is minted.
    let saved = serde_json::from_str::<Saved>(&text).ok().filter(|saved| saved.agent == wanted.name);
    match saved {
        Some(saved) if is_taken(wanted.url, &saved.token).await? => Ok(Some(saved.token)),
        _ => Ok(None),
    }
}

fn save(wanted: &Wanted<'_>, token: &Secret<String>) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Plain<'a> {
        agent: &'a str,
        token: &'a str,
    }
    let text = serde_json::to_string(&Plain { agent: wanted.name, token: token.expose() })
        .map_err(|error| Failure::failed(error.to_string()))?;
    Ok(write_whole(&file(wanted), format!("{text}\n").as_bytes(), Privacy::Private)?)
}

fn file(wanted: &Wanted<'_>) -> PathBuf {
    wanted.data.join(FILE_NAME)
}

/// Whether the server lets that token in.
async fn is_taken(url: &str, token: &Secret<String>) -> Result<bool, Failure> {
    let answer = client(url, token)?.call(Request::<call::ScopeList>::new()).await;
    Ok(unless_refused(answer)?.is_some())
}

/// `None` for who is not known or may not: the next token is tried.
fn unless_refused<T>(answer: Result<T, Error>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.status(), Some(401 | 403)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn client(url: &str, token: &Secret<String>) -> Result<Client, Failure> {
    let program = concat!("tiltyard-up/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Client::new(&Destination {
        url: url.to_owned(),
        token: Some(token.clone()),
        trusted_pem: None,
        program,
    })?)
}
