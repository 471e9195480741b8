//! Hands a log on in chunks.

use super::{Extent, LOG_CHUNK_BYTES, LOG_FILE, LOG_FLUSH_MS};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins, in bytes of the log.
    pub offset: u64,
    /// At most [`LOG_CHUNK_BYTES`].
    pub text: String,
}

impl Chunk {
    /// Where the next one begins.
    pub fn end(&self) -> u64 {
        self.offset + self.text.len() as u64
    }
}

/// Why a log cannot be read on from an offset.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The log is shorter: the other side knows of bytes that are not here.
    #[error("the log has {kept_bytes} bytes, it cannot be read on from {offset}")]
    BeyondEnd {
        /// The offset asked for.
        offset: u64,
        /// The length of the log.
        kept_bytes: u64,
    },
    /// The offset is in the middle of a letter: no chunk ends there.
    #[error("offset {0} is in the middle of a letter: no chunk ends there")]
    InsideLetter(u64),
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

/// The reading end of a log. Holds one chunk in memory at most.
#[derive(Debug)]
pub struct LogReader {
    file: File,
    position: u64,
    extent: watch::Receiver<Extent>,
    /// When output that waits for more is handed on all the same.
    due: Option<Instant>,
}

impl LogReader {
    pub(super) fn open(folder: &Path, extent: watch::Receiver<Extent>) -> io::Result<Self> {
        Ok(Self { file: File::open(folder.join(LOG_FILE))?, position: 0, extent, due: None })
    }

    /// Where the next chunk begins, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes to `offset`, which was acknowledged by whoever gets the chunks.
    ///
    /// # Errors
    /// [`ResumeError`]; the position stays as it was.
    pub fn resume(&mut self, offset: u64) -> Result<(), ResumeError> {
        let kept_bytes = self.extent.borrow().kept_bytes;
        if offset > kept_bytes {
            return Err(ResumeError::BeyondEnd { offset, kept_bytes });
        }
        let mut first = [0];
        let count = self.file.read_at(&mut first, offset)?;
        if count == 1 && first[0] & 0b1100_0000 == 0b1000_0000 {
            return Err(ResumeError::InsideLetter(offset));
        }
        (self.position, self.due) = (offset, None);
        Ok(())
    }

    /// The next chunk: at once when it is full or the log has ended, else after [`LOG_FLUSH_MS`]; `None` at the
    /// end of an ended log. Can be cancelled without a loss.
    ///
    /// # Errors
    /// When the file cannot be read; the position stays as it was.
    pub async fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let extent = *self.extent.borrow_and_update();
            let waiting = extent.kept_bytes.saturating_sub(self.position);
            // A writer that is gone without a word has finished too.
            let finished = extent.finished || self.extent.has_changed().is_err();
            if waiting == 0 && finished {
                return Ok(None);
            }
            if waiting == 0 {
                self.due = None;
                // An error means that the writer is gone, which the next round sees.
                let _ = self.extent.changed().await;
                continue;
            }
            let due = *self.due.get_or_insert_with(|| Instant::now() + Duration::from_millis(LOG_FLUSH_MS));
            let full = finished || waiting >= LOG_CHUNK_BYTES as u64 || Instant::now() >= due;
            if full {
                return self.take(waiting).map(Some);
            }
            // Late or changed: the next round sees which.
            let _ = timeout_at(due, self.extent.changed()).await;
        }
    }

    fn take(&mut self, waiting: u64) -> io::Result<Chunk> {
        let length = usize::try_from(waiting).map_or(LOG_CHUNK_BYTES, |waiting| waiting.min(LOG_CHUNK_BYTES));
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.position)?;
        // The last letter may go on behind the border; it comes with the next chunk.
        let whole = match std::str::from_utf8(&bytes) {
            Ok(_) => length,
            Err(error) if error.valid_up_to() > 0 && error.error_len().is_none() => error.valid_up_to(),
            Err(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the kept log is no UTF-8 any more"));
            }
        };
        bytes.truncate(whole);
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let chunk = Chunk { offset: self.position, text };
        (self.position, self.due) = (chunk.end(), None);
        Ok(chunk)
    }
}
