//! Keeps what a program says.

use super::ring::Ring;
use super::text::{Decoder, fitting};
use super::{Extent, LOG_FILE, LogLimits, LogSummary, RING_FILE};
use crate::process::{OutputSink, Voice};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Bytes moved at once from the ring to the log.
const MOVE_BYTES: usize = 64 * 1024;
/// How far into the tail a beginning of a line is looked for, in bytes.
const MAX_LINE_SEARCH_BYTES: usize = 4 * 1024;

/// The writing end of a log. Dropped without [`LogWriter::finish`] it is finished as far as it came.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    ring: Ring,
    ring_path: PathBuf,
    limits: LogLimits,
    kept_bytes: u64,
    /// From the first byte that did not fit into the head on, all goes into the ring.
    head_full: bool,
    out: Decoder,
    err: Decoder,
    extent: watch::Sender<Extent>,
}

impl LogWriter {
    pub(super) fn begin(folder: &Path, limits: LogLimits, extent: watch::Sender<Extent>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(folder.join(LOG_FILE))?;
        let ring_path = folder.join(RING_FILE);
        let ring = Ring::create(&ring_path, limits.tail_bytes)?;
        let (out, err) = (Decoder::default(), Decoder::default());
        Ok(Self { file, ring, ring_path, limits, kept_bytes: 0, head_full: false, out, err, extent })
    }

    /// Adds a line of the agent's own, marked as such.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn note(&mut self, line: &str) -> io::Result<()> {
        self.keep(&format!("[tiltyard] {}\n", line.replace('\n', " ")))
    }

    /// Ends the log: the tail takes its place behind the head.
    ///
    /// # Errors
    /// When it cannot be kept; the reader then gets what was.
    pub fn finish(mut self) -> io::Result<LogSummary> {
        let rest = [self.out.finish(), self.err.finish()].concat();
        self.keep(&rest)?;
        let left_out_bytes = self.append_tail()?;
        std::fs::remove_file(&self.ring_path)?;
        Ok(LogSummary { kept_bytes: self.kept_bytes, left_out_bytes })
    }

    fn keep(&mut self, text: &str) -> io::Result<()> {
        let room = self.limits.head_bytes.saturating_sub(self.kept_bytes);
        let head = match self.head_full {
            true => "",
            false => fitting(text, usize::try_from(room).unwrap_or(usize::MAX)),
        };
        self.append(head.as_bytes())?;
        self.head_full |= head.len() < text.len();
        self.ring.push(&text.as_bytes()[head.len()..])
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all(bytes)?;
        self.kept_bytes += bytes.len() as u64;
        self.extent.send_modify(|extent| extent.kept_bytes = self.kept_bytes);
        Ok(())
    }

    /// Moves the ring behind the head; returns how many bytes are missing between them.
    fn append_tail(&mut self) -> io::Result<u64> {
        let lost = self.ring.total() - self.ring.held();
        let skipped = if lost == 0 { 0 } else { self.line_start()? };
        let left_out = lost + skipped;
        if left_out > 0 {
            self.append(format!("\n[tiltyard] {left_out} bytes of output are left out here\n").as_bytes())?;
        }
        let (mut place, mut buffer) = (skipped, vec![0; MOVE_BYTES]);
        while let count @ 1.. = self.ring.read(place, &mut buffer)? {
            place += count as u64;
            self.append(&buffer[..count])?;
        }
        Ok(left_out)
    }

    /// Where the tail can begin: at a line if one is near, else at a whole letter.
    fn line_start(&self) -> io::Result<u64> {
        let (mut start, mut filled) = ([0; MAX_LINE_SEARCH_BYTES], 0);
        while let count @ 1.. = self.ring.read(filled as u64, &mut start[filled..])? {
            filled += count;
        }
        let start = &start[..filled];
        let line = start.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let letter = start.iter().position(|byte| byte & 0b1100_0000 != 0b1000_0000);
        Ok(line.or(letter).unwrap_or(filled) as u64)
    }
}

impl OutputSink for LogWriter {
    fn write(&mut self, voice: Voice, bytes: &[u8]) -> io::Result<()> {
        let text = match voice {
            Voice::Out => self.out.push(bytes),
            Voice::Err => self.err.push(bytes),
        };
        self.keep(&text)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.extent.send_modify(|extent| extent.finished = true);
    }
}
