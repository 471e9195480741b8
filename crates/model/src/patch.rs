//! JSON Patch (RFC 6902): what a person changes in a gate's subject while deciding (D23). The whole result is known, and
//! was judged, before anything is kept.

use crate::refusal::{Code, Fault, Refusal};
use crate::schema::Schema;
use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::Value;

/// Most operations of a patch.
pub const MAX_OPERATIONS: usize = 200;
/// Largest document that a patch may make, in bytes of JSON.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// Deepest nesting of a document that a patch may make.
pub const MAX_DOCUMENT_DEPTH: u32 = 64;

/// The document after the patch.
///
/// # Errors
/// `invalid` with the place of every operation that is none; of the first one that cannot be done (no such path, a
/// `test` that fails, a result that grows beyond its limits); or of every failure of the result against the schema.
pub fn applied(document: &Value, patch: &Value, schema: Option<&Schema>) -> Result<Value, Refusal> {
    let operations = read(patch)?;
    let mut result = document.clone();
    for (index, operation) in operations.iter().enumerate() {
        json_patch::patch_unsafe(&mut result, std::slice::from_ref(operation))
            .map_err(|error| refused(index, operation, &error.kind))?;
        // One operation can double a document at most, so looking after each one is in time.
        within_limits(&result).map_err(|error| Refusal::field(format!("/patch/{index}"), error))?;
    }
    let faults = schema.map(|schema| schema.faults(&result)).unwrap_or_default();
    match faults.first() {
        None => Ok(result),
        Some(first) => {
            let place = if first.field.is_empty() { "the document" } else { &first.field };
            let message = format!("the patched document breaks its schema: {place}: {}", first.error);
            let mut refusal = Refusal::new(Code::Invalid, message);
            refusal.faults = faults.iter().map(of_result).collect();
            Err(refusal)
        }
    }
}

fn of_result(fault: &Fault) -> Fault {
    let place = if fault.field.is_empty() {
        "the result".to_owned()
    } else {
        format!("{} of the result", fault.field)
    };
    Fault { field: "/patch".to_owned(), error: format!("{place}: {}", fault.error) }
}

fn read(patch: &Value) -> Result<Vec<PatchOperation>, Refusal> {
    let Some(list) = patch.as_array() else {
        return Err(Refusal::field("/patch", "must be a list of operations (RFC 6902)"));
    };
    if list.len() > MAX_OPERATIONS {
        return Err(Refusal::field("/patch", format!("has at most {MAX_OPERATIONS} operations")));
    }
    let (mut operations, mut faults) = (Vec::new(), Vec::new());
    for (index, item) in list.iter().enumerate() {
        match operation(item) {
            Ok(operation) => operations.push(operation),
            Err((member, error)) => faults.push(Fault { field: format!("/patch/{index}{member}"), error }),
        }
    }
    Refusal::from_faults(faults).map_or(Ok(operations), Err)
}

const WORDS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

/// One operation, with what is wrong said in words of the standard and not of a parser.
fn operation(item: &Value) -> Result<PatchOperation, (&'static str, String)> {
    let Some(members) = item.as_object() else {
        return Err(("", "must be an object with `op` and `path`".to_owned()));
    };
    let word = members.get("op").and_then(Value::as_str).unwrap_or_default();
    if !WORDS.contains(&word) {
        return Err(("/op", format!("must be one of {}", WORDS.join(", "))));
    }
    pointer(members.get("path")).map_err(|error| ("/path", error))?;
    if matches!(word, "move" | "copy") {
        pointer(members.get("from")).map_err(|error| ("/from", error))?;
    }
    if matches!(word, "add" | "replace" | "test") && !members.contains_key("value") {
        return Err(("/value", format!("is needed for `{word}`")));
    }
    serde_json::from_value(item.clone()).map_err(|error| ("", error.to_string()))
}

fn pointer(value: Option<&Value>) -> Result<(), String> {
    let rule = "must be a JSON Pointer: empty for the whole document, else `/` and names joined by `/`";
    let text = value.and_then(Value::as_str).ok_or(rule)?;
    let begins = text.is_empty() || text.starts_with('/');
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with('0') || rest.starts_with('1'));
    if !begins {
        return Err(rule.to_owned());
    }
    if escapes {
        Ok(())
    } else {
        Err("`~` is written `~0` in a JSON Pointer, `/` inside of a name `~1`".to_owned())
    }
}

fn refused(index: usize, operation: &PatchOperation, kind: &PatchErrorKind) -> Refusal {
    let path = operation.path().as_str();
    let whole = if path.is_empty() { "the whole document" } else { path };
    let (member, error) = match kind {
        PatchErrorKind::TestFailed => {
            ("/value", format!("the test fails: {whole} has another value; look at the present subject"))
        }
        PatchErrorKind::InvalidFromPointer => ("/from", "there is nothing at that path to take".to_owned()),
        PatchErrorKind::CannotMoveInsideItself => ("/path", format!("{whole} lies inside of what is moved")),
        PatchErrorKind::InvalidPointer => {
            ("/path", format!("{whole} does not exist and cannot be added there"))
        }
        other => ("/path", format!("{whole}: {other}")),
    };
    Refusal::field(format!("/patch/{index}{member}"), error)
}

/// Whether a document is small and flat enough.
///
/// # Errors
/// One sentence.
fn within_limits(document: &Value) -> Result<(), String> {
    let mut left = MAX_DOCUMENT_BYTES;
    if !is_flat(document, MAX_DOCUMENT_DEPTH) {
        return Err(format!("makes a document that is nested more than {MAX_DOCUMENT_DEPTH} deep"));
    }
    if take(document, &mut left) {
        Ok(())
    } else {
        Err(format!("makes a document of more than {MAX_DOCUMENT_BYTES} bytes"))
    }
}

fn is_flat(value: &Value, left: u32) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|item| is_flat(item, left - 1)),
        Value::Object(members) => left > 0 && members.values().all(|item| is_flat(item, left - 1)),
        _ => true,
    }
}

/// Takes about what the value has in JSON off `left`; false once nothing is left.
fn take(value: &Value, left: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.len() + 2,
        Value::Object(members) => members.keys().map(|name| name.len() + 4).sum::<usize>() + 2,
        _ => 4,
    };
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| take(item, left)),
        Value::Object(members) => members.values().all(|item| take(item, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
