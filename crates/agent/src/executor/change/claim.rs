//! What a program says of its own work. Saying that it is done proves nothing; saying that it is not does.

use crate::executor::speech::{Beginning, Speech};
use crate::workspace::AttemptFolder;
use serde_json::Value;

/// Longest part of the program's own words in an error, in characters.
const MAX_WORDS_CHARS: usize = 500;
/// The longest result file that is looked at, in bytes; a result may be shorter, but a claim counts at any length.
const MAX_CLAIM_BYTES: u64 = 4 * 1024 * 1024;

/// Why the program's own words (its output file, and the end of its standard output) make the attempt a failed one: it
/// says that it failed, that a tool call was denied, or that checks were skipped; or it says something so long or so
/// broken that nobody can know. `None` when it says nothing of the kind.
///
/// Read are `is_error` and `permission_denials` (Claude Code), `denied_tool_calls` and `skipped_checks`.
pub(super) fn objection(folder: &AttemptFolder, speech: &Speech) -> Option<String> {
    // A file that is a link or the like says nothing; what counts is in the clone.
    let file = folder.output(MAX_CLAIM_BYTES).ok().flatten();
    file.and_then(|bytes| in_file(&bytes)).or_else(|| in_output(&speech.heard(), speech.began_to_hear()))
}

fn in_file(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.trim_ascii();
    match serde_json::from_slice::<Value>(bytes) {
        Ok(result) => against(&result),
        // A text for people is none of ours.
        Err(_) if bytes.first() != Some(&b'{') => None,
        Err(_) => {
            Some("the result of the program cannot be read as JSON, so what it says is not known".to_owned())
        }
    }
}

/// The last JSON value, over however many lines, and the last one that says of itself to be the result.
fn in_output(heard: &[u8], began: Beginning) -> Option<String> {
    let mut at = 0;
    let mut last = None;
    for line in heard.split_inclusive(|byte| *byte == b'\n') {
        let start = at;
        at += line.len();
        // What is inside a value that was read is no value of its own.
        if last.as_ref().is_some_and(|(_, end)| start < *end)
            || line.trim_ascii_start().first() != Some(&b'{')
        {
            continue;
        }
        let mut values = serde_json::Deserializer::from_slice(&heard[start..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            let end = start + values.byte_offset();
            let is_result = value["type"] == "result";
            if is_result || heard[end..].trim_ascii().is_empty() {
                last = Some((value, end));
            }
        }
    }
    if let Some((value, _)) = last {
        return against(&value);
    }
    let cut = began == Beginning::Lost && heard.trim_ascii_end().last() == Some(&b'}');
    cut.then(|| "the result of the program is too long to be read, so what it says is not known".to_owned())
}

fn against(result: &Value) -> Option<String> {
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

    fn said(text: &str) -> Option<String> {
        in_output(text.as_bytes(), Beginning::Heard)
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

    // C11: however it is laid out, and whatever is said after it.
    #[test]
    fn c11_a_claim_is_found_over_several_lines_and_in_a_stream() {
        assert!(said("working\n{\n  \"is_error\": true,\n  \"x\": {\n    \"a\": []\n  }\n}\n").is_some());
        let stream = concat!(
            "{\"type\":\"assistant\",\"is_error\":true}\n",
            "{\"type\":\"result\",\"permission_denials\":[{\"tool_name\":\"Bash\"}]}\n",
            "done.\n"
        );
        assert!(said(stream).expect("is an objection").ends_with("Bash"));
        assert_eq!(said("{\"is_error\": true}\na test said that, and the program went on\n"), None);
        assert_eq!(
            said("{\"type\":\"result\",\"is_error\":true}\n{\"type\":\"result\",\"is_error\":false}\n"),
            None
        );
        let long = format!("{}\"}}", "x".repeat(1_000));
        assert!(in_output(long.as_bytes(), Beginning::Lost).is_some());
        assert_eq!(in_output(long.as_bytes(), Beginning::Heard), None);
        assert!(in_file(b"{\"is_error\": fal").is_some());
        assert_eq!(in_file(b"all is well"), None);
    }

    #[test]
    fn c11_a_program_that_says_it_did_proves_nothing() {
        for silent in
            ["{}", "[]", "1", "", r#"{"is_error":false,"permission_denials":[],"skipped_checks":[]}"#]
        {
            assert_eq!(said(silent), None, "{silent}");
        }
    }
}
