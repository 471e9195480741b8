//! Followers of the event log, by server-sent events and by WebSocket (API20, API21).

use crate::ask::Ask;
use crate::reply::Answer;
use tiltyard_model::refusal::{Code, Refusal};

/// `GET /events/stream`.
pub(crate) async fn stream(_: Ask) -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}

/// `GET /events/ws`.
pub(crate) async fn socket(_: Ask) -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}
