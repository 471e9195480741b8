//! Rust source as tidy sees it: code without comments and literals, literals apart, tests apart.
//!
//! A scanner of our own and not a parser: it knows comments, literals and braces, which is all the laws ask,
//! and it reads the whole workspace in milliseconds.

mod function;
mod scan;

pub(crate) use function::Function;
use scan::{Part, parts};
use std::ops::Range;

/// A string literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The line it starts on, counted from 1.
    pub(crate) line: usize,
    /// Between its quotes, escapes as written.
    pub(crate) text: String,
    in_test: bool,
}

/// One Rust file, taken apart.
#[derive(Debug)]
pub(crate) struct RustText {
    pub(crate) path: String,
    /// Without comments and literals; offsets and lines are those of the file.
    pub(crate) code: String,
    /// The same without tests.
    pub(crate) product: String,
    literals: Vec<Literal>,
    /// Lines that are nothing but a comment.
    pub(crate) comment_lines: usize,
    /// Lines that are not blank.
    pub(crate) full_lines: usize,
    /// Full lines of tests.
    pub(crate) test_lines: usize,
    /// All lines.
    pub(crate) lines: usize,
}

impl RustText {
    /// Takes `text` apart.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let parts = parts(text);
        let code = blank(text, &parts, |part| part != Part::Code);
        let tests = match is_test_path(path) {
            true => std::iter::once(0..text.len()).collect(),
            false => test_regions(&code),
        };
        let product = blank_ranges(&code, &tests);
        let without_comments = blank(text, &parts, |part| part == Part::Comment);
        let outside_tests = blank_ranges(text, &tests);
        let full = full_lines(text);
        Self {
            path: path.to_owned(),
            literals: literals(text, &parts, &tests),
            comment_lines: full - full_lines(&without_comments),
            full_lines: full,
            test_lines: full - full_lines(&outside_tests),
            lines: text.lines().count(),
            code,
            product,
        }
    }

    /// The crate that the file belongs to: `model` for `crates/model/…`, `xtask` for `xtask/…`.
    pub(crate) fn krate(&self) -> &str {
        let path = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        path.split('/').next().unwrap_or_default()
    }

    /// Literals outside of tests.
    pub(crate) fn product_literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(|literal| !literal.in_test)
    }

    /// All literals.
    pub(crate) fn all_literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Lines of the product (not of tests) where `word` stands as a whole word.
    pub(crate) fn product_lines_with(&self, word: &str) -> Vec<usize> {
        lines_with(&self.product, word)
    }

    /// Lines of the tests where `word` stands as a whole word.
    pub(crate) fn test_lines_with(&self, word: &str) -> Vec<usize> {
        let product = self.product_lines_with(word);
        lines_with(&self.code, word).into_iter().filter(|line| !product.contains(line)).collect()
    }

    /// Every function with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        function::functions(&self.code)
    }
}

/// Lines, counted from 1, where `word` stands with no letter, digit or underscore beside it.
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    code.match_indices(word)
        .filter(|&(at, _)| stands_alone(code, at, word))
        .map(|(at, _)| line_of(code, at))
        .collect()
}

fn stands_alone(code: &str, at: usize, word: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let starts = !word.starts_with(is_word) || !code[..at].ends_with(is_word);
    let ends = !word.ends_with(is_word) || !code[at + word.len()..].starts_with(is_word);
    starts && ends
}

/// The line of a byte offset, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Whether a path holds tests, or what only tests use.
pub(crate) fn is_test_path(path: &str) -> bool {
    let folder = path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"));
    folder || path.ends_with("/tests.rs") || path.starts_with("crates/testkit/")
}

fn full_lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

fn blank(text: &str, parts: &[(Part, Range<usize>)], goes: impl Fn(Part) -> bool) -> String {
    let ranges: Vec<_> =
        parts.iter().filter(|(part, _)| goes(*part)).map(|(_, range)| range.clone()).collect();
    blank_ranges(text, &ranges)
}

