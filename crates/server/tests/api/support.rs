//! What the stories share.

use serde_json::Value;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::scope;
use tiltyard_wire::task::work::{Claim, Complete, Fail};
use tiltyard_wire::task::{Submit, View};
use tiltyard_wire::token::Mint;

/// A server.
pub(crate) async fn server() -> TestServer {
    TestServer::start().await.unwrap()
}

/// A task of kind `command`.
pub(crate) fn task(title: &str) -> Submit {
    Submit { kind: "command".into(), title: title.into(), ..Submit::default() }
}

/// Submits a task.
pub(crate) async fn submit(client: &Client, task: Submit) -> View {
    client.call(Request::<call::TaskSubmit>::new().body(task)).await.unwrap()
}

/// The task as it is now.
pub(crate) async fn get(client: &Client, task: &View) -> View {
    client.call(Request::<call::TaskGet>::new().place(task.id)).await.unwrap()
}

/// A claim of up to `max` tasks.
pub(crate) fn claim_of(agent: &str, max: usize) -> Claim {
    Claim { agent: agent.into(), max: Some(max), ..Claim::default() }
}

/// Claims up to `max` tasks.
pub(crate) async fn claim(client: &Client, agent: &str, max: usize) -> Vec<View> {
    let claimed = client.call(Request::<call::TaskClaim>::new().body(claim_of(agent, max))).await;
    claimed.unwrap().tasks
}

/// Settles a claimed task as done.
pub(crate) async fn complete(client: &Client, task: &View, result: Value) {
    let body = Complete {
        generation: task.generation,
        result: Some(serde_json::value::to_raw_value(&result).unwrap()),
    };
    client.call(Request::<call::TaskComplete>::new().place(task.id).body(body)).await.unwrap();
}

/// A token to mint, of that role and in these scopes, called as its role.
pub(crate) fn token(role: Role, scopes: &[&str]) -> Mint {
    Mint {
        label: format!("some {}", role.as_str()),
        role,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    }
}

/// A client with a new token.
pub(crate) async fn client_with(server: &TestServer, mint: Mint) -> Client {
    let minted = server.client().call(Request::<call::TokenMint>::new().body(mint)).await.unwrap();
    server.client_of(&minted.token)
}

/// Makes a scope.
pub(crate) async fn make_scope(client: &Client, name: &str) {
    let put = Request::<call::ScopePut>::new().place(name).body(scope::Put::default());
    client.call(put).await.unwrap();
}

/// Submits a task and lets it die of that error at once.
pub(crate) async fn die(client: &Client, task: Submit, error: &str) -> View {
    let task = submit(client, task).await;
    fail(client, &task, error).await;
    get(client, &task).await
}

/// Claims a task that is ready, and lets it die of that error.
pub(crate) async fn fail(client: &Client, task: &View, error: &str) {
    let claim = Claim {
        queues: Some(vec![task.queue.clone()]),
        scope: Some(task.scope.clone()),
        ..claim_of("undertaker", 1)
    };
    let held = client.call(Request::<call::TaskClaim>::new().body(claim)).await.unwrap().tasks.remove(0);
    assert_eq!(held.id, task.id, "another task was ready before");
    let body = Fail { generation: held.generation, error: error.into(), retryable: Some(false) };
    client.call(Request::<call::TaskFail>::new().place(held.id).body(body)).await.unwrap();
}

/// The status and code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    let error = result.unwrap_err();
    let refused = error.refused().unwrap_or_else(|| panic!("no refusal: {error:?}"));
    (refused.problem.status, refused.problem.code.clone())
}

/// An answer read byte by byte.
#[derive(Debug)]
pub(crate) struct Raw {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

/// Sends a request as it is, with the admin token unless `headers` says otherwise, and reads the whole answer.
pub(crate) async fn raw(server: &TestServer, line: &str, headers: &[&str], body: &str) -> Raw {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let mut text =
        format!("{line} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n", server.address().port());
    if !headers.iter().any(|header| header.starts_with("Authorization")) {
        text += &format!("Authorization: Bearer {}\r\n", tiltyard_testkit::ADMIN_TOKEN);
    }
    for header in headers.iter().filter(|header| !header.is_empty()) {
        text += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// The headers of somebody without a token.
pub(crate) const STRANGER: &str = "Authorization: none";
