//! The one table of endpoints. Router, OpenAPI, client, rights, rate tiers and the completeness tests come from
//! it; a row without a handler does not build (`server/src/route.rs` matches on [`Endpoint`]).

mod rows;
pub use rows::*;

use schemars::{Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::sync::LazyLock;
use tiltyard_model::role::Right;

/// What every path of the API begins with.
pub const BASE_PATH: &str = "/api/v1";
/// Most bytes of a body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Most bytes of the body of `tasks/batch` and `tasks/settle`.
pub const MAX_BATCH_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of an artifact.
pub const MAX_ARTIFACT_BYTES: usize = 1024 * 1024 * 1024;

/// The methods that the API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Acts.
    Post,
    /// Makes or replaces.
    Put,
    /// Changes some fields.
    Patch,
    /// Ends.
    Delete,
}

impl Method {
    /// As HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The bucket that a request is charged to (SEC14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Never limited.
    Exempt,
    /// Cheap reads.
    Light,
    /// Most.
    Normal,
    /// Dear ones.
    Heavy,
    /// The worker protocol.
    Bulk,
}

/// What a body or an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Nothing.
    Empty,
    /// JSON of the row's type.
    Json,
    /// Bytes as they are.
    Bytes,
    /// Text as it is.
    Text,
    /// Server-sent events.
    Sse,
    /// A WebSocket.
    Socket,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// The method.
    pub method: Method,
    /// The path below [`BASE_PATH`], with `{id}` and `{name}` places.
    pub path: &'static str,
    /// What the caller needs.
    pub right: Right,
    /// The bucket.
    pub tier: Tier,
    /// What the body is made of.
    pub body: Form,
    /// What the answer is made of.
    pub answer: Form,
    /// The status of success.
    pub success: u16,
    /// Most bytes of the body.
    pub max_body_bytes: usize,
}

/// A row as a type: what the typed client and the handlers share.
pub trait Call {
    /// The row.
    const ENDPOINT: Endpoint;
    /// The parameters.
    type Query: Serialize + DeserializeOwned + schemars::JsonSchema + Default;
    /// The body; `()` for none and for bytes.
    type Body: Serialize;
    /// The answer; `()` for what is not JSON.
    type Answer: DeserializeOwned;
}

/// The shapes of a row, for the contract.
pub struct Shapes {
    /// The parameters: an object schema.
    pub query: Schema,
    /// The body, where it is JSON.
    pub body: Option<Schema>,
    /// The answer, where it is JSON.
    pub answer: Option<Schema>,
}

/// Writes the schema of `T` into `generator` unless the form says that it is not JSON.
fn shape<T: schemars::JsonSchema>(generator: &mut SchemaGenerator, form: Form) -> Option<Schema> {
    matches!(form, Form::Json).then(|| generator.subschema_for::<T>())
}

/// The names of parameters, by row.
static PARAMETERS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let names = |row: &Endpoint| {
        let schema = row.query();
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    };
    Endpoint::ALL.iter().map(names).collect()
});

impl Endpoint {
    /// The names of its parameters; every other one is refused (API7).
    pub fn parameters(self) -> &'static [String] {
        PARAMETERS.get(self as usize).map_or(&[], Vec::as_slice)
    }

    /// The row of a method and a path template below the base.
    pub fn find(method: &str, path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|endpoint| {
            let row = endpoint.row();
            row.method.as_str() == method && row.path == path
        })
    }

    /// The whole path template.
    pub fn full_path(self) -> String {
        format!("{BASE_PATH}{}", self.row().path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_distinct_and_well_formed() {
        let mut seen = HashSet::new();
        for endpoint in Endpoint::ALL {
            let row = endpoint.row();
            assert!(seen.insert((row.method, row.path)), "{} {} twice", row.method.as_str(), row.path);
            assert!(row.path.starts_with('/') && !row.doc.is_empty(), "{}", row.name);
            assert_eq!(Endpoint::find(row.method.as_str(), row.path), Some(*endpoint));
        }
    }

    // API3: whatever answers `items` has pages. Events and the record have cursors of their own.
    #[test]
    fn api3_every_list_has_pages() {
        let mut lists = 0;
        for endpoint in Endpoint::ALL {
            let mut generator = SchemaGenerator::default();
            let Some(answer) = endpoint.shapes(&mut generator).answer else { continue };
            let name = answer.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
            let shape = name.and_then(|name| generator.definitions().get(name));
            let has = |member: &str| shape.is_some_and(|shape| !shape["properties"][member].is_null());
            let takes = |name: &str| endpoint.parameters().iter().any(|known| known == name);
            if has("items") && endpoint.row().method == Method::Get {
                lists += 1;
                let name = endpoint.row().name;
                assert!(has("next_cursor") && takes("limit"), "{name}");
                assert!(*endpoint == Endpoint::EventList || has("total") && takes("cursor"), "{name}");
            }
        }
        assert!(lists > 15, "{lists} lists");
    }

    // SEC3: what needs no token is the closed list of API1.
    #[test]
    fn sec3_open_rows_are_the_listed_ones() {
        let open: Vec<_> = Endpoint::ALL
            .iter()
            .map(|e| e.row())
            .filter(|row| row.right == Right::Open)
            .map(|row| row.path)
            .collect();
        assert_eq!(open, ["/auth/session", "/health", "/schemas", "/schemas/{name}", "/openapi.json"]);
    }
}
