//! Hearing a child: the first line of its standard output, and what it says on standard error.

use crate::output::style::{Colour, Paint};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tiltyard_model::visible;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest line in bytes; the rest is cut.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Last lines that are kept to tell why a child ended.
const MAX_TAIL_LINES: usize = 20;

/// What becomes of the lines that a child says on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// All are handed on as they are: somebody collects them.
    All,
    /// Warnings and errors are shown to a person; the log file has the rest.
    Warnings(Paint),
    /// None is shown.
    Nothing,
}

/// The last lines, while they come.
#[derive(Debug)]
pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reading: JoinHandle<()>,
}

impl Tail {
    /// What was said last, once the stream has ended or `patience` is over.
    pub(super) async fn take(&mut self, patience: Duration) -> Vec<String> {
        // Whether it ended or not: what has come by now is what there is.
        drop(timeout(patience, &mut self.reading).await);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Hands on the first line, and drains the rest so that nobody blocks on a full pipe.
pub(super) async fn listen_to_first_line(stream: impl AsyncRead + Unpin, sender: oneshot::Sender<String>) {
    let mut stream = BufReader::new(stream);
    if let Some(line) = next_line(&mut stream).await {
        // Nobody may be waiting for it.
        drop(sender.send(line));
    }
    while next_line(&mut stream).await.is_some() {}
}

/// Shows and keeps lines until the stream ends.
pub(super) fn listen_to_errors(
    name: &'static str,
    stream: impl AsyncRead + Unpin + Send + 'static,
    hearing: Hearing,
) -> Tail {
    let lines = Arc::new(Mutex::new(VecDeque::with_capacity(MAX_TAIL_LINES)));
    let kept = Arc::clone(&lines);
    let reading = tokio::spawn(async move {
        let mut stream = BufReader::new(stream);
        while let Some(line) = next_line(&mut stream).await {
            show(name, &line, hearing);
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == MAX_TAIL_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    });
    Tail { lines, reading }
}

/// The next line without its end; a longer one than allowed is cut. `None` at the end of the stream.
async fn next_line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let read = (&mut *stream).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await;
    // A stream that breaks has ended.
    if read.unwrap_or(0) == 0 {
        return None;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

fn show(name: &str, line: &str, hearing: Hearing) {
    let text = match hearing {
        Hearing::Nothing => None,
        Hearing::All => Some(format!("{line}\n")),
        Hearing::Warnings(paint) => for_people(name, line, paint),
    };
    if let Some(text) = text {
        // A closed standard error cannot be told of.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }
}

/// A line of the log from `warn` on, and whatever is no line of the log. A child's own last words are told by its
/// parent, with what it does about it.
fn for_people(name: &str, line: &str, paint: Paint) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Entry {
        level: Option<String>,
        msg: Option<String>,
        error: Option<String>,
    }
    let Ok(entry) = serde_json::from_str::<Entry>(line) else {
        return Some(format!("{name}: {}\n", visible::line(line)));
    };
    let colour = match entry.level.as_deref()? {
        "error" => Colour::Red,
        "warn" => Colour::Yellow,
        _ => return None,
    };
    let reason = entry.error.map(|error| format!(": {error}")).unwrap_or_default();
    let said = format!("{}{reason}", entry.msg.unwrap_or_default());
    Some(format!("{} {}\n", paint.colour(colour, &format!("{name}:")), visible::line(&said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_warnings_and_no_more() {
        let shown = |line: &str| for_people("server", line, Paint::Plain);
        assert_eq!(shown(r#"{"level":"info","msg":"GET /"}"#), None);
        assert_eq!(
            shown(r#"{"level":"warn","msg":"slow","error":"disk"}"#).as_deref(),
            Some("server: slow: disk\n")
        );
        assert_eq!(shown(r#"{"error":"last words","exit":1}"#), None);
        assert_eq!(
            shown("thread 'x' \u{1b}[31mpanicked").as_deref(),
            Some("server: thread 'x' \\u{1b}[31mpanicked\n")
        );
    }
}
