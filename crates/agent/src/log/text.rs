//! Bytes of a program become text.

/// Turns the bytes of one stream into text, piece by piece. A letter cut by the border of two pieces is put
/// together again; what is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a letter, at most three bytes.
    cut: Vec<u8>,
}

impl Decoder {
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let mut joined = std::mem::take(&mut self.cut);
        joined.extend_from_slice(bytes);
        let mut text = String::with_capacity(joined.len());
        for chunk in joined.utf8_chunks() {
            text.push_str(chunk.valid());
            let end = chunk.invalid().as_ptr_range().end == joined.as_ptr_range().end;
            match std::str::from_utf8(chunk.invalid()) {
                // Not wrong, only not whole yet.
                Err(error) if end && error.error_len().is_none() => self.cut = chunk.invalid().to_vec(),
                Err(_) => text.push(char::REPLACEMENT_CHARACTER),
                Ok(_) => {}
            }
        }
        text
    }

    /// The end of the stream: a letter that never became whole is told as one that is wrong.
    pub(super) fn finish(&mut self) -> &'static str {
        if std::mem::take(&mut self.cut).is_empty() { "" } else { "\u{FFFD}" }
    }
}

/// The longest beginning of `text` of at most `limit` bytes that ends between two letters.
pub(super) fn fitting(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(pieces: &[&[u8]]) -> String {
        let mut decoder = Decoder::default();
        let mut text: String = pieces.iter().map(|piece| decoder.push(piece)).collect();
        text.push_str(decoder.finish());
        text
    }

    #[test]
    fn c10_a_letter_cut_in_two_is_put_together() {
        assert_eq!(decoded(&["ä".as_bytes()[..1].as_ref(), "ä".as_bytes()[1..].as_ref()]), "ä");
        assert_eq!(decoded(&[b"a\xf0", b"\x9f", b"\xa6", b"\x80b"]), "a\u{1F980}b");
        assert_eq!(decoded(&[b"a\xf0\x9f", b"b"]), "a\u{FFFD}b");
        assert_eq!(decoded(&[b"a\xff\xfeb\xc3"]), "a\u{FFFD}\u{FFFD}b\u{FFFD}");
    }

    proptest! {
        #[test]
        fn c10_any_bytes_in_any_pieces_read_as_in_one(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 1usize..9) {
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(decoded(&pieces), String::from_utf8_lossy(&bytes));
        }
    }
}
