//! The scanner: where comments and literals lie.

use std::ops::Range;

/// What a stretch of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Code,
    Comment,
    /// A string literal, with its quotes.
    Literal,
    /// A character literal.
    Letter,
}

/// The source as parts that follow each other without a gap.
pub(super) fn parts(text: &str) -> Vec<(Part, Range<usize>)> {
    let mut parts: Vec<(Part, Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (part, end) = part_at(text, at);
        match parts.last_mut() {
            Some((Part::Code, range)) if part == Part::Code => range.end = end,
            _ => parts.push((part, at..end)),
        }
        at = end;
    }
    parts
}

fn part_at(text: &str, at: usize) -> (Part, usize) {
    let rest = &text[at..];
    let first = rest.chars().next().map_or(1, char::len_utf8);
    if rest.starts_with("//") {
        return (Part::Comment, at + rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Part::Comment, at + block_comment(rest));
    }
    if let Some(end) = raw_string(rest) {
        return (Part::Literal, at + end);
    }
    if rest.starts_with('"') {
        return (Part::Literal, at + quoted(rest, '"'));
    }
    if let Some(end) = letter(rest) {
        return (Part::Letter, at + end);
    }
    (Part::Code, at + first)
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        let step = &rest.as_bytes()[at..];
        if step.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if step.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`; no name can end right before a quote, so an `r` before one is a prefix.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", &after[..hashes]);
    Some(body.find(&close).map_or(rest.len(), |end| 2 + hashes + end + close.len()))
}

/// The end of a literal that starts with `quote`; a backslash takes the next character along.
fn quoted(rest: &str, quote: char) -> usize {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// A character literal, which a lifetime is not.
fn letter(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('\'')?;
    let first = after.chars().next()?;
    let closed = first == '\\' || after[first.len_utf8()..].starts_with('\'');
    closed.then(|| quoted(rest, '\''))
}
