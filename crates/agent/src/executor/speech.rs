//! What a program said last: where its result or its complaint stands.

use crate::outcome::MAX_RESULT_BYTES;
use crate::process::Voice;
use std::collections::VecDeque;

/// Longest line that is quoted in an error, in bytes.
const MAX_QUOTE_BYTES: usize = 500;

/// How much of the end of standard output is kept for a look at what the program says of its work, in bytes.
const MAX_HEARD_BYTES: usize = 4 * 1024 * 1024;

/// The last line of each of a program's voices that is not blank, and the end of its standard output.
#[derive(Debug, Default)]
pub struct Speech {
    out: LastLine,
    err: LastLine,
    heard: VecDeque<u8>,
    lost: u64,
}

/// Whether the beginning of what is kept is the beginning of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// All of it is there.
    Heard,
    /// It was longer.
    Lost,
}

impl Speech {
    /// Listens to the next bytes.
    pub fn hear(&mut self, voice: Voice, bytes: &[u8]) {
        match voice {
            Voice::Out => {
                self.out.push(bytes);
                self.keep(bytes);
            }
            Voice::Err => self.err.push(bytes),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.heard.extend(bytes);
        let excess = self.heard.len().saturating_sub(MAX_HEARD_BYTES);
        self.heard.drain(..excess);
        self.lost += excess as u64;
    }

    /// The end of standard output.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.iter().copied().collect()
    }

    /// How many bytes standard output had in all.
    pub(super) fn said_bytes(&self) -> u64 {
        self.lost + self.heard.len() as u64
    }

    /// Whether that is all of it.
    pub(super) fn began_to_hear(&self) -> Beginning {
        if self.lost == 0 { Beginning::Heard } else { Beginning::Lost }
    }

    /// The last line of standard output.
    pub(super) fn last_out(&self) -> Option<&Line> {
        self.out.last()
    }

    /// The last line of standard error, or else of standard output, cut for a sentence.
    pub fn complaint(&self) -> Option<String> {
        let line = self.err.last().or_else(|| self.out.last())?;
        let text = String::from_utf8_lossy(&line.bytes);
        let text = text.trim();
        Some(text[..text.floor_char_boundary(MAX_QUOTE_BYTES)].to_owned())
    }
}

/// One line, its beginning at least.
#[derive(Debug, Default, Clone)]
pub(super) struct Line {
    /// At most [`MAX_RESULT_BYTES`].
    pub(super) bytes: Vec<u8>,
    /// Its whole length in bytes.
    pub(super) length: usize,
    /// Its last byte that is no blank.
    pub(super) end: u8,
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let room = MAX_RESULT_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.length += bytes.len();
        if let Some(end) = bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.end = *end;
        }
    }

    fn is_blank(&self) -> bool {
        self.end == 0
    }
}

#[derive(Debug, Default)]
struct LastLine {
    whole: Line,
    begun: Line,
}

impl LastLine {
    fn push(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = lines.next() {
            self.begun.push(first);
        }
        for line in lines {
            let ended = std::mem::take(&mut self.begun);
            if !ended.is_blank() {
                self.whole = ended;
            }
            self.begun.push(line);
        }
    }

    fn last(&self) -> Option<&Line> {
        [&self.begun, &self.whole].into_iter().find(|line| !line.is_blank())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pieces: &[&str]) -> Option<String> {
        let mut speech = Speech::default();
        pieces.iter().for_each(|piece| speech.hear(Voice::Out, piece.as_bytes()));
        speech.complaint()
    }

    #[test]
    fn c10_the_last_line_is_found_however_it_comes() {
        assert_eq!(last(&[]), None);
        assert_eq!(last(&["\n \n"]), None);
        assert_eq!(last(&["one\ntwo\n"]).as_deref(), Some("two"));
        assert_eq!(last(&["one\nt", "w", "o"]).as_deref(), Some("two"));
        assert_eq!(last(&["one\ntwo\n", "\n", "  \n"]).as_deref(), Some("two"));
        assert_eq!(last(&["one\r\n"]).as_deref(), Some("one"));
    }

    #[test]
    fn c10_a_complaint_is_of_standard_error_first_and_cut() {
        let mut speech = Speech::default();
        speech.hear(Voice::Err, "ä".repeat(10_000).as_bytes());
        speech.hear(Voice::Out, b"later");
        assert_eq!(speech.complaint(), Some("ä".repeat(250)));
    }
}
