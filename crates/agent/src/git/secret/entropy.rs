//! Is a text random enough to be a secret, or is it a word, a name, a path, a placeholder?

/// Bits for each character below which an assigned text is taken for words.
const MIN_BITS_PER_CHAR: f64 = 3.3;
/// The shortest assigned text that is judged, in characters.
const MIN_CHARS: usize = 16;

const PLACEHOLDERS: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "your-",
    "your_",
    "dummy",
    "sample",
    "redacted",
    "xxxx",
    "todo",
    "insert",
    "secret-goes",
    "not-a-",
    "not_a_",
    "fake",
    "test",
    "localhost",
    "password",
    "default",
];

/// A value that was assigned to something secret: long, mixed, and not a placeholder.
pub(super) fn is_random(text: &str) -> bool {
    let text = text.trim_end_matches([',', ';', '.']);
    if text.len() < MIN_CHARS || is_placeholder(text) || is_a_name(text) {
        return false;
    }
    let (digits, letters) = (count(text, |c| c.is_ascii_digit()), count(text, |c| c.is_ascii_alphabetic()));
    digits >= 2 && letters >= 2 && bits_per_char(text) >= MIN_BITS_PER_CHAR
}

/// The password part of an address: anything that is not obviously a stand-in.
pub(super) fn is_a_password(text: &str) -> bool {
    let variable = text.starts_with(['$', '{', '<', '%', '*', '[']) || text.contains("${");
    !variable && !is_placeholder(text) && bits_per_char(text) > 1.5
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// Paths, dotted calls, and words joined by a mark: their parts are words with hardly a digit.
fn is_a_name(text: &str) -> bool {
    let is_a_path =
        text.starts_with('/') || text.starts_with("./") || text.contains("://") || text.starts_with("../");
    let parts = || text.split(['.', '_', '-', '/']).filter(|part| !part.is_empty());
    let is_a_word = |part: &str| {
        count(part, |c| c.is_ascii_digit()) <= 1 && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    is_a_path || (parts().count() > 1 && parts().all(is_a_word))
}

fn count(text: &str, what: fn(&char) -> bool) -> usize {
    text.chars().filter(what).count()
}

/// Shannon's entropy of the text's own characters, in bits for each.
fn bits_per_char(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)).max(1.0);
    let shares = counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}
