//! Bytes of a log as text, letter by letter, whatever the pieces.

/// What was read and told of one log.
#[derive(Debug)]
pub(super) struct Text {
    /// Up to here it was told, in bytes of the log.
    told_to: u64,
    /// Read and not told: the beginning of a letter, or of a line's end.
    rest: Vec<u8>,
}

impl Text {
    /// From this byte of the log on.
    pub(super) const fn from(offset: u64) -> Self {
        Self { told_to: offset, rest: Vec::new() }
    }

    /// Up to where it was told.
    pub(super) const fn told_to(&self) -> u64 {
        self.told_to
    }

    /// Up to where it was read.
    pub(super) fn read_to(&self) -> u64 {
        self.told_to + self.rest.len() as u64
    }

    /// What can be told of these bytes and those that were kept back; `None` for nothing. At the end of the log
    /// nothing is kept back.
    pub(super) fn take(&mut self, read: &[u8], is_last: bool) -> Option<String> {
        self.rest.extend_from_slice(read);
        let whole = if is_last { self.rest.len() } else { whole_bytes(&self.rest) };
        if whole == 0 {
            return None;
        }
        let piece = String::from_utf8_lossy(&self.rest[..whole]).into_owned();
        self.rest.drain(..whole);
        self.told_to += whole as u64;
        Some(piece)
    }
}

/// How many bytes end on the edge of a letter, and not within a line's end of two.
fn whole_bytes(bytes: &[u8]) -> usize {
    let letters = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    match bytes[..letters].last() {
        Some(b'\r') => letters - 1,
        _ => letters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C10: a log that is followed is told whole, wherever its pieces end.
    #[test]
    fn c10_letters_and_line_ends_are_not_cut() {
        let log = "añ€𐍈\r\nb\rc\n".as_bytes();
        for size in 1..=log.len() {
            let mut text = Text::from(0);
            let mut told = String::new();
            for piece in log.chunks(size) {
                let piece = text.take(piece, false).unwrap_or_default();
                assert!(!piece.ends_with('\r'), "{piece:?}");
                told.push_str(&piece);
            }
            assert_eq!((told.as_bytes(), text.told_to()), (log, log.len() as u64), "in pieces of {size}");
        }
    }

    #[test]
    fn at_the_end_everything_is_told() {
        let mut text = Text::from(7);
        assert_eq!(text.take(b"x\r", false).as_deref(), Some("x"));
        assert_eq!((text.told_to(), text.read_to()), (8, 9));
        assert_eq!(text.take(b"\xe2", true).as_deref(), Some("\r\u{fffd}"));
        assert_eq!(text.take(b"", true), None);
        assert_eq!(text.read_to(), 10);
    }
}
