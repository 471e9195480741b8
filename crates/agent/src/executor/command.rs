//! The kind `command` (C10): a program from the payload.

mod payload;

pub use payload::{BadPayload, CommandPayload};

use super::{Executor, Job, Performed, Performing, result};
use crate::outcome::Verdict;
use crate::process::{Program, environment};

/// The kind of tasks that this executor does.
pub const COMMAND_KIND: &str = "command";

/// Runs the program that the payload names. Exit code 0 succeeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandExecutor;

impl Executor for CommandExecutor {
    fn execute<'a>(&'a self, job: Job<'a>) -> Performing<'a> {
        Box::pin(perform(job))
    }
}

async fn perform(mut job: Job<'_>) -> Performed {
    let payload = match CommandPayload::read(&job.assignment.payload) {
        Ok(payload) => payload,
        Err(error) => return Performed::told(Verdict::refused(error.to_string())),
    };
    let run = job.run(program(payload, &job), Vec::new()).await;
    let run = match job.judge(run) {
        Ok(run) => run,
        Err(performed) => return performed,
    };
    let verdict = match result::find(job.folder, &run.speech) {
        Ok(result) => Verdict::Succeeded { result },
        Err(error) => Verdict::failed(error),
    };
    Performed { verdict: Some(verdict), stop: run.ended.stop }
}

fn program(payload: CommandPayload, job: &Job<'_>) -> Program {
    let mut env = environment::inherited();
    for (name, value) in payload.env {
        env.retain(|(known, _)| *known != name);
        env.extend(value.map(|value| (name, value)));
    }
    env.push((result::OUTPUT_VARIABLE.to_owned(), job.folder.output_file().to_string_lossy().into_owned()));
    let cwd = payload.cwd.map_or_else(|| job.folder.work(), |cwd| job.folder.work().join(cwd));
    Program { run: payload.run, env, cwd, stdin: payload.stdin }
}
