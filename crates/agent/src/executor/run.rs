//! Runs a program for a job: into the job's log, within its time, with its rights.

use super::limit::too_late;
use super::{Job, Performed, Speech};
use crate::log::LogWriter;
use crate::outcome::Verdict;
use crate::process::{
    Cause, Confinement, Ended, Exit, Hiding, HidingMethod, OutputSink, Program, Request, StartError, Stop,
    Voice,
};
use crate::stop::StopReason;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A program that has run.
#[derive(Debug)]
pub struct ProgramRun {
    /// How it ended.
    pub ended: Ended,
    /// What it said last.
    pub speech: Speech,
}

/// Hears a program's output.
pub type Hearer<'a> = &'a (dyn Fn(&[u8]) + Send + Sync);

/// How a program is run beside its argv.
#[derive(Default)]
pub struct Manner<'a> {
    /// Folders it may use besides the attempt's own, should they lie in hidden ones.
    pub open: Vec<PathBuf>,
    /// The longest it may take, when that is less than what is left of the attempt.
    pub timeout: Option<Duration>,
    /// Hears its output besides the log.
    pub hearer: Option<Hearer<'a>>,
}

/// Keeps output and listens to it.
struct Listening<'a> {
    log: &'a mut LogWriter,
    speech: Speech,
    hearer: Option<Hearer<'a>>,
}

impl OutputSink for Listening<'_> {
    fn write(&mut self, voice: Voice, bytes: &[u8]) -> io::Result<()> {
        self.speech.hear(voice, bytes);
        if let Some(hearer) = self.hearer {
            hearer(bytes);
        }
        self.log.write(voice, bytes)
    }
}

impl Job<'_> {
    /// Runs `program` to its end. Besides the attempt's own folders it may use those in `open`, should they lie in
    /// hidden ones. What a person should know about the end stands in the log.
    ///
    /// # Errors
    /// [`StartError`] when nothing was run.
    pub async fn run(&mut self, program: Program, open: Vec<PathBuf>) -> Result<ProgramRun, StartError> {
        self.run_as(program, Manner { open, ..Manner::default() }).await
    }

    /// Runs `program` to its end, in the manner given.
    ///
    /// # Errors
    /// [`StartError`] when nothing was run.
    pub async fn run_as(&mut self, program: Program, manner: Manner<'_>) -> Result<ProgramRun, StartError> {
        let Manner { open, timeout, hearer } = manner;
        let mut request = self.request(program, open);
        request.timeout = request.timeout.into_iter().chain(timeout).min();
        let mut listening = Listening { log: &mut *self.log, speech: Speech::default(), hearer };
        let ended = self.surroundings.launcher.run(request, &mut listening).await?;
        let speech = listening.speech;
        for remark in remarks(&ended) {
            // The log is full or gone; the end itself is told all the same.
            let _ = self.log.note(&remark);
        }
        Ok(ProgramRun { ended, speech })
    }

    fn request(&self, program: Program, mut open: Vec<PathBuf>) -> Request {
        let surroundings = self.surroundings;
        open.extend(self.folder.open_to_program());
        Request {
            program,
            confinement: Confinement {
                hide: surroundings.hide.clone(),
                open,
                user: surroundings.user,
                method: HidingMethod::Strongest,
            },
            timeout: self.time_left(),
            stop: self.stop.clone(),
            graces: surroundings.graces,
            lock: Some(self.folder.held_file()),
        }
    }

    /// What to tell of a program that did not end well; the run itself when it did (exit code 0).
    ///
    /// # Errors
    /// What was performed, when that settles it.
    pub fn judge(&self, run: Result<ProgramRun, StartError>) -> Result<ProgramRun, Performed> {
        let run = run.map_err(|error| Performed::told(not_started(&error)))?;
        self.fault(&run).map_or(Ok(run), Err)
    }

    /// What to tell of a program that did not end well; `None` when it did (exit code 0).
    pub(super) fn fault(&self, run: &ProgramRun) -> Option<Performed> {
        let verdict = match (run.ended.cause, run.ended.exit) {
            (Cause::Finished, Some(Exit::Code(0))) => return None,
            (Cause::Stopped(StopReason::Cancelled | StopReason::Dropped), _) => None,
            (Cause::Stopped(StopReason::ShuttingDown), _) => Some(Verdict::Released),
            (Cause::TimedOut, _) => Some(Verdict::TimedOut { error: too_late(self.assignment.timeout) }),
            (Cause::ShimLost, _) => Some(Verdict::failed(
                "the shim of the program was killed: how the program ended is not known",
            )),
            (Cause::Finished, _) => Some(Verdict::failed(complaint(run))),
        };
        Some(Performed { verdict, stop: run.ended.stop.clone() })
    }
}

/// What is told of a program that was not run.
pub(super) fn not_started(error: &StartError) -> Verdict {
    match error {
        // The task is wrong wherever it runs.
        StartError::StdinTooLong(_) => Verdict::refused(error.to_string()),
        // Another agent may have the program, the folder, the rights.
        StartError::Refused { .. } | StartError::Shim { .. } => Verdict::failed(error.to_string()),
    }
}

fn complaint(run: &ProgramRun) -> String {
    let end = match run.ended.exit {
        Some(Exit::Code(code)) => format!("exit code {code}"),
        Some(Exit::Signal(signal)) => format!("ended by signal {signal}{}", signal_name(signal)),
        None => "it ended in a way that is not known".to_owned(),
    };
    match run.speech.complaint() {
        Some(line) => format!("{end}: {line}"),
        None => end,
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (HUP)",
        2 => " (INT)",
        3 => " (QUIT)",
        4 => " (ILL)",
        6 => " (ABRT)",
        7 => " (BUS)",
        8 => " (FPE)",
        9 => " (KILL: by somebody, or by the kernel for want of memory)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        14 => " (ALRM)",
        15 => " (TERM)",
        _ => "",
    }
}

fn remarks(ended: &Ended) -> Vec<String> {
    let mut remarks = Vec::new();
    if ended.leftovers > 0 && ended.cause == Cause::Finished {
        remarks.push(format!("{} processes that the program left running were ended", ended.leftovers));
    }
    if let Stop::Unconfirmed { pids } = &ended.stop {
        remarks.push(format!("not all processes could be ended; still there: {pids:?}"));
    }
    if ended.hiding == Hiding::Visible {
        remarks.push("this kernel cannot hide the data and configuration folders from programs".to_owned());
    }
    if let Some(error) = &ended.sink_error {
        remarks.push(format!("the rest of the output could not be kept: {error}"));
    }
    remarks
}
