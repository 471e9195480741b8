//! Hostile characters in text from outside, made visible: what a terminal would obey or a reader would not
//! see is written as an escape (`\u{1b}`, `\u{202e}`).

use std::borrow::Cow;
use std::fmt::Write;

/// Whether `letter` acts instead of showing: control characters, bidirectional marks and overrides, line
/// separators, and what has no width of its own and hides (byte order mark, zero width space, tags).
pub fn is_hostile(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a text of several lines holds a hostile character; line feed and tab are none. What the API marks
/// `suspicious`.
pub fn is_suspicious(text: &str) -> bool {
    text.chars().any(|letter| is_hostile(letter) && !is_layout(letter))
}

/// A text of one line (a title, a name) with every hostile character escaped, line feed and tab too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_hostile)
}

/// A text of several lines (a log, a diff): line feed and tab stay, every other hostile character is escaped.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |letter| is_hostile(letter) && !is_layout(letter))
}

const fn is_layout(letter: char) -> bool {
    matches!(letter, '\n' | '\t')
}

fn escape(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&hostile) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 8);
    shown.push_str(&text[..first]);
    for letter in text[first..].chars() {
        push(&mut shown, letter, hostile(letter));
    }
    Cow::Owned(shown)
}

fn push(shown: &mut String, letter: char, hostile: bool) {
    match letter {
        _ if !hostile => shown.push(letter),
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        other => write!(shown, "\\u{{{:x}}}", other as u32).expect("a String takes any text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // SEC17: control and bidirectional-override characters are made visible.
    #[test]
    fn sec17_hostile_characters_are_escaped() {
        assert_eq!(line("a\x1b[31mred\u{202e}\n\u{9b}x"), "a\\u{1b}[31mred\\u{202e}\\n\\u{9b}x");
        assert_eq!(block("one\n\ttwo\r\x07"), "one\n\ttwo\\r\\u{7}");
        assert!(is_suspicious("file\u{202e}gpj.exe") && is_suspicious("a\u{200b}b") && is_suspicious("\0"));
    }

    #[test]
    fn sec17_harmless_text_stays_as_it_is() {
        let text = "größer 漢字 עברית 👩‍💻 naïve";
        assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        assert!(!is_suspicious("two\nlines\tand a tab"));
    }

    proptest! {
        #[test]
        fn sec17_nothing_hostile_is_left(text in "\\PC*|.*") {
            prop_assert!(!line(&text).chars().any(is_hostile));
            prop_assert!(!is_suspicious(&block(&text)));
        }
    }
}
