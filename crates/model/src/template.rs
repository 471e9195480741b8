//! Templates: the fields of a task that a scope's people submit often, kept under a name.

use crate::refusal::{Code, Fault, Refusal};
use crate::slug::is_slug;
use serde_json::{Map, Value};

/// Most templates of a scope.
pub const MAX_TEMPLATES: usize = 200;
/// Longest description in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// Largest template in bytes of its JSON: the largest payload and room for the other fields.
pub const MAX_TASK_BYTES: usize = 320 * 1024;

/// The fields of a submission that a template may set: all but the scope, for a template has one already, and
/// what names other tasks or moments.
pub const TASK_FIELDS: [&str; 19] = [
    "queue",
    "kind",
    "title",
    "payload",
    "priority",
    "category",
    "labels",
    "capabilities",
    "timeout_ms",
    "max_attempts",
    "backoff",
    "unique_key",
    "unique_for_ms",
    "concurrency_key",
    "concurrency_limit",
    "rate_key",
    "rate_per_minute",
    "assign_to",
    "on_dependency_failure",
];

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its scope.
    pub scope: String,
    /// Its name, a slug.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The fields it sets; a submission's own fields win.
    pub task: Map<String, Value>,
}

/// Every failure of a template, each with its place; empty when it may be kept. The values themselves are
/// judged when a task is submitted, for a template may leave out what a submission adds.
pub fn faults(template: &Template) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut fault = |field: String, error: String| found.push(Fault { field, error });
    if !is_slug(&template.name) {
        fault("/name".to_owned(), "must be a slug: 1 to 64 of a-z, 0-9, _ and -".to_owned());
    }
    if template.description.chars().count() > MAX_DESCRIPTION_CHARS {
        fault("/description".to_owned(), format!("must have at most {MAX_DESCRIPTION_CHARS} characters"));
    }
    for field in template.task.keys().filter(|field| !TASK_FIELDS.contains(&field.as_str())) {
        let near = crate::nearest::nearest(field, TASK_FIELDS).map(|near| format!("; is {near} meant?"));
        let error = format!("a template has no such field{}", near.unwrap_or_default());
        fault(format!("/task/{}", pointer(field)), error);
    }
    let bytes = Value::Object(template.task.clone()).to_string().len();
    if bytes > MAX_TASK_BYTES {
        fault("/task".to_owned(), format!("must have at most {MAX_TASK_BYTES} bytes"));
    }
    found
}

/// Whether a scope with `kept` templates takes another one.
///
/// # Errors
/// `invalid` when it is full.
pub fn admit_another(kept: usize) -> Result<(), Refusal> {
    if kept < MAX_TEMPLATES {
        return Ok(());
    }
    let message = format!("the scope has {MAX_TEMPLATES} templates; delete one that nobody uses");
    Err(Refusal::new(Code::Invalid, message))
}

/// A key as a part of a JSON Pointer (RFC 6901).
fn pointer(key: &str) -> String {
    key.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(task: &Value) -> Template {
        let task = task.as_object().cloned().unwrap();
        Template { scope: "default".into(), name: "docs".into(), description: String::new(), task }
    }

    fn fields(template: &Template) -> Vec<String> {
        faults(template).into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_template_sets_fields_of_a_task() {
        let all = TASK_FIELDS.into_iter().map(|field| (field.to_owned(), Value::Null)).collect();
        assert_eq!(fields(&template(&Value::Object(all))), [""; 0]);
    }

    #[test]
    fn other_fields_are_refused_with_the_nearest_right_name() {
        let found = faults(&template(&json!({"priorty": 3, "scope": "x", "a/b": 1})));
        let said: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(said, ["/task/a~1b", "/task/priorty", "/task/scope"]);
        assert!(found[1].error.contains("is priority meant?"));
    }

    #[test]
    fn names_and_sizes_are_limited() {
        let large = json!({"payload": "x".repeat(MAX_TASK_BYTES)});
        assert_eq!(fields(&template(&large)), ["/task"]);
        let named = Template {
            name: "No Slug".into(),
            description: "x".repeat(MAX_DESCRIPTION_CHARS + 1),
            ..template(&json!({}))
        };
        assert_eq!(fields(&named), ["/name", "/description"]);
        assert!(admit_another(MAX_TEMPLATES - 1).is_ok() && admit_another(MAX_TEMPLATES).is_err());
    }
}
