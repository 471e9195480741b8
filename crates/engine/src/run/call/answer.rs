//! What an answer means to the stage that asked: its result, and whether it is a success. Looked at outside of the door.

use super::{Answered, Made, Taken};
use crate::act::refusal_of;
use crate::artifact::{Artifact, DEFAULT_MEDIA_TYPE, MAX_MEDIA_TYPE_BYTES};
use crate::outgoing::{Answer, Body, CallError};
use crate::run::advance::Told;
use serde_json::{Map, Value, json};
use tiltyard_model::pipeline::{Expect, MAX_DOCUMENT_BYTES};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::{Again, Failure, Outcome};
use tiltyard_model::schema::Schema;
use tiltyard_store::blob::{BlobError, Blobs, Kept};
use tiltyard_store::run::output::MAX_VALUE_BYTES;

/// Largest result with its body in it, in bytes of JSON; a larger body lies elsewhere.
const MAX_INLINE_BYTES: usize = 60 * 1024;
/// Most bytes of JSON that the headers of a result have: it fits a row with all but its body.
const MAX_TOLD_HEADER_BYTES: usize = 12 * 1024;
/// Letters of a body that are shown where it is not what was expected.
const SHOWN_CHARS: usize = 200;
/// Failures of a schema that are told.
const SHOWN_FAULTS: usize = 3;

/// What came of a call. Blocks.
///
/// # Errors
/// When the bytes of an answer cannot be stored or read again.
pub(crate) fn made(
    taken: &Taken,
    expect: &Expect,
    done: Result<Answer, CallError>,
    blobs: &Blobs,
) -> Result<Made, Refusal> {
    let Taken { run, part, .. } = *taken;
    let answer = match done {
        Ok(answer) => answer,
        Err(CallError { text, again }) => {
            let outcome = Outcome::Failed(part, Failure::Failed, again);
            let told = Told::error(text, "failed");
            return Ok(Made { run, part, outcome, told, result: None, body: None });
        }
    };
    let objection = objection(&answer, expect, blobs)?;
    let context = Some(json!({"status": answer.status}).to_string());
    let (result, body) = result(&answer, blobs)?;
    let (outcome, told) = match objection {
        None => (Outcome::Succeeded(part), Told { context, ..Told::default() }),
        // Another time the answer may be another one.
        Some(text) => (
            Outcome::Failed(part, Failure::Failed, Again::May),
            Told { context, ..Told::error(text, "failed") },
        ),
    };
    Ok(Made { run, part, outcome, told, result: Some(result), body })
}

/// Why an answer is no success.
fn objection(answer: &Answer, expect: &Expect, blobs: &Blobs) -> Result<Option<String>, Refusal> {
    let Answer { called, status, .. } = answer;
    if !expect.takes(*status) {
        let expected = match expect.statuses.as_slice() {
            [] => "any from 200 to 299".to_owned(),
            statuses => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
        };
        let shown = shown(answer, blobs)?;
        return Ok(Some(format!("{called} answered {status} ({expected} was expected){shown}")));
    }
    let Some(schema) = &expect.schema else { return Ok(None) };
    let Some(document) = document(answer, blobs)? else {
        return Ok(Some(format!(
            "{called} answered with what is no JSON of up to 1 MiB, as `expect.schema` wants it"
        )));
    };
    // It was read when the pipeline was published.
    let Ok(schema) = Schema::read(schema) else {
        return Ok(Some("`expect.schema` cannot be used".to_owned()));
    };
    let faults = schema.faults(&document);
    let told: Vec<String> =
        faults.iter().take(SHOWN_FAULTS).map(|fault| format!("{}: {}", fault.field, fault.error)).collect();
    Ok((!faults.is_empty())
        .then(|| format!("{called} answered with what breaks `expect.schema`: {}", told.join("; "))))
}

/// The result, and its body where that lies elsewhere.
fn result(answer: &Answer, blobs: &Blobs) -> Result<(Answered, Option<(Kept, String)>), Refusal> {
    let headers = headers(answer);
    let whole = |body: Value| json!({"status": answer.status, "headers": headers, "body": body});
    let inline = match &answer.body {
        Body::Short(bytes) => inline(answer, bytes).map(whole),
        Body::Stored(_) => None,
    };
    if let Some(value) = inline {
        let text = value.to_string();
        if text.len() <= MAX_INLINE_BYTES {
            let kept = (text.len() > MAX_VALUE_BYTES).then(|| write(blobs, text.as_bytes())).transpose()?;
            return Ok((Answered { value, kept }, None));
        }
    }
    let kept = match &answer.body {
        Body::Short(bytes) => write(blobs, bytes)?,
        Body::Stored(kept) => kept.clone(),
    };
    Ok((Answered { value: whole(Value::Null), kept: None }, Some((kept, media_type(answer)))))
}

