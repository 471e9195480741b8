//! The agent protocol over a WebSocket (C2).

use crate::ask::Ask;
use crate::reply::Answer;
use tiltyard_model::refusal::{Code, Refusal};

/// `GET /agents/connect`.
pub(crate) async fn connect(_: Ask) -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}

/// `GET /agents/{name}/violations`.
pub(crate) async fn violations(_: Ask) -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}

/// `GET /agents/{name}/disconnects`.
pub(crate) async fn disconnects(_: Ask) -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}