/// The text with the ranges overwritten by spaces; line breaks stay.
fn blank_ranges(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in ranges.iter().flat_map(|range| range.clone()).filter(|at| text.as_bytes()[*at] != b'\n') {
        bytes[byte] = b' ';
    }
    String::from_utf8(bytes).expect("whole characters were overwritten")
}

fn literals(text: &str, parts: &[(Part, Range<usize>)], tests: &[Range<usize>]) -> Vec<Literal> {
    let literal = |range: &Range<usize>| Literal {
        line: line_of(text, range.start),
        text: inside(&text[range.clone()]).to_owned(),
        in_test: tests.iter().any(|test| test.contains(&range.start)),
    };
    parts.iter().filter(|(part, _)| *part == Part::Literal).map(|(_, range)| literal(range)).collect()
}

/// What stands between the quotes.
fn inside(literal: &str) -> &str {
    let text = literal.trim_start_matches(['r', '#']).trim_end_matches('#');
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// What `#[cfg(test)]` covers: the block that follows it, or up to the `;`.
fn test_regions(code: &str) -> Vec<Range<usize>> {
    let mut regions: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        if regions.last().is_some_and(|last| last.contains(&at)) {
            continue;
        }
        let end = match code[at..].find(['{', ';']).map(|offset| at + offset) {
            Some(open) if code.as_bytes()[open] == b'{' => function::closing_brace(code, open),
            Some(semicolon) => semicolon + 1,
            None => code.len(),
        };
        regions.push(at..end);
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! std::fs in a comment
fn first<'a>(x: &'a str) -> char {
    let text = "std::net \" { ";
    let raw = r#"SELECT "a" }"#;
    /* tokio /* nested */ } */
    '\'' // }
}

#[cfg(test)]
mod tests {
    fn second() { let s = "in test"; std::env::var(s); }
}
fn third();
"##;

    #[test]
    fn comments_and_literals_are_not_code() {
        let rust = RustText::new("crates/model/src/x.rs", SAMPLE);
        for word in ["std::fs", "std::net", "tokio", "SELECT"] {
            assert!(rust.product_lines_with(word).is_empty(), "{word}");
        }
        assert_eq!(rust.code.len(), SAMPLE.len());
        assert_eq!(rust.krate(), "model");
    }

    #[test]
    fn literals_know_their_line_and_whether_a_test_holds_them() {
        let rust = RustText::new("crates/model/src/x.rs", SAMPLE);
        let texts: Vec<_> = rust.product_literals().map(|l| (l.line, l.text.as_str())).collect();
        assert_eq!(texts, [(3, "std::net \\\" { "), (4, "SELECT \"a\" }")]);
        assert_eq!(rust.all_literals().len(), 3);
    }

    #[test]
    fn tests_are_not_product() {
        let rust = RustText::new("crates/model/src/x.rs", SAMPLE);
        assert!(rust.product_lines_with("std::env").is_empty());
        assert_eq!(rust.test_lines_with("std::env"), [11]);
        assert_eq!((rust.test_lines, rust.comment_lines), (4, 2));
        let whole = RustText::new("crates/model/tests/x.rs", "fn a() {}");
        assert!(whole.product.trim().is_empty());
    }

    #[test]
    fn a_word_is_a_whole_word() {
        assert_eq!(lines_with("my_tokio tokio2\ntokio::x", "tokio"), [2]);
        assert_eq!(lines_with("a.await; b.awaited", ".await"), [1]);
    }

    #[test]
    fn functions_have_names_and_lengths() {
        let rust = RustText::new("crates/model/src/x.rs", SAMPLE);
        let found: Vec<_> = rust.functions().iter().map(|f| (f.name.clone(), f.line, f.lines)).collect();
        assert_eq!(found, [("first".to_owned(), 2, 6), ("second".to_owned(), 11, 1)]);
    }
}
