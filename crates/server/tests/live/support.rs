//! What the stories share.

use std::time::Duration;
use tiltyard_client::stream::Following;
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, Query};
use tiltyard_wire::scope;
use tiltyard_wire::task::{Submit, SubmitBatch, View};
use tiltyard_wire::token::{Mint, Minted};

/// How long a signal is awaited before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server.
pub(crate) async fn server() -> TestServer {
    TestServer::start().await.unwrap()
}

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

/// A task of kind `command`.
pub(crate) fn task(title: &str) -> Submit {
    Submit { kind: "command".into(), title: title.into(), ..Submit::default() }
}

/// Submits a task.
pub(crate) async fn submit(client: &Client, task: Submit) -> View {
    client.call(Request::<call::TaskSubmit>::new().body(task)).await.unwrap()
}

/// A task as it is now.
pub(crate) async fn get(client: &Client, task: &View) -> View {
    client.call(Request::<call::TaskGet>::new().place(task.id)).await.unwrap()
}

/// Submits many tasks at once: each is at least two events.
pub(crate) async fn submit_many(client: &Client, count: usize) {
    let tasks = (0..count).map(|number| task(&format!("task {number}"))).collect();
    let body = SubmitBatch { scope: None, tasks };
    client.call(Request::<call::TaskSubmitBatch>::new().body(body)).await.unwrap();
}

/// Makes a scope.
pub(crate) async fn make_scope(client: &Client, name: &str) {
    let body = scope::Put::default();
    client.call(Request::<call::ScopePut>::new().place(name).body(body)).await.unwrap();
}

/// Mints a token.
pub(crate) async fn mint(client: &Client, role: Role, scopes: &[&str]) -> Minted {
    mint_as(
        client,
        Mint {
            label: "of a test".into(),
            role,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            queues: None,
            owner: None,
            groups: Vec::new(),
            expires: None,
        },
    )
    .await
}

/// Mints a token as the test wants it.
pub(crate) async fn mint_as(client: &Client, mint: Mint) -> Minted {
    client.call(Request::<call::TokenMint>::new().body(mint)).await.unwrap()
}

/// Every event that passes, page by page.
pub(crate) async fn polled(client: &Client, query: &Query) -> Vec<Event> {
    let mut query = Query { limit: Some(1_000), after: Some("0".into()), ..query.clone() };
    let mut all = Vec::new();
    loop {
        let page = client.call(Request::<call::EventList>::new().query(query.clone())).await.unwrap();
        if page.items.is_empty() {
            return all;
        }
        all.extend(page.items);
        query.after = Some(page.next_cursor);
    }
}

/// Follows events.
pub(crate) fn follow(client: &Client, query: Query) -> Following<call::EventStream> {
    client.follow(Request::<call::EventStream>::new().query(query))
}

/// The next event of a stream, whatever breaks meanwhile.
pub(crate) async fn next(stream: &mut Following<call::EventStream>) -> Event {
    loop {
        match soon(stream.next()).await.unwrap().unwrap() {
            Item::Next(event) => return event,
            Item::Broken(_) => {}
        }
    }
}

/// An event as a test compares it.
pub(crate) fn text(event: &Event) -> String {
    serde_json::to_string(event).unwrap()
}

/// The status and code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    let error = result.unwrap_err();
    let refused = error.refused().unwrap_or_else(|| panic!("no refusal: {error:?}"));
    (refused.problem.status, refused.problem.code.clone())
}

/// After everything that there is now.
pub(crate) async fn cursor(client: &Client) -> String {
    let query = Query { after: Some("0".into()), limit: Some(1_000), ..Query::default() };
    let mut page = client.call(Request::<call::EventList>::new().query(query.clone())).await.unwrap();
    while !page.items.is_empty() {
        let query = Query { after: Some(page.next_cursor), ..query.clone() };
        page = client.call(Request::<call::EventList>::new().query(query)).await.unwrap();
    }
    page.next_cursor
}
