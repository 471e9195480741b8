//! What the stories share.

use serde_json::Value;
use tiltyard_client::{Client, Error, Request};
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::work::{Claim, Complete};
use tiltyard_wire::task::{Submit, View};

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

/// The status and code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    let error = result.unwrap_err();
    let refused = error.refused().unwrap_or_else(|| panic!("no refusal: {error:?}"));
    (refused.problem.status, refused.problem.code.clone())
}
