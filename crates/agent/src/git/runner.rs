//! The plug for running programs that are not git: checks. Whoever runs them ends them for real; here it is only
//! said what to run and what came of it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much of the end of a check's output is kept in its report, in bytes.
pub const MAX_LOG_TAIL_BYTES: usize = 8 * 1024;

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; never a shell's text.
    pub argv: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Variables beside what the runner gives every program.
    pub env: Vec<(String, String)>,
    /// The longest it may take; then it and all it started are ended.
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It took too long and was ended.
    TimedOut,
    /// It could not be started: there is no such program, or it may not be executed. The system's words.
    Missing(String),
    /// The task was cancelled and the program ended.
    Cancelled,
    /// The runner itself failed; a retry may help. Its words.
    Broken(String),
}

/// Takes a program's output as it comes.
pub type LogSink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What [`Runner::run`] gives back.
pub type Running<'r> = Pin<Box<dyn Future<Output = Ended> + Send + 'r>>;

/// Runs programs.
pub trait Runner: Send + Sync {
    /// Runs a program to its end; output of both kinds goes to `log`. Dropping the future ends the program.
    fn run(&self, program: Program, log: LogSink) -> Running<'_>;
}

/// The end of an output.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    /// A sink that keeps the end and passes all of it on.
    pub(crate) fn sink(&self, onwards: &LogSink) -> LogSink {
        let (kept, onwards) = (self.0.clone(), onwards.clone());
        Arc::new(move |piece| {
            let mut bytes = kept.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.extend_from_slice(piece);
            let excess = bytes.len().saturating_sub(MAX_LOG_TAIL_BYTES);
            bytes.drain(..excess);
            drop(bytes);
            onwards(piece);
        })
    }

    /// The text; bytes that are not UTF-8 are shown as U+FFFD.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_the_end_of_the_output_is_kept_and_all_of_it_passed_on() {
        let passed = Arc::new(Mutex::new(0));
        let count = passed.clone();
        let onwards: LogSink = Arc::new(move |piece| *count.lock().unwrap() += piece.len());
        let tail = Tail::default();
        let sink = tail.sink(&onwards);
        for number in 0..20_000 {
            sink(format!("{number}\n").as_bytes());
        }
        assert!(tail.text().ends_with("19998\n19999\n"));
        assert_eq!(tail.text().len(), MAX_LOG_TAIL_BYTES);
        assert_eq!(*passed.lock().unwrap(), 108_890);
    }
}
