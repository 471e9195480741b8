//! The document that a gate asks about, and what a patch makes of it.

use crate::argument;
use crate::exit::Failure;
use serde_json::Value;
use similar::TextDiff;
use tiltyard_client::{Client, Request};
use tiltyard_model::gate::amend::JSON_MEDIA_TYPE;
use tiltyard_model::patch::applied;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::View;

/// Largest document that is fetched to be shown, in bytes.
pub const MAX_SHOWN_BYTES: u64 = 1024 * 1024;
/// Unchanged lines around a change in a difference.
const CONTEXT_LINES: usize = 3;

/// What a patch makes of a subject.
#[derive(Debug)]
pub struct Patched {
    /// The patch, as it is sent.
    pub patch: Value,
    before: Value,
    after: Value,
}

impl Patched {
    /// Applies the patch of a file to the subject of a gate. The server judges the result against its schema too.
    ///
    /// # Errors
    /// When the file holds no patch, or one that does not fit; when the subject cannot be fetched.
    pub async fn of(client: &Client, gate: &View, path: &str) -> Result<Self, Failure> {
        let patch: Value = serde_json::from_str(&argument::file(path)?)
            .map_err(|error| Failure::usage(format!("{path} holds no JSON: {error}")))?;
        let none = || Failure::usage("--patch is for a JSON document, and this gate asks about none");
        let before = text(client, gate).await?.ok_or_else(none)?;
        let before: Value = serde_json::from_str(&before).map_err(|_| none())?;
        let after = applied(&before, &patch, None).map_err(|refusal| {
            let places = refusal.faults.iter().map(|fault| format!("{}: {}", fault.field, fault.error));
            let why = places.collect::<Vec<_>>().join("; ");
            Failure::usage(format!(
                "{path} does not fit: {}",
                if why.is_empty() { refusal.message } else { why }
            ))
        })?;
        Ok(Self { patch, before, after })
    }

    /// The document before and after, as a difference of lines.
    pub fn difference(&self) -> String {
        difference(&self.before, &self.after)
    }
}

fn difference(before: &Value, after: &Value) -> String {
    let (before, after) = (format!("{before:#}\n"), format!("{after:#}\n"));
    if before == after {
        return "The patch changes nothing.\n".to_owned();
    }
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(CONTEXT_LINES).header("before", "after").to_string()
}

/// The text of a gate's document, JSON in lines; `None` where it is none to be shown: a question, a diff, bytes, or too much.
///
/// # Errors
/// Those of the call.
pub async fn text(client: &Client, gate: &View) -> Result<Option<String>, Failure> {
    let Some(document) = gate.artifact.as_ref().filter(|found| found.size <= MAX_SHOWN_BYTES) else {
        return Ok(None);
    };
    let essence = document.media_type.split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case(JSON_MEDIA_TYPE) || essence.ends_with("+json");
    if !is_json && !essence.starts_with("text/") {
        return Ok(None);
    }
    let text = client.text(Request::<call::ArtifactGet>::new().place(document.id)).await?;
    let value = is_json.then(|| serde_json::from_str::<Value>(&text).ok()).flatten();
    Ok(Some(value.map_or(text, |value| format!("{value:#}\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // D23: whoever patches sees what becomes of the document before they say yes to it.
    #[test]
    fn d23_a_patch_is_shown_as_a_difference() {
        let before = json!({"title": "old", "list": [1, 2]});
        let patch = json!([{"op": "replace", "path": "/title", "value": "new"}]);
        let after = applied(&before, &patch, None).expect("fits");
        let shown = difference(&before, &after);
        assert!(shown.contains("-  \"title\": \"old\"\n+  \"title\": \"new\"\n"), "{shown}");
        assert!(shown.starts_with("--- before\n+++ after\n"), "{shown}");
        assert_eq!(difference(&before, &before), "The patch changes nothing.\n");
    }
}
