//! The contract: OpenAPI document and JSON Schemas, generated from the table, committed under `contracts/`.

pub mod fault;
mod openapi;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Every file of `contracts/` that is generated: path below it, and text.
pub fn files() -> Vec<(String, String)> {
    let mut files = vec![("openapi.json".to_owned(), pretty(&openapi::document()))];
    for (name, schema) in schemas() {
        files.push((format!("schemas/{name}.json"), pretty(&schema)));
    }
    files
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> Value {
    openapi::document()
}

/// The JSON Schemas by name: frames, problems, the work of changes, and the data of every type of event.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add("task-submit", schema_of::<crate::task::Submit>());
    add("task", schema_of::<crate::task::View>());
    add("change", schema_of::<crate::change::View>());
    add("gate", schema_of::<crate::gate::View>());
    // What a definition is made of: for editors, which complete names and mark what cannot be.
    add("pipeline", tiltyard_model::pipeline::schema());
    add("run", schema_of::<crate::run::View>());
    add("problem", schema_of::<crate::problem::Problem>());
    add("event", schema_of::<crate::event::Event>());
    add("audit-entry", schema_of::<crate::audit::Entry>());
    add("frame-from-agent", schema_of::<crate::frame::FromAgent>());
    add("frame-to-agent", schema_of::<crate::frame::ToAgent>());
    add("socket-from-reader", schema_of::<crate::event::FromReader>());
    add("socket-to-reader", schema_of::<crate::event::ToReader>());
    add("work-change", schema_of::<crate::work::ChangePayload>());
    add("work-change-result", schema_of::<crate::work::ChangeResult>());
    add("work-change-unchanged", schema_of::<crate::work::Unchanged>());
    add("work-git-probe", schema_of::<crate::work::ProbePayload>());
    add("work-git-probe-result", schema_of::<crate::work::ProbeResult>());
    add("work-git-check", schema_of::<crate::work::CheckPayload>());
    add("work-git-check-result", schema_of::<crate::work::CheckResult>());
    add("work-git-merge", schema_of::<crate::work::MergePayload>());
    add("work-git-merge-result", schema_of::<crate::work::MergeResult>());
    add("work-git-clean", schema_of::<crate::work::CleanPayload>());
    for kind in tiltyard_model::event::Type::ALL {
        add(&format!("event-{}", kind.as_str()), kind.schema().to_value());
    }
    all
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator()
}

fn pretty(value: &Value) -> String {
    let mut text =
        serde_json::to_string_pretty(value).unwrap_or_else(|error| json!(error.to_string()).to_string());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // API1: the OpenAPI document names every endpoint, and no shape's name stands for two.
    #[test]
    fn api1_the_document_names_every_endpoint() {
        let document = openapi();
        let paths = document["paths"].as_object().expect("has paths");
        for endpoint in crate::endpoint::Endpoint::ALL {
            let row = endpoint.row();
            let operation = &paths[&endpoint.full_path()][row.method.as_str().to_lowercase()];
            assert_eq!(operation["operationId"], row.name);
        }
        let names: HashSet<_> =
            document["components"]["schemas"].as_object().expect("has schemas").keys().collect();
        let doubled: Vec<_> = names.iter().filter(|name| name.ends_with(['2', '3', '4'])).collect();
        assert!(doubled.is_empty(), "two shapes of one name: {doubled:?}");
    }

    #[test]
    fn generation_is_repeatable() {
        assert_eq!(files(), files());
    }
}
