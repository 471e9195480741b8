//! What a parser says, in the words of the caller: it knows JSON and ranges, not our types.

/// Phrases of the parsers, and what they mean to somebody who sends JSON.
const PHRASES: &[(&str, &str)] = &[
    ("invalid digit found in string", "must be a whole number"),
    ("cannot parse integer from empty string", "must be a whole number"),
    ("number too large to fit in target type", "is too large"),
    ("number too small to fit in target type", "is too small"),
    ("provided string was not `true` or `false`", "must be true or false"),
    ("expected u8", "expected a whole number from 0 to 255"),
    ("expected u16", "expected a whole number from 0 to 65535"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected u64", "expected a whole number from 0"),
    ("expected usize", "expected a whole number from 0"),
    ("expected i32", "expected a whole number"),
    ("expected i64", "expected a whole number"),
    ("expected f64", "expected a number"),
    ("expected a boolean", "expected true or false"),
];

/// A parser's sentence without the names of types.
pub(crate) fn of(said: &str) -> String {
    if let Some(name) = said.strip_prefix("missing field `") {
        return format!("`{} is needed", name.trim_end());
    }
    let mut told = said.to_owned();
    for word in ["struct", "enum", "internally tagged enum", "tuple struct"] {
        if let Some(start) = told.find(&format!("expected {word} ")) {
            let thing = if word.ends_with("enum") { "a known word" } else { "an object" };
            told.replace_range(start.., &format!("expected {thing}"));
        }
    }
    for (phrase, meant) in PHRASES {
        if let Some(start) = whole(&told, phrase) {
            told.replace_range(start..start + phrase.len(), meant);
        }
    }
    told
}

/// Where a phrase stands that does not go on as a longer word.
fn whole(text: &str, phrase: &str) -> Option<usize> {
    let start = text.find(phrase)?;
    let next = text[start + phrase.len()..].chars().next();
    (!next.is_some_and(char::is_alphanumeric)).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    // API2: an error says what to send, not how we have written it down.
    #[test]
    fn api2_no_type_of_ours_is_named() {
        let table = [
            (
                "invalid type: integer `5`, expected struct Submit",
                "invalid type: integer `5`, expected an object",
            ),
            (
                "invalid length 0, expected struct Claim with 9 elements",
                "invalid length 0, expected an object",
            ),
            (
                "invalid value: integer `256`, expected u8",
                "invalid value: integer `256`, expected a whole number from 0 to 255",
            ),
            ("missing field `title`", "`title` is needed"),
            ("limit: invalid digit found in string", "limit: must be a whole number"),
            ("follow: provided string was not `true` or `false`", "follow: must be true or false"),
            ("unknown field `x`, expected `a` or `b`", "unknown field `x`, expected `a` or `b`"),
        ];
        for (said, told) in table {
            assert_eq!(of(said), told);
        }
    }
}
