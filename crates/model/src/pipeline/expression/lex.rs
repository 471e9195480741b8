//! The words of an expression.

use super::Wrong;
use serde_json::{Number, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    Name(String),
    Literal(Value),
    Sign(&'static str),
    End,
}

/// Longer signs first.
const SIGNS: [&str; 18] =
    ["||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "|", "&", "="];

/// A word and where it begins, in bytes.
pub(super) type Placed = (usize, Word);

/// The words of an expression, and the end after them.
pub(super) fn words(source: &str) -> Result<Vec<Placed>, Wrong> {
    let mut words: Vec<Placed> = Vec::new();
    let mut at = 0;
    while let Some(letter) = source[at..].chars().next() {
        if letter.is_whitespace() {
            at += letter.len_utf8();
            continue;
        }
        let after_dot = matches!(words.last(), Some((_, Word::Sign("."))));
        let (word, length) = word(&source[at..], letter, after_dot).map_err(|error| Wrong::new(at, error))?;
        words.push((at, word));
        at += length;
    }
    words.push((source.len(), Word::End));
    Ok(words)
}

fn word(rest: &str, letter: char, after_dot: bool) -> Result<(Word, usize), String> {
    if letter == '"' || letter == '\'' {
        return text(rest, letter);
    }
    if starts_name(letter) || (after_dot && letter.is_ascii_digit()) {
        let length = rest.find(|letter| !continues_name(letter)).unwrap_or(rest.len());
        return Ok((named(&rest[..length], after_dot), length));
    }
    if letter.is_ascii_digit() || letter == '-' {
        return number(rest);
    }
    match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
        Some("=") => Err("write `==` to compare".to_owned()),
        Some("&") => Err("write `&&` for and".to_owned()),
        Some("|") => Err("write `||` for or".to_owned()),
        Some(sign) => Ok((Word::Sign(sign), sign.len())),
        None => Err(format!("`{}` has no meaning in an expression", letter.escape_debug())),
    }
}

fn named(name: &str, after_dot: bool) -> Word {
    match name {
        _ if after_dot => Word::Name(name.to_owned()),
        "null" => Word::Literal(Value::Null),
        "true" => Word::Literal(Value::Bool(true)),
        "false" => Word::Literal(Value::Bool(false)),
        name => Word::Name(name.to_owned()),
    }
}

fn starts_name(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

fn continues_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

/// Whether a member of that name is written with a dot; others are written `["…"]`.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(continues_name) && !name.starts_with('-')
}

fn number(rest: &str) -> Result<(Word, usize), String> {
    let belongs = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_');
    let sign = usize::from(rest.starts_with('-'));
    let length = sign + rest[sign..].find(|letter| !belongs(letter)).unwrap_or(rest.len() - sign);
    let text = &rest[..length];
    let number: Option<Number> = serde_json::from_str(text).ok();
    let shown: String = text.chars().take(40).collect();
    number.map(|number| (Word::Literal(Value::Number(number)), length)).ok_or_else(|| match text {
        "-" => "there is no arithmetic in an expression".to_owned(),
        _ => format!("`{shown}` is no number"),
    })
}

fn text(rest: &str, quote: char) -> Result<(Word, usize), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => text.push(escape(letters.next().map(|(_, letter)| letter))?),
            letter if letter == quote => return Ok((Word::Literal(Value::String(text)), at + 1)),
            letter => text.push(letter),
        }
    }
    Err(format!("a text that begins with {quote} ends with {quote}"))
}

fn escape(letter: Option<char>) -> Result<char, String> {
    match letter {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some(letter @ ('\\' | '"' | '\'')) => Ok(letter),
        _ => Err("a text knows \\\\ \\\" \\' \\n and \\t; other letters stand for themselves".to_owned()),
    }
}
