//! What a program says of its own work. Saying that it is done proves nothing; saying that it is not does.

use serde_json::Value;
use serde_json::value::RawValue;

/// Longest part of the program's own words in an error, in characters.
const MAX_WORDS_CHARS: usize = 500;

/// Why the program's own result (its output file, or a JSON last line) makes the attempt a failed one: it says that it
/// failed, that a tool call was denied, or that checks were skipped. `None` when it says nothing of the kind.
///
/// Read are `is_error` and `permission_denials` (Claude Code), `denied_tool_calls` and `skipped_checks`.
pub(super) fn objection(result: Result<Option<Box<RawValue>>, String>) -> Option<String> {
    // A result that cannot be read says nothing; what counts is in the clone.
    let result: Value = serde_json::from_str(result.ok()??.get()).ok()?;
    if result["is_error"] == true {
        let words = ["result", "error", "message"].iter().find_map(|name| result[*name].as_str());
        return Some(format!(
            "the program says that it failed: {}",
            short(words.unwrap_or("without a word why"))
        ));
    }
    let named = |name: &str| named(&result[name]);
    let denied = named("permission_denials").or_else(|| named("denied_tool_calls"));
    if let Some(calls) = denied {
        return Some(format!("tool calls of the program were denied, so its work is not whole: {calls}"));
    }
    named("skipped_checks").map(|checks| format!("the program skipped checks: {checks}"))
}

/// What a list names; `None` when it is empty, or no list.
fn named(list: &Value) -> Option<String> {
    let list = list.as_array().filter(|list| !list.is_empty())?;
    let name = |item: &Value| match item {
        Value::String(text) => text.clone(),
        item => item["tool_name"]
            .as_str()
            .or(item["name"].as_str())
            .map_or_else(|| item.to_string(), str::to_owned),
    };
    Some(short(&list.iter().map(name).collect::<Vec<_>>().join(", ")))
}

fn short(text: &str) -> String {
    text.chars().take(MAX_WORDS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Option<String> {
        objection(Ok(Some(RawValue::from_string(json.to_owned()).expect("is JSON"))))
    }

    // C11: skipped checks or a denied tool call make a failed attempt, whatever the exit code.
    #[test]
    fn c11_a_program_that_says_it_did_not_is_believed() {
        let failed = said(r#"{"type":"result","is_error":true,"result":"out of turns"}"#);
        assert_eq!(failed.as_deref(), Some("the program says that it failed: out of turns"));
        let denied =
            said(r#"{"is_error":false,"permission_denials":[{"tool_name":"Bash"},{"tool_name":"Edit"}]}"#);
        assert!(denied.expect("is an objection").ends_with("Bash, Edit"));
        assert!(said(r#"{"denied_tool_calls":["rm"]}"#).is_some());
        assert_eq!(
            said(r#"{"skipped_checks":["unit"]}"#).as_deref(),
            Some("the program skipped checks: unit")
        );
    }

    #[test]
    fn c11_a_program_that_says_it_did_proves_nothing() {
        for silent in ["{}", "[]", "1", r#"{"is_error":false,"permission_denials":[],"skipped_checks":[]}"#] {
            assert_eq!(said(silent), None, "{silent}");
        }
        assert_eq!(objection(Ok(None)), None);
        assert_eq!(objection(Err("is no JSON".to_owned())), None);
    }
}
