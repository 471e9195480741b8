//! Who takes part: an admin who sets the scene, sam who hands ideas in, ada who decides.

use crate::exit::Failure;
use tiltyard_client::connection::Destination;
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_model::secret::Secret;
use tiltyard_wire::agent::Register;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::token::Mint;

/// Who hands ideas in.
pub(super) const SUBMITTER: &str = "sam";
/// Who decides: another identity than the one that handed in.
pub(super) const DECIDER: &str = "ada";
/// The agent.
pub(super) const AGENT: &str = "demo";
/// Where it all belongs.
pub(super) const SCOPE: &str = "default";

/// A client each.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) admin: Client,
    pub(super) submitter: Client,
    pub(super) decider: Client,
    /// What the agent calls with.
    pub(super) agent: Secret<String>,
}

impl Cast {
    /// Makes everybody known, by the first token.
    pub(super) async fn meet(url: &str, first: Secret<String>) -> Result<Self, Failure> {
        let admin = client(url, first)?;
        let submitter = client(url, person(&admin, SUBMITTER).await?)?;
        let decider = client(url, person(&admin, DECIDER).await?)?;
        let body = Register { name: AGENT.to_owned(), capabilities: Vec::new(), scopes: None };
        let registered = admin.call(Request::<call::AgentRegister>::new().body(body)).await?;
        Ok(Self { admin, submitter, decider, agent: registered.token.into() })
    }
}

async fn person(admin: &Client, name: &str) -> Result<Secret<String>, Failure> {
    let mint = Mint {
        label: name.to_owned(),
        role: Role::Operator,
        scopes: vec![SCOPE.to_owned()],
        queues: None,
        owner: Some(name.to_owned()),
        groups: Vec::new(),
        expires: None,
    };
    Ok(admin.call(Request::<call::TokenMint>::new().body(mint)).await?.token.into())
}

fn client(url: &str, token: Secret<String>) -> Result<Client, Failure> {
    let program = concat!("tiltyard-demo/", env!("CARGO_PKG_VERSION")).to_owned();
    let (url, token) = (url.to_owned(), Some(token));
    Ok(Client::new(&Destination { url, token, trusted_pem: None, program })?)
}