/// The headers, as many as fit, in their order.
fn headers(answer: &Answer) -> Map<String, Value> {
    let mut left = MAX_TOLD_HEADER_BYTES;
    let mut told = Map::new();
    for (name, value) in &answer.headers {
        let value = Value::String(value.clone());
        let Some(rest) = left.checked_sub(name.len() + value.to_string().len() + 4) else { continue };
        left = rest;
        told.insert(name.clone(), value);
    }
    told
}

/// A short body as a value; `None` for bytes that are no text.
fn inline(answer: &Answer, bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    let parsed = is_json(answer).then(|| serde_json::from_slice(bytes).ok()).flatten();
    parsed.or_else(|| std::str::from_utf8(bytes).ok().map(|text| Value::String(text.to_owned())))
}

fn is_json(answer: &Answer) -> bool {
    let essence = answer.media_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The body as a document, whatever it is said to be.
fn document(answer: &Answer, blobs: &Blobs) -> Result<Option<Value>, Refusal> {
    let bytes = match &answer.body {
        Body::Short(bytes) => bytes.clone(),
        Body::Stored(kept) if kept.size <= MAX_DOCUMENT_BYTES as u64 => {
            begin_of(kept, MAX_DOCUMENT_BYTES, blobs)?
        }
        Body::Stored(_) => return Ok(None),
    };
    Ok(serde_json::from_slice(&bytes).ok())
}

/// The beginning of a body, for a sentence.
fn shown(answer: &Answer, blobs: &Blobs) -> Result<String, Refusal> {
    let bytes = match &answer.body {
        Body::Short(bytes) => bytes.clone(),
        Body::Stored(kept) => begin_of(kept, 4 * SHOWN_CHARS, blobs)?,
    };
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let text: String = String::from_utf8_lossy(&bytes).chars().take(SHOWN_CHARS).map(plain).collect();
    let text = text.trim();
    Ok(if text.is_empty() { String::new() } else { format!(": {text}") })
}

/// At most so many bytes of a body.
fn begin_of(kept: &Kept, most: usize, blobs: &Blobs) -> Result<Vec<u8>, Refusal> {
    let gone = || Refusal::new(Code::Internal, "the body of an answer is gone before it was looked at");
    let (reader, size) = blobs.open_read(&kept.sha256).map_err(refusal_of)?.ok_or_else(gone)?;
    let length = usize::try_from(size).unwrap_or(usize::MAX).min(most);
    reader.read_at(0, length).map_err(|error| Refusal::new(Code::Internal, error.to_string()))
}

fn write(blobs: &Blobs, bytes: &[u8]) -> Result<Kept, Refusal> {
    let written = || -> Result<Kept, BlobError> {
        let mut writer = blobs.writer(bytes.len() as u64)?;
        writer.write(bytes)?;
        writer.finish(None)
    };
    written().map_err(|error| match error {
        BlobError::Store(error) => refusal_of(error),
        other => Refusal::new(Code::Internal, other.to_string()),
    })
}

/// What an artifact may be said to be.
fn media_type(answer: &Answer) -> String {
    let said = answer.media_type.as_deref().filter(|text| {
        text.len() <= MAX_MEDIA_TYPE_BYTES
            && text.contains('/')
            && text.chars().all(|letter| matches!(letter, ' '..='~'))
    });
    said.unwrap_or(DEFAULT_MEDIA_TYPE).to_owned()
}

/// A body that lies elsewhere, as expressions see a file.
pub(super) fn reference(stored: &Artifact) -> Value {
    json!({
        "artifact": stored.id.to_string(), "sha256": stored.sha256, "size": stored.size,
        "media_type": stored.media_type, "name": stored.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::MAX_SHORT_BODY_BYTES;
    use std::collections::BTreeMap;
    use tiltyard_model::id::{Id, Noun};
    use tiltyard_model::run::Part;

    fn answer(status: u16, media_type: &str, bytes: &[u8]) -> Answer {
        Answer {
            called: "GET https://a.example/b".to_owned(),
            status,
            headers: BTreeMap::from([("x-own".to_owned(), "1".to_owned())]),
            media_type: Some(media_type.to_owned()),
            body: Body::Short(bytes.to_vec()),
        }
    }

    fn judged(expect: &Expect, done: Result<Answer, CallError>) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let part = Part { stage: 0, attempt: 1, item: None };
        let id = Id::from_parts(Noun::Run, 1, 1);
        let taken = Taken { run: 1, part, id, stage: "a".to_owned(), request: String::new() };
        made(&taken, expect, done, &Blobs::open(folder.path()).unwrap()).unwrap()
    }

    fn body(made: &Made) -> Value {
        made.result.as_ref().expect("was answered").value["body"].clone()
    }

    fn error(made: Made) -> String {
        assert!(matches!(made.outcome, Outcome::Failed(_, Failure::Failed, Again::May)), "{made:?}");
        assert!(made.result.is_some(), "a failed call keeps what it was answered (D22)");
        made.told.error.expect("says why")
    }

    // D20: an answer is JSON where it says so, a text where it is one, and else bytes that lie elsewhere.
    #[test]
    fn d20_an_answer_becomes_a_result() {
        let any = Expect::default();
        let json = judged(&any, Ok(answer(200, "application/problem+json; charset=utf-8", br#"{"a": [1]}"#)));
        assert_eq!(
            json.result.as_ref().unwrap().value,
            json!({"status": 200, "headers": {"x-own": "1"}, "body": {"a": [1]}})
        );
        assert!(matches!(json.outcome, Outcome::Succeeded(_)));
        assert_eq!(body(&judged(&any, Ok(answer(200, "text/html", b"{}")))), json!("{}"));
        assert_eq!(body(&judged(&any, Ok(answer(200, "application/json", b"no json")))), json!("no json"));
        assert_eq!(body(&judged(&any, Ok(answer(204, "", b"")))), Value::Null);
        let odd = judged(&any, Ok(answer(200, "image\nx", b"\xff\xfe")));
        assert_eq!(
            (body(&odd), odd.body.map(|(kept, media_type)| (kept.size, media_type))),
            (Value::Null, Some((2, DEFAULT_MEDIA_TYPE.to_owned())))
        );
        // Each of these letters is six in JSON.
        let long = judged(&any, Ok(answer(200, "text/plain", &vec![1; MAX_SHORT_BODY_BYTES])));
        assert!(body(&long).is_null() && long.body.is_some());
        let fits = judged(&any, Ok(answer(200, "text/plain", &vec![b'a'; MAX_SHORT_BODY_BYTES])));
        assert!(fits.body.is_none() && fits.result.unwrap().kept.is_some(), "it is too long for a row");
    }

    #[test]
    fn d20_an_answer_that_is_not_the_expected_one_says_so() {
        let expect = Expect { statuses: vec![200, 204], schema: None };
        let busy = judged(&expect, Ok(answer(503, "text/plain", b"come\nback \x00later")));
        assert_eq!(busy.told.context.as_deref(), Some(r#"{"status":503}"#));
        assert_eq!(
            error(busy),
            "GET https://a.example/b answered 503 (200 or 204 was expected): come back  later"
        );
        let schema = Some(json!({"type": "object", "required": ["name"]}));
        let expect = Expect { statuses: Vec::new(), schema };
        let without = error(judged(&expect, Ok(answer(200, "application/json", b"{}"))));
        assert!(without.contains("breaks `expect.schema`") && without.contains("name"), "{without}");
        assert!(error(judged(&expect, Ok(answer(200, "application/json", b"<")))).contains("is no JSON"));
        let named = judged(&expect, Ok(answer(200, "text/plain", br#"{"name": 1}"#)));
        assert!(
            matches!(named.outcome, Outcome::Succeeded(_)),
            "what it is said to be does not matter to a schema"
        );
        let refused = judged(&expect, Err(CallError::lasting("no")));
        assert!(matches!(refused.outcome, Outcome::Failed(_, _, Again::Never)) && refused.result.is_none());
    }

    #[test]
    fn d20_headers_have_room_for_the_rest() {
        let mut many = answer(200, "text/plain", b"x");
        many.headers = (0..60).map(|n| (format!("x-{n}"), "\"".repeat(1_000))).collect();
        let made = judged(&Expect::default(), Ok(many));
        let text = made.result.unwrap().value["headers"].to_string();
        assert!(text.len() <= MAX_TOLD_HEADER_BYTES + 2 && text.len() > 8_000, "{}", text.len());
    }
}
