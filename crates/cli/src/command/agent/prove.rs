//! The proof of a new agent (C5): it takes a task that does nothing, and does it.

use super::machine::{self, Plan};
use crate::exit::Failure;
use std::time::{Duration, Instant};
use tiltyard_agent::executor::command::COMMAND_KIND;
use tiltyard_agent::session::{Shutdown, Status};
use tiltyard_client::request::random_key;
use tiltyard_client::{Client, Request};
use tiltyard_model::task::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::model::id::Id;
use tiltyard_wire::task::{Cancel, Submit, View};
use tokio::sync::watch;

/// The queue of proofs. Its own, so that an agent which only proves itself takes no other work.
const PROOF_QUEUE: &str = "join";
/// Longest wait for the welcome, and for the task.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks at the task.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was proved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) task: Id,
    pub(super) took: Duration,
}

/// Starts the agent in this process, has it do a task that does nothing, and ends it.
///
/// # Errors
/// Why it could not.
pub(super) async fn prove(plan: Plan, scope: &str) -> Result<Proof, Failure> {
    let client = plan.client()?;
    let machine = machine::start(plan.taking_from(PROOF_QUEUE)).await?;
    let (wish, shutdown) = watch::channel(Shutdown::No);
    let status = machine.session.status();
    let running = tokio::spawn(machine.session.run(shutdown));
    let proved = async {
        welcomed(status).await?;
        let began = Instant::now();
        let task = submit(&client, scope, &machine.name).await?;
        done(&client, task.id).await?;
        Ok(Proof { task: task.id, took: began.elapsed() })
    };
    let proved = proved.await;
    wish.send_replace(Shutdown::Orderly);
    // How it ended changes nothing about what was proved.
    drop(running.await);
    proved
}

async fn welcomed(mut status: watch::Receiver<Status>) -> Result<(), Failure> {
    let welcome = async { status.wait_for(|status| status.connected).await.is_ok() };
    if tokio::time::timeout(PATIENCE, welcome).await.is_ok_and(|welcomed| welcomed) {
        return Ok(());
    }
    let trouble = status.borrow().trouble.clone().unwrap_or_else(|| "it said nothing".to_owned());
    Err(Failure::failed(format!("the server does not welcome this agent: {trouble}")))
}

async fn submit(client: &Client, scope: &str, agent: &str) -> Result<View, Failure> {
    let payload = serde_json::value::RawValue::from_string(r#"{"argv":["true"]}"#.to_owned());
    let body = Submit {
        scope: Some(scope.to_owned()),
        queue: Some(PROOF_QUEUE.to_owned()),
        kind: COMMAND_KIND.to_owned(),
        title: format!("The agent {agent} proves itself"),
        payload: Some(payload.map_err(|error| Failure::failed(error.to_string()))?),
        assign_to: Some(agent.to_owned()),
        max_attempts: Some(1),
        ..Submit::default()
    };
    let request = Request::<call::TaskSubmit>::new().body(body).idempotent(random_key()?);
    Ok(client.call(request).await?)
}

async fn done(client: &Client, id: Id) -> Result<(), Failure> {
    let look = async {
        loop {
            let task = client.call(Request::<call::TaskGet>::new().place(id)).await?;
            if task.state.is_final() {
                return Ok::<View, Failure>(task);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(task)) if task.state == State::Succeeded => Ok(()),
        Ok(Ok(task)) => {
            let why = task.error.unwrap_or_else(|| "no reason was given".to_owned());
            Err(Failure::failed(format!(
                "the task {id} that was to prove it is {}: {why}",
                task.state.as_str()
            )))
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            // Left alone it would wait for ever.
            let body = Cancel { reason: Some("the agent did not take it".to_owned()) };
            drop(client.call(Request::<call::TaskCancel>::new().place(id).body(body)).await);
            let text = format!("the task {id} that was to prove it was not done within 30 s");
            Err(Failure::failed(text).hint(format!("tiltyard why {id}")))
        }
    }
}
