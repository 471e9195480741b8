//! How deep a JSON text is nested (SEC13), found in one pass without recursion and before anything is built.

/// The deepest nesting of arrays and objects that is read.
pub const MAX_JSON_DEPTH: usize = 64;

/// Whether no more than `max` arrays and objects of `json` are open at once. Text that is no JSON may be judged
/// either way: the parser that follows refuses it.
pub fn is_within(json: &[u8], max: usize) -> bool {
    let (mut depth, mut rest) = (0_usize, json);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => rest = skip_string(rest),
            _ => {}
        }
    }
    true
}

/// What follows the string that `text` is inside of.
fn skip_string(mut text: &[u8]) -> &[u8] {
    loop {
        let Some(at) = text.iter().position(|byte| matches!(byte, b'"' | b'\\')) else { return &[] };
        let (found, after) = (text[at], &text[at + 1..]);
        if found == b'"' {
            return after;
        }
        text = after.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn nested(depth: usize) -> String {
        format!("{}1{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2))
    }

    #[test]
    fn sec13_the_limit_is_exact() {
        assert!(is_within(nested(64).as_bytes(), MAX_JSON_DEPTH));
        assert!(!is_within(nested(66).as_bytes(), MAX_JSON_DEPTH));
        assert!(is_within(b"[[]]", 2) && !is_within(b"[[[]]]", 2));
        assert!(is_within("[],".repeat(1_000).as_bytes(), 1));
    }

    #[test]
    fn sec13_a_bomb_is_refused_without_recursion() {
        assert!(!is_within("[".repeat(10_000_000).as_bytes(), MAX_JSON_DEPTH));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        for text in [r#"["[[[["]"#, r#"["\"[[[["]"#, r#"["\\","[["]"#, r#"["\\\"[[["]"#, r#"{"[[":"{{"}"#] {
            assert!(serde_json::from_str::<Value>(text).is_ok() && is_within(text.as_bytes(), 1), "{text}");
        }
        assert!(!is_within(br#"["\\",[[]]]"#, 2));
        assert!(is_within(br#"["unfinished \"#, 1) && is_within(br#"["unfinished"#, 1));
    }

    proptest::proptest! {
        #[test]
        fn sec13_no_text_upsets_it(bytes: Vec<u8>) {
            // The plain way of counting, for texts without strings.
            if !bytes.contains(&b'"') {
                let (mut depth, mut deepest) = (0_usize, 0);
                for byte in &bytes {
                    depth = match byte { b'[' | b'{' => depth + 1, b']' | b'}' => depth.saturating_sub(1), _ => depth };
                    deepest = deepest.max(depth);
                }
                proptest::prop_assert_eq!(is_within(&bytes, 2), deepest <= 2);
            }
        }
    }
}
