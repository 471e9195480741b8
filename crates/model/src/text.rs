//! What every stored text is like, whoever sends it and by whatever way.

/// What is said of text that cannot be stored.
pub const NOT_STORABLE: &str = "must not hold the character U+0000, which no text that is kept can have";

/// Whether a text can be stored: one with U+0000 cannot be kept by every database, and cuts off what is shown of it
/// in many programs. JSON documents (payloads, results) have it escaped, and are kept as they are.
pub fn is_storable(text: &str) -> bool {
    !text.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_u0000_is_refused() {
        assert!(is_storable("") && is_storable("\u{1}\u{7f}\n\u{fffd} ü") && is_storable("\\u0000"));
        assert!(!is_storable("\0") && !is_storable("a\0b"));
    }
}
