//! The result of a program: what it put into `$TILTYARD_OUTPUT`, or a JSON last line of its standard output.

use super::speech::{Line, Speech};
use crate::outcome::MAX_RESULT_BYTES;
use crate::workspace::AttemptFolder;
use serde_json::value::RawValue;

/// The variable that names the result file.
pub(super) const OUTPUT_VARIABLE: &str = "TILTYARD_OUTPUT";

/// Looks for the result of a program that has ended well. The file goes before the line.
///
/// # Errors
/// One sentence when there is a result that cannot be taken.
pub(super) fn find(folder: &AttemptFolder, speech: &Speech) -> Result<Option<Box<RawValue>>, String> {
    let limit = MAX_RESULT_BYTES as u64;
    let read = folder.output(limit).map_err(|error| format!("cannot read ${OUTPUT_VARIABLE}: {error}"))?;
    match read.filter(|bytes| !bytes.trim_ascii().is_empty()) {
        Some(bytes) if bytes.len() > MAX_RESULT_BYTES => {
            Err(too_long(&format!("the file ${OUTPUT_VARIABLE}")))
        }
        Some(bytes) => {
            json(&bytes).map(Some).map_err(|error| format!("the file ${OUTPUT_VARIABLE} is no JSON: {error}"))
        }
        None => speech.last_out().map_or(Ok(None), in_line),
    }
}

fn in_line(line: &Line) -> Result<Option<Box<RawValue>>, String> {
    if line.length <= MAX_RESULT_BYTES {
        // Most programs end with a sentence for people: no result.
        return Ok(json(&line.bytes).ok());
    }
    match (line.bytes.trim_ascii_start().first(), line.end) {
        (Some(b'{'), b'}') | (Some(b'['), b']') => Err(too_long("the last line of standard output")),
        _ => Ok(None),
    }
}

fn json(bytes: &[u8]) -> Result<Box<RawValue>, String> {
    serde_json::from_slice(bytes.trim_ascii()).map_err(|error| error.to_string())
}

fn too_long(what: &str) -> String {
    format!(
        "the result is too long: {what} has more than {MAX_RESULT_BYTES} bytes. Put bigger things into an artifact"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Voice;

    fn of_line(text: &str) -> Result<Option<String>, String> {
        let mut speech = Speech::default();
        speech.hear(Voice::Out, text.as_bytes());
        let found = speech.last_out().map_or(Ok(None), in_line);
        found.map(|found| found.map(|json| json.get().to_owned()))
    }

    #[test]
    fn c10_a_json_last_line_is_the_result() {
        assert_eq!(of_line("working\n{\"a\": 1}\n").expect("fits").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(of_line("  [1, 2]  ").expect("fits").as_deref(), Some("[1, 2]"));
        assert_eq!(of_line("42\r\n").expect("fits").as_deref(), Some("42"));
        for none in ["", "all done.\n", "{\"a\": 1}\nall done.\n", "{\"a\": 1", "{} {}", "'x'"] {
            assert_eq!(of_line(none).expect("is no error"), None, "{none}");
        }
    }

    #[test]
    fn c10_a_result_over_64_kib_is_an_error_and_a_long_sentence_is_none() {
        let fits = format!("\"{}\"", "x".repeat(MAX_RESULT_BYTES - 2));
        assert!(of_line(&fits).expect("fits").is_some());
        let error = of_line(&format!("[\"{}\"]", "x".repeat(MAX_RESULT_BYTES))).expect_err("is too long");
        assert!(error.contains("more than 65536 bytes"), "{error}");
        assert_eq!(of_line(&"x".repeat(MAX_RESULT_BYTES + 1)).expect("is no error"), None);
    }
}
