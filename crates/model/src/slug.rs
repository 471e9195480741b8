//! Slugs: the short names that people give to scopes, queues, agents, repositories and templates.

/// Longest slug in characters.
pub const MAX_SLUG_CHARS: usize = 64;

/// Whether `text` is a slug: `[a-z0-9][a-z0-9_-]{0,63}`.
pub fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    first && bytes.len() <= MAX_SLUG_CHARS && bytes.iter().all(|byte| is_slug_byte(*byte))
}

fn is_slug_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
}

/// The nearest slug to any text, for branch names and examples: lower case, runs of other characters
/// become one `-`, at most `limit` characters, `x` when nothing is left.
pub fn slugify(text: &str, limit: usize) -> String {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(limit);
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() { "x".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_closed() {
        for good in ["a", "0", "default", "a-b_c9", &"x".repeat(64)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "ä", "a/b", "*", &"x".repeat(65)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    #[test]
    fn any_text_becomes_a_slug() {
        for text in ["Fix the README", "  ", "ÄÖ", "a//b", "--x--"] {
            assert!(is_slug(&slugify(text, 20)), "{text}");
        }
        assert_eq!(slugify("Fix the README!", 40), "fix-the-readme");
    }
}
