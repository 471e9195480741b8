//! The contract: the document of the API and its schemas, as this program has them.

use crate::ask::Ask;
use crate::reply::{Answer, Reply};
use std::sync::LazyLock;
use tiltyard_model::refusal::Refusal;
use tiltyard_wire::contract;

/// The schemas by name.
static SCHEMAS: LazyLock<serde_json::Map<String, serde_json::Value>> = LazyLock::new(contract::schemas);
/// The document.
static OPENAPI: LazyLock<serde_json::Value> = LazyLock::new(contract::openapi);

/// `GET /schemas`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let names: Vec<&String> = SCHEMAS.keys().collect();
    Ok(Reply::ok(&names).one().unless_known(&ask.parts.headers))
}

/// `GET /schemas/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let name = ask.place("name");
    let found = SCHEMAS
        .get(name)
        .ok_or_else(|| Refusal::missing("schema", name.chars().take(64).collect::<String>()))?;
    Ok(Reply::ok(found).one().unless_known(&ask.parts.headers))
}

/// `GET /openapi.json`.
pub(crate) async fn openapi(ask: Ask) -> Answer {
    Ok(Reply::ok(&*OPENAPI).one().unless_known(&ask.parts.headers))
}
