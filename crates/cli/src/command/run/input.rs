//! What a run is given: members on the command line, and a file.

use crate::argument;
use crate::exit::Failure;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// Reads `KEY=VALUE`.
///
/// # Errors
/// When there is no `=`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The input that the arguments mean, for a pipeline that takes `schema`; `None` where nothing is said.
///
/// # Errors
/// When a file cannot be read, or a value is not what the pipeline takes there.
pub fn read(
    schema: Option<&Value>,
    file: Option<&str>,
    pairs: &[(String, String)],
) -> Result<Option<Box<RawValue>>, Failure> {
    if file.is_none() && pairs.is_empty() {
        return Ok(None);
    }
    let mut members = file.map_or(Ok(Map::new()), of_file)?;
    for (key, value) in pairs {
        members.insert(key.clone(), member(schema, key, argument::text(value)?)?);
    }
    to_raw_value(&members).map(Some).map_err(|error| Failure::failed(error.to_string()))
}

fn of_file(file: &str) -> Result<Map<String, Value>, Failure> {
    let text = argument::file(file)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{file} holds no JSON object for the input: {error}")))
}

/// The schema's type says what a value is: a text as it stands, or JSON. Where it says nothing, what reads as JSON is that.
fn member(schema: Option<&Value>, key: &str, text: String) -> Result<Value, Failure> {
    let types = types(schema, key);
    if types.iter().any(|word| word == "string") {
        return Ok(Value::String(text));
    }
    match serde_json::from_str(&text) {
        Ok(value) => Ok(value),
        Err(_) if types.is_empty() => Ok(Value::String(text)),
        Err(error) => {
            let wanted = types.join(" or ");
            let said = format!("--input {key}: the pipeline takes JSON of the type {wanted} there: {error}");
            Err(Failure::usage(said))
        }
    }
}

/// The types that a member may have, as far as the schema says so plainly.
fn types(schema: Option<&Value>, key: &str) -> Vec<String> {
    let property = schema.and_then(|schema| schema.get("properties")?.get(key));
    let word = |value: &Value| value.as_str().map(str::to_owned);
    match property.and_then(|property| property.get("type")) {
        Some(Value::Array(all)) => all.iter().filter_map(word).collect(),
        Some(one) => word(one).into_iter().collect(),
        None => match property.and_then(|property| property.get("enum")).and_then(Value::as_array) {
            Some(all) if all.iter().all(Value::is_string) => vec!["string".to_owned()],
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use serde_json::json;

    fn read_pairs(pairs: &[&str]) -> Result<Value, Failure> {
        let schema = json!({"properties": {
            "tag": {"type": "string"}, "pause_ms": {"type": "integer"}, "paths": {"type": ["array", "null"]},
            "level": {"enum": ["low", "high"]},
        }});
        let pairs: Vec<_> = pairs.iter().map(|text| pair(text).expect("is a pair")).collect();
        let raw = read(Some(&schema), None, &pairs)?.expect("says something");
        Ok(serde_json::from_str(raw.get()).expect("is JSON"))
    }

    // F37: the schema's type says whether a value is a text or JSON.
    #[test]
    fn a_value_is_what_the_pipeline_takes_there() {
        let given =
            ["tag=1.10", "pause_ms=1000", "paths=[\"a\"]", "level=low", "other=2", "word=two", "x=a=b"];
        let wanted = json!({"tag": "1.10", "pause_ms": 1000, "paths": ["a"], "level": "low", "other": 2, "word": "two", "x": "a=b"});
        assert_eq!(read_pairs(&given).expect("reads"), wanted);
        let refused = read_pairs(&["pause_ms=soon"]).expect_err("is no number");
        assert_eq!(refused.exit, Exit::Usage);
        assert!(refused.message.contains("pause_ms") && refused.message.contains("integer"), "{refused}");
        assert!(pair("x").is_err() && pair("=x").is_err());
    }

    #[test]
    fn what_is_said_goes_before_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input.json");
        std::fs::write(&path, r#"{"a": 1, "b": 2}"#).expect("writes");
        let file = path.to_str().expect("is UTF-8");
        let raw =
            read(None, Some(file), &[("b".into(), "3".into())]).expect("reads").expect("says something");
        assert_eq!(raw.get(), r#"{"a":1,"b":3}"#);
        assert!(read(None, None, &[]).expect("reads").is_none());
        std::fs::write(&path, "[1]").expect("writes");
        assert!(read(None, Some(file), &[]).is_err());
    }
}
