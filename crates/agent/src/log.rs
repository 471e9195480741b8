//! An attempt's log: what its program says, as text with byte offsets, kept on disk and read from any offset.
//!
//! The writer never waits for the reader and nothing is held in memory: the folder of the attempt is the
//! buffer. So a cut connection costs no output, and after it the reader goes on from whatever was acknowledged.
//! Offsets count bytes of the text as it is kept, not of what the program wrote: invalid UTF-8 becomes U+FFFD.

mod reader;
mod ring;
mod text;
mod writer;

pub use reader::{Chunk, LogReader, ResumeError};
pub use writer::LogWriter;

use std::io;
use std::path::Path;
use tokio::sync::watch;

/// Most of a log that is kept, in bytes (C10).
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Room for the line that says what was left out, in bytes.
pub const MAX_MARK_BYTES: u64 = 256;
/// Longest chunk in bytes; escaped as JSON it stays below the largest frame.
pub const LOG_CHUNK_BYTES: usize = 64 * 1024;
/// How long little output waits for more before it is sent, in milliseconds.
pub const LOG_FLUSH_MS: u64 = 100;

/// The kept text, in the attempt's folder.
const LOG_FILE: &str = "log";
/// The newest output beyond the head, while the program still runs.
const RING_FILE: &str = "log.ring";

/// How much of a log is kept: its head and its tail, with a line between them that says what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Kept from the beginning, in bytes; sent while the program runs.
    pub head_bytes: u64,
    /// Kept from the end, in bytes; sent when the program has ended.
    pub tail_bytes: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        let head_bytes = MAX_LOG_BYTES / 2;
        Self { head_bytes, tail_bytes: MAX_LOG_BYTES - head_bytes - MAX_MARK_BYTES }
    }
}

/// What became of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSummary {
    /// Length of the kept text in bytes.
    pub kept_bytes: u64,
    /// Bytes of text between head and tail that were not kept.
    pub left_out_bytes: u64,
}

/// How far the writer is.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    kept_bytes: u64,
    finished: bool,
}

/// Begins a log in `folder`; one that is there is begun anew.
///
/// # Errors
/// When the files cannot be made.
pub fn begin(folder: &Path, limits: LogLimits) -> io::Result<(LogWriter, LogReader)> {
    let (sender, receiver) = watch::channel(Extent::default());
    let writer = LogWriter::begin(folder, limits, sender)?;
    Ok((writer, LogReader::open(folder, receiver)?))
}

/// Opens the log of an attempt that an earlier process ended; `None` when it has none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn reopen(folder: &Path) -> io::Result<Option<LogReader>> {
    let kept_bytes = match std::fs::metadata(folder.join(LOG_FILE)) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (_, receiver) = watch::channel(Extent { kept_bytes, finished: true });
    LogReader::open(folder, receiver).map(Some)
}
