//! Checks of the server from outside: reachable, right, healthy, of the same version.

use super::finding::Finding;
use crate::context::Context;
use std::net::SocketAddr;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::health::{Component, Status};

/// Everything about the server. Where none was ever named, that none is there is no failure.
pub async fn examine(context: &Context, listen: SocketAddr) -> Vec<Finding> {
    let client = match context.client() {
        Ok(client) => client,
        Err(failure) => return vec![Finding::fail("server", failure.message).mend("tiltyard up")],
    };
    let health = match client.call(Request::<call::HealthGet>::new()).await {
        Ok(health) => health,
        Err(error @ Error::Unreachable { .. }) => return vec![absent(context, &error), port(listen)],
        Err(error) => return vec![Finding::fail("server", error.to_string()).mend("tiltyard up")],
    };
    let mut findings = vec![Finding::ok("server", client.url()), token(&client).await];
    findings.extend(version(&client).await);
    findings.extend(health.components.iter().map(|(name, component)| component_finding(name, component)));
    findings
}

/// No server at the address that nobody chose is a machine that has none yet; one that was named is missed.
fn absent(context: &Context, error: &Error) -> Finding {
    let finding = if context.names_server() { Finding::fail } else { Finding::warn };
    finding("server", error.to_string()).mend("tiltyard up")
}

/// Whether a server could listen where the settings say.
fn port(listen: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Finding::ok("port", format!("{listen} is free")),
        Err(error) => Finding::fail("port", format!("{listen}: {error}"))
            .mend(format!("tiltyard up --listen {}", SocketAddr::new(listen.ip(), 0))),
    }
}

async fn token(client: &Client) -> Finding {
    match client.call(Request::<call::ScopeList>::new()).await {
        Ok(scopes) => {
            let names: Vec<&str> = scopes.items.iter().map(|scope| scope.name.as_str()).collect();
            Finding::ok("token", format!("good for {}", names.join(", ")))
        }
        Err(error) => Finding::fail("token", error.to_string()).mend("export TILTYARD_TOKEN=…"),
    }
}

/// Only tokens that read may ask; others simply do not learn it.
async fn version(client: &Client) -> Option<Finding> {
    let info = client.call(Request::<call::SystemInfo>::new()).await.ok()?;
    let own = crate::version::current().version;
    if info.version == own {
        return Some(Finding::ok("version", own));
    }
    Some(Finding::warn("version", format!("the server is {}, this program {own}", info.version)))
}

fn component_finding(name: &str, component: &Component) -> Finding {
    let check = format!("health {name}");
    let said = component.reason.clone().unwrap_or_else(|| "as it should be".to_owned());
    match component.status {
        Status::Ok => Finding::ok(&check, said),
        Status::Degraded => Finding::warn(&check, said),
        Status::Failing => Finding::fail(&check, said),
    }
}
