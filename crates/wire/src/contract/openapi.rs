//! OpenAPI 3.1 from the table of endpoints.

use super::generator;
use crate::endpoint::{BASE_PATH, Endpoint, Form, Method, Row};
use crate::problem::{PROBLEM_MEDIA_TYPE, Problem, status};
use serde_json::{Map, Value, json};
use tiltyard_model::refusal::Code;
use tiltyard_model::role::{Right, Role};

/// What there is to know of the cookie.
const COOKIE: &str = "Set by POST /auth/session. Its name ends with the server's port; by TLS it begins with `__Host-`. \
                      Calls that act, and sockets, need the console's own Origin beside it.";

/// Bytes and text that are something more exact than their form says.
const MEDIA_TYPES: [(Endpoint, &[&str]); 5] = [
    (Endpoint::RunEvents, &["application/x-ndjson"]),
    (Endpoint::TaskLog, &["text/plain", "text/event-stream"]),
    (Endpoint::ArtifactGet, &["*/*"]),
    (Endpoint::ChangeDiff, &["text/x-diff"]),
    (Endpoint::AuditExport, &["application/x-ndjson"]),
];

/// The whole document.
pub(super) fn document() -> Value {
    let mut generator = generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in Endpoint::ALL {
        let row = endpoint.row();
        let path = paths.entry(format!("{BASE_PATH}{}", row.path)).or_insert_with(|| json!({}));
        path[row.method.as_str().to_lowercase()] = operation(*endpoint, row, &mut generator);
    }
    paths.extend(outside());
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Tiltyard", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0 OR MIT"}},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        // Whatever its address is: the document is read from the server that it describes.
        "servers": [{"url": "/"}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "parameters": parameters(),
            "headers": headers(),
            "responses": refusals(problem.as_value()),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "jst_<64 hex>"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "tiltyard_8470", "description": COOKIE}
            }
        }
    })
}

/// What stands outside of the base path.
fn outside() -> Map<String, Value> {
    let text = |name: &str, summary: &str, refused: &[u16]| {
        let mut responses = json!({"200": {"description": "Done", "content": {"text/plain": {}}}});
        for status in refused {
            responses[status.to_string()] = reference("responses", &status.to_string());
        }
        json!({"get": {"operationId": name, "summary": summary, "tags": ["system"], "responses": responses}})
    };
    let mut paths = Map::new();
    paths.insert("/healthz".into(), text("Alive", "Whether the process is there.", &[]));
    paths.insert("/readyz".into(), text("Ready", "Whether the store is open and migrated.", &[503]));
    let mut metrics = text("Prometheus", "Figures, as Prometheus reads them.", &[401, 403]);
    metrics["get"]["security"] = security();
    paths.insert("/metrics".into(), metrics);
    paths
}

fn security() -> Value {
    json!([{"token": []}, {"cookie": []}])
}

/// What a row belongs to: the first part of its path.
fn tag(row: Row) -> &'static str {
    row.path.split('/').nth(1).unwrap_or_default()
}

fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for name in Endpoint::ALL.iter().map(|endpoint| tag(endpoint.row())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

fn reference(part: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{part}/{name}")})
}

fn operation(endpoint: Endpoint, row: Row, generator: &mut schemars::SchemaGenerator) -> Value {
    let shapes = endpoint.shapes(generator);
    let mut parameters = path_parameters(row.path);
    parameters.extend(query_parameters(&at_home(shapes.query.to_value(), generator)));
    parameters.extend(header_parameters(endpoint, row));
    let mut operation = json!({
        "operationId": row.name,
        "summary": row.doc.trim(),
        "tags": [tag(row)],
        "parameters": parameters,
        "responses": responses(endpoint, row, shapes.answer.as_ref().map(schemars::Schema::as_value)),
        "x-right": row.right,
        "x-roles": Role::ALL.into_iter().filter(|role| role.may(row.right)).map(Role::as_str).collect::<Vec<_>>(),
    });
    if row.right != Right::Open {
        operation["security"] = security();
    }
    if let Some(content) = body_content(row, shapes.body.as_ref().map(schemars::Schema::as_value)) {
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// Whether a row reads one thing, which has an entity tag (API8).
fn is_single(row: Row) -> bool {
    let part = row.path.rsplit('/').next().unwrap_or_default();
    row.method == Method::Get
        && row.answer == Form::Json
        && (part.starts_with('{') || matches!(part, "rules" | "log-level"))
}

/// Whether a row changes, replaces or ends one thing: it honours `If-Match` (API8).
fn is_conditional(row: Row) -> bool {
    matches!(row.method, Method::Put | Method::Patch | Method::Delete) && row.body != Form::Bytes
}

/// Whether a row is done once under an `Idempotency-Key`: a claim has its own id, a settle its generation (API5).
fn has_key(row: Row) -> bool {
    row.method == Method::Post && !matches!(row.right, Right::Work | Right::Open)
}

fn header_parameters(endpoint: Endpoint, row: Row) -> Vec<Value> {
    let named = [
        ("RequestId", true),
        ("IdempotencyKey", has_key(row)),
        ("IfMatch", is_conditional(row)),
        ("IfNoneMatch", is_single(row) || endpoint == Endpoint::ArtifactGet),
        ("Range", endpoint == Endpoint::ArtifactGet),
        ("LastEventId", endpoint == Endpoint::EventStream),
    ];
    named.into_iter().filter(|(_, takes)| *takes).map(|(name, _)| reference("parameters", name)).collect()
}

fn parameters() -> Value {
    let header = |name: &str, said: &str| json!({"name": name, "in": "header", "required": false, "description": said, "schema": {"type": "string"}});
    json!({
        "RequestId": header("X-Request-Id", "1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`; made when absent, and echoed."),
        "IdempotencyKey": header("Idempotency-Key", "1 to 255 printable ASCII characters: the same key and body within 24 h gives the same answer."),
        "IfMatch": header("If-Match", "Only if the thing still has this ETag; else 412."),
        "IfNoneMatch": header("If-None-Match", "Only if the thing has another ETag; else 304."),
        "Range": header("Range", "One range of bytes."),
        "LastEventId": header("Last-Event-ID", "The id of the last event that was read; as `after`."),
    })
}

fn headers() -> Value {
    let text = |said: &str| json!({"description": said, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": text("The request's id, in events, audit and logs too."),
        "ETag": text("Changes when anything that is shown changes."),
        "Location": text("Where the new thing is."),
        "Retry-After": json!({"description": "Seconds to wait.", "schema": {"type": "integer"}}),
        "Idempotency-Replayed": text("`true` where the answer is that of an earlier request with the key."),
    })
}

fn response_headers(names: &[&str]) -> Value {
    let named = names.iter().map(|name| ((*name).to_owned(), reference("headers", name)));
    Value::Object(
        std::iter::once(("X-Request-Id".to_owned(), reference("headers", "X-Request-Id")))
            .chain(named)
            .collect(),
    )
}

fn responses(endpoint: Endpoint, row: Row, answer: Option<&Value>) -> Value {
    let mut names = Vec::new();
    if is_single(row) || is_conditional(row) || endpoint == Endpoint::ArtifactGet {
        names.push("ETag");
    }
    if row.success == 201 {
        names.extend(["ETag", "Location"]);
    }
    if has_key(row) {
        names.push("Idempotency-Replayed");
    }
    let mut success = json!({"description": "Done", "headers": response_headers(&names)});
    if let Some(content) = answer_content(endpoint, row, answer) {
        success["content"] = content;
    }
    let mut all = json!({row.success.to_string(): success.clone()});
    if endpoint == Endpoint::TaskSubmit {
        success["description"] = json!("The first task of the unique key");
        all["200"] = success;
    } else if endpoint == Endpoint::PipelinePut {
        success["description"] = json!("The name is new");
        all["201"] = success;
    } else if endpoint == Endpoint::ArtifactGet {
        success["description"] = json!("The part that was asked for");
        all["206"] = success;
    }
    if is_single(row) || endpoint == Endpoint::ArtifactGet {
        all["304"] =
            json!({"description": "It is as the caller has it", "headers": response_headers(&["ETag"])});
    }
    for status in refused_with(endpoint, row) {
        all[status.to_string()] = reference("responses", &status.to_string());
    }
    all["default"] = reference("responses", "default");
    all
}

/// The statuses with which a row refuses (API2).
fn refused_with(endpoint: Endpoint, row: Row) -> Vec<u16> {
    let (reads, has_body) = (row.method == Method::Get, row.body != Form::Empty);
    let is_stream = matches!(row.answer, Form::Sse | Form::Socket) || endpoint == Endpoint::EventList;
    let table: [(&[u16], bool); 8] = [
        (&[400, 421, 422, 429, 500, 503], true),
        (&[401, 403], row.right != Right::Open || endpoint == Endpoint::SignIn),
        (&[404], row.path.contains('{')),
        (&[408, 413, 415], has_body),
        (&[409], !reads),
        (&[410], is_stream || endpoint == Endpoint::BoardGet),
        (&[412], is_conditional(row)),
        (&[416], matches!(endpoint, Endpoint::ArtifactGet | Endpoint::TaskLogAppend | Endpoint::TaskLog)),
    ];
    let mut all: Vec<u16> =
        table.into_iter().filter(|(_, may)| *may).flat_map(|(statuses, _)| statuses).copied().collect();
    all.sort_unstable();
    all
}

/// One for each status with which anything is refused, and one for what stands nowhere.
fn refusals(problem: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for kind in Code::ALL.iter().map(|code| code.kind()) {
        let status = status(kind);
        let names: &[&str] = if matches!(status, 429 | 503) { &["Retry-After"] } else { &[] };
        all.entry(status.to_string()).or_insert_with(|| refusal(problem, names));
    }
    all.insert("default".to_owned(), refusal(problem, &[]));
    all
}

fn refusal(problem: &Value, names: &[&str]) -> Value {
    json!({
        "description": "Refused",
        "headers": response_headers(names),
        "content": {PROBLEM_MEDIA_TYPE: {"schema": problem}}
    })
}

fn answer_content(endpoint: Endpoint, row: Row, answer: Option<&Value>) -> Option<Value> {
    let Some((_, types)) = MEDIA_TYPES.iter().find(|(known, _)| *known == endpoint) else {
        return content(row.answer, answer);
    };
    Some(Value::Object(types.iter().map(|media| ((*media).to_owned(), json!({}))).collect()))
}

/// Texts that go in are definitions, in the types that they are read in.
fn body_content(row: Row, body: Option<&Value>) -> Option<Value> {
    if row.body != Form::Text {
        return content(row.body, body);
    }
    let text = json!({"schema": {"type": "string"}});
    let types = crate::pipeline::MEDIA_TYPES.iter().map(|media| ((*media).to_owned(), text.clone()));
    Some(Value::Object(types.collect()))
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

/// The schema of parameters comes with definitions of its own: they go to those of the document.
fn at_home(mut query: Value, generator: &mut schemars::SchemaGenerator) -> Value {
    let own = query.as_object_mut().and_then(|query| query.remove("$defs"));
    let Some(Value::Object(own)) = own else { return query };
    for (name, schema) in own {
        generator.definitions_mut().entry(name).or_insert_with(|| moved(schema));
    }
    moved(query)
}

fn moved(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().and_then(|place| place.strip_prefix("#/$defs/")) {
                    Some(own) if name == "$ref" => *member = json!(format!("#/components/schemas/{own}")),
                    _ => *member = moved(member.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = moved(item.take())),
        _ => {}
    }
    schema
}

fn query_parameters(query: &Value) -> Vec<Value> {
    let Some(properties) = query["properties"].as_object() else { return Vec::new() };
    let parameter = |(name, schema): (&String, &Value)| json!({"name": name, "in": "query", "required": false, "description": schema["description"], "schema": schema});
    properties.iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // API1, API2, API5, API8: the document tells statuses, headers and types as the server gives them.
    #[test]
    fn api1_the_document_tells_statuses_headers_and_types() {
        let document = document();
        let of = |method: &str, path: &str| document["paths"][format!("{BASE_PATH}{path}")][method].clone();
        let takes = |operation: &Value, name: &str| {
            let wanted = reference("parameters", name);
            operation["parameters"].as_array().is_some_and(|all| all.contains(&wanted))
        };
        let submit = of("post", "/tasks");
        assert_eq!(
            submit["summary"],
            "Submits a task; a duplicate of a unique key answers 200 with the first."
        );
        assert_eq!(submit["tags"], json!(["tasks"]));
        assert!(!submit["responses"]["200"].is_null() && !submit["responses"]["422"].is_null());
        assert!(takes(&submit, "IdempotencyKey") && !takes(&of("post", "/tasks/claim"), "IdempotencyKey"));
        assert!(
            submit["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "scope"))
        );
        let (get, patch) = (of("get", "/tasks/{id}"), of("patch", "/tasks/{id}"));
        assert!(!get["responses"]["304"].is_null() && takes(&get, "IfNoneMatch"));
        assert!(!patch["responses"]["412"].is_null() && takes(&patch, "IfMatch"));
        assert!(!get["responses"]["200"]["headers"]["ETag"].is_null());
        let types = |path: &str| of("get", path)["responses"]["200"]["content"].clone();
        assert!(!types("/audit/export")["application/x-ndjson"].is_null());
        assert!(!types("/changes/{id}/diff")["text/x-diff"].is_null());
        assert!(!types("/tasks/{id}/log")["text/event-stream"].is_null());
        assert!(!of("get", "/artifacts/{id}")["responses"]["206"].is_null());
        assert!(!document["paths"]["/healthz"].is_null());
        assert!(!document["components"]["responses"]["503"]["headers"]["Retry-After"].is_null());
    }

    // API1: whatever is referred to is there.
    #[test]
    fn api1_no_reference_leads_nowhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let place = reference.trim_start_matches('#');
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }
}
