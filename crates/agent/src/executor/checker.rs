//! Runs the programs that git's work asks for (checks) as programs of the job: into its log, within its time, with
//! its rights, ended for real.

use super::limit::Occupied;
use super::{Job, Manner};
use crate::git::runner::{Ended, LogSink, Program, Runner, Running};
use crate::process::{self, Cause, Exit, Hindrance, Run, StartError, Stop, environment};
use parking_lot::Mutex;
use std::path::Path;

/// Runs checks for one job, one at a time.
pub(super) struct Checker<'j, 'a> {
    job: tokio::sync::Mutex<&'j mut Job<'a>>,
    occupied: Occupied,
    stop: Mutex<Stop>,
}

impl<'j, 'a> Checker<'j, 'a> {
    pub(super) fn new(job: &'j mut Job<'a>, occupied: Occupied) -> Self {
        Self { job: tokio::sync::Mutex::new(job), occupied, stop: Mutex::new(Stop::Confirmed) }
    }

    /// Whether all that was run has ended.
    pub(super) fn stop(&self) -> Stop {
        self.stop.lock().clone()
    }

    async fn check(&self, program: Program, log: LogSink) -> Ended {
        let Program { argv, cwd, env, timeout } = program;
        let mut job = self.job.lock().await;
        if let Err(error) = give_tree(&job, &cwd).await {
            return Ended::Broken(format!("cannot give {} to the other user: {error}", cwd.display()));
        }
        let mut whole_env = environment::inherited();
        whole_env.retain(|(name, _)| !env.iter().any(|(own, _)| own == name));
        whole_env.extend(env);
        // A line that says which check speaks; without it the log is only harder to read.
        let _ = job.log.note(&format!("check: {}", argv.join(" ")));
        let program =
            process::Program { run: Run::Argv(argv), env: whole_env, cwd: cwd.clone(), stdin: Vec::new() };
        let manner = Manner { open: vec![cwd], timeout: Some(timeout), hearer: Some(&*log) };
        self.occupied.set(true);
        let ran = job.run_as(program, manner).await;
        self.occupied.set(false);
        match ran {
            Ok(run) => {
                if let Stop::Unconfirmed { .. } = run.ended.stop {
                    *self.stop.lock() = run.ended.stop.clone();
                }
                ended(&run.ended, job.time_left().is_some_and(|left| left.is_zero()))
            }
            Err(StartError::Refused {
                hindrance: Hindrance::MissingProgram | Hindrance::NotExecutable,
                text,
            }) => Ended::Missing(text),
            Err(error) => Ended::Broken(error.to_string()),
        }
    }
}

/// Gives a clone to the user that programs run as, if that is another one.
pub(super) async fn give_tree(job: &Job<'_>, tree: &Path) -> std::io::Result<()> {
    let Some(user) = job.surroundings.user else { return Ok(()) };
    let tree = tree.to_owned();
    let given = tokio::task::spawn_blocking(move || crate::workspace::give_tree(&tree, user)).await;
    given.map_err(std::io::Error::other).flatten()
}

impl Runner for Checker<'_, '_> {
    fn run(&self, program: Program, log: LogSink) -> Running<'_> {
        Box::pin(self.check(program, log))
    }
}

/// `late`: the time of the whole attempt is up, not only that of the check.
fn ended(ended: &process::Ended, late: bool) -> Ended {
    match (ended.cause, ended.exit) {
        (Cause::Stopped(_), _) => Ended::Cancelled,
        (Cause::TimedOut, _) if late => Ended::Cancelled,
        (Cause::TimedOut, _) => Ended::TimedOut,
        (Cause::ShimLost, _) => Ended::Broken("its shim was killed: how it ended is not known".to_owned()),
        (Cause::Finished, Some(Exit::Code(code))) => Ended::Exited(code),
        (Cause::Finished, Some(Exit::Signal(signal))) => Ended::Signalled(signal),
        (Cause::Finished, None) => Ended::Broken("it ended in a way that is not known".to_owned()),
    }
}
