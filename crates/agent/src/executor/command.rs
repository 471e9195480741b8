//! The kind `command` (C10): a program from the payload, with what it is handed and what is taken of it (D21).

mod exchange;
mod payload;
mod place;

pub use payload::{BadPayload, CommandPayload, From, Given, Output};
pub use place::{Inside, NotInside};

use super::checker::give_tree;
use super::limit::Limits;
use super::{Executor, Job, Performed, Performing, ProgramRun, result};
use crate::outcome::Verdict;
use crate::process::{Program, environment};
use exchange::Exchange;
use std::time::Duration;
use tiltyard_client::Client;

/// The kind of tasks that this executor does.
pub const COMMAND_KIND: &str = "command";
/// How long what an attempt leaves may be handed in when its time is up: the server waits little longer.
const AFTER_TIME: Duration = Duration::from_secs(1);

/// Runs the program that the payload names. Exit code 0 succeeds, once all that it was to put out is handed in.
#[derive(Debug, Clone, Default)]
pub struct CommandExecutor {
    client: Option<Client>,
}

impl CommandExecutor {
    /// One that fetches and hands in artifacts by this caller of the server; by default there is none.
    pub const fn new(client: Client) -> Self {
        Self { client: Some(client) }
    }

    async fn perform(&self, job: &mut Job<'_>) -> Result<Performed, Performed> {
        let refused = |reason: String| Performed::told(Verdict::refused(reason));
        let payload = CommandPayload::read(&job.assignment.payload);
        let payload = payload.map_err(|error| refused(error.to_string()))?;
        let client = match &self.client {
            None if payload.needs_server() => {
                return Err(refused("this agent has no way to the server's artifacts".to_owned()));
            }
            client => client.as_ref(),
        };
        let (limits, _) = Limits::of(job);
        let exchange = Exchange { client, limits, key: job.assignment.key.clone(), folder: job.folder };
        let program = prepare(job, &exchange, &payload).await?;
        let run = job.run(program, Vec::new()).await;
        let run = run.map_err(|error| Performed::told(super::run::not_started(&error)))?;
        match job.fault(&run) {
            None => Ok(succeeded(job, &exchange, &payload, run).await?),
            Some(performed) => {
                rescue(job, exchange, &payload, &run, &performed).await;
                Err(performed)
            }
        }
    }
}

impl Executor for CommandExecutor {
    fn execute<'a>(&'a self, mut job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&mut job).await.unwrap_or_else(|performed| performed) })
    }
}

/// Brings what the program is handed, and says how it is run.
async fn prepare(
    job: &Job<'_>,
    exchange: &Exchange<'_>,
    payload: &CommandPayload,
) -> Result<Program, Performed> {
    if payload.is_handed_artifacts() {
        job.progress.say("fetching what it is handed");
    }
    let stdin = exchange.stdin(&payload.stdin).await?;
    for (path, given) in &payload.files {
        exchange.place(path, given).await?;
    }
    if !payload.files.is_empty() {
        let broken = |error: std::io::Error| {
            Performed::told(Verdict::failed(format!("cannot give the program its files: {error}")))
        };
        give_tree(job, &job.folder.work()).await.map_err(broken)?;
    }
    Ok(program(payload, stdin, job))
}

fn program(payload: &CommandPayload, stdin: Vec<u8>, job: &Job<'_>) -> Program {
    let mut env = environment::inherited();
    for (name, value) in &payload.env {
        env.retain(|(known, _)| known != name);
        env.extend(value.clone().map(|value| (name.clone(), value)));
    }
    env.push((result::OUTPUT_VARIABLE.to_owned(), job.folder.output_file().to_string_lossy().into_owned()));
    let cwd = payload.cwd.as_ref().map_or_else(|| job.folder.work(), |cwd| job.folder.work().join(cwd));
    Program { run: payload.run.clone(), env, cwd, stdin }
}

/// A program that ended well has done so once what it was to put out is there.
async fn succeeded(
    job: &Job<'_>,
    exchange: &Exchange<'_>,
    payload: &CommandPayload,
    run: ProgramRun,
) -> Result<Performed, Performed> {
    if !payload.outputs.is_empty() {
        job.progress.say("handing in what it put out");
    }
    let mut faults = Vec::new();
    for output in &payload.outputs {
        faults.extend(exchange.hand_in(output, &run.speech).await?.err().map(|missing| missing.text));
    }
    let verdict = match result::find(job.folder, &run.speech) {
        Ok(result) if faults.is_empty() => Verdict::Succeeded { result },
        Ok(_) => Verdict::failed(format!("exit code 0, but {}", faults.join("\n"))),
        Err(error) => Verdict::failed(error),
    };
    Ok(Performed { verdict: Some(verdict), stop: run.ended.stop })
}

/// What a program that failed leaves is kept as far as it is there (D22): somebody will want to see it.
async fn rescue(
    job: &mut Job<'_>,
    mut exchange: Exchange<'_>,
    payload: &CommandPayload,
    run: &ProgramRun,
    performed: &Performed,
) {
    match &performed.verdict {
        Some(Verdict::Failed { .. }) => {}
        Some(Verdict::TimedOut { .. }) => exchange.limits = exchange.limits.prolonged(AFTER_TIME),
        // Nobody waits for it.
        _ => return,
    }
    for output in &payload.outputs {
        let why = match exchange.hand_in(output, &run.speech).await {
            Ok(Ok(())) => continue,
            Ok(Err(missing)) if missing.is_absent => continue,
            Ok(Err(missing)) => missing.text,
            Err(Performed { verdict: Some(Verdict::Failed { error, .. }), .. }) => error,
            // The job is over.
            Err(_) => return,
        };
        // The log may be full or gone; the end itself is told all the same.
        let _ = job.log.note(&format!("not kept: {why}"));
    }
}
