//! OpenAPI 3.1 from the table of endpoints.

use super::generator;
use crate::endpoint::{BASE_PATH, Endpoint, Form, Row};
use crate::problem::{PROBLEM_MEDIA_TYPE, Problem};
use serde_json::{Map, Value, json};
use tiltyard_model::role::{Right, Role};

/// What there is to know of the cookie.
const COOKIE: &str = "Set by POST /auth/session. Its name ends with the server's port; by TLS it begins with `__Host-`. \
                      Calls that act, and sockets, need the console's own Origin beside it.";

/// The whole document.
pub(super) fn document() -> Value {
    let mut generator = generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in Endpoint::ALL {
        let row = endpoint.row();
        let operation = operation(*endpoint, row, &mut generator, problem.as_value());
        let path = paths.entry(format!("{BASE_PATH}{}", row.path)).or_insert_with(|| json!({}));
        path[row.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Tiltyard", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0 OR MIT"}},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "http://127.0.0.1:8470"}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "jst_<64 hex>"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "tiltyard_8470", "description": COOKIE}
            }
        }
    })
}

fn operation(
    endpoint: Endpoint,
    row: Row,
    generator: &mut schemars::SchemaGenerator,
    problem: &Value,
) -> Value {
    let shapes = endpoint.shapes(generator);
    let mut parameters = path_parameters(row.path);
    parameters.extend(query_parameters(shapes.query.as_value()));
    let mut operation = json!({
        "operationId": row.name,
        "summary": row.doc,
        "parameters": parameters,
        "responses": responses(row, shapes.answer.as_ref().map(schemars::Schema::as_value), problem),
        "x-right": row.right,
        "x-roles": Role::ALL.into_iter().filter(|role| role.may(row.right)).map(Role::as_str).collect::<Vec<_>>(),
    });
    if row.right != Right::Open {
        operation["security"] = json!([{"token": []}, {"cookie": []}]);
    }
    if let Some(content) = content(row.body, shapes.body.as_ref().map(schemars::Schema::as_value)) {
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn responses(row: Row, answer: Option<&Value>, problem: &Value) -> Value {
    let mut success = json!({"description": "Done"});
    if let Some(content) = content(row.answer, answer) {
        success["content"] = content;
    }
    json!({
        row.success.to_string(): success,
        "default": {"description": "Refused", "content": {PROBLEM_MEDIA_TYPE: {"schema": problem}}}
    })
}

fn content(form: Form, schema: Option<&Value>) -> Option<Value> {
    match form {
        Form::Empty | Form::Socket => None,
        Form::Json => Some(json!({"application/json": {"schema": schema}})),
        Form::Bytes => Some(json!({"application/octet-stream": {}})),
        Form::Text => Some(json!({"text/plain": {"schema": {"type": "string"}}})),
        Form::Sse => Some(json!({"text/event-stream": {"schema": {"type": "string"}}})),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let places = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    places
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect()
}

fn query_parameters(query: &Value) -> Vec<Value> {
    let Some(properties) = query["properties"].as_object() else { return Vec::new() };
    let parameter = |(name, schema): (&String, &Value)| json!({"name": name, "in": "query", "required": false, "description": schema["description"], "schema": schema});
    properties.iter().map(parameter).collect()
}
