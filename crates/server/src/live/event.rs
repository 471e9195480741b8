//! Followers of the event log, by server-sent events and by WebSocket (API20, API21): the same events as page by page.

mod reader;
mod subscription;

use crate::ask::Ask;
use crate::edge::query;
use crate::live::sse::{self, MAX_PIECE_BYTES, Tell};
use crate::reply::Answer;
use crate::route::event::filter;
use crate::view;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
pub(crate) use reader::socket;
use std::sync::Arc;
use tiltyard_engine::event::{Event, Follower, Slow, Start, Step};
use tiltyard_model::event::cursor::Cursor;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::event::Query;

/// What an event source says when it comes back: the last id that it was told.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /events/stream`.
pub(crate) async fn stream(ask: Ask) -> Answer {
    let asked: Query = query::read_beside_token(&ask.parts.uri)?;
    let filters = vec![filter(&ask.caller, &asked)?];
    let start = start(last_id(&ask.parts.headers)?.or(asked.after.as_deref()))?;
    let leash = ask.app.live.leash(&ask.caller);
    // A cursor that cannot be followed is refused here, before the stream begins.
    let follower = ask.app.engine.follow(start, filters, Slow::CatchUp).await?;
    let first = sse::opening(follower.cursor());
    let teller = Teller { follower, source: Arc::clone(&ask.app.source) };
    Ok(sse::response(first, teller, leash))
}

fn last_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(id) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    let said = "Last-Event-ID: send the last `id:` of the stream, as it was";
    id.to_str().map(Some).map_err(|_| Refusal::new(Code::BadParameter, said))
}

/// Where a follower begins: now, where it does not say.
fn start(after: Option<&str>) -> Result<Start, Refusal> {
    Ok(after.map(Cursor::parse).transpose()?.map_or(Start::Now, Start::After))
}

/// Tells events as messages.
struct Teller {
    follower: Follower,
    source: Arc<str>,
}

impl Tell for Teller {
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(view::event::ROOM_BYTES);
        match self.follower.next().await {
            Ok(Step::Event(event)) => write(&mut out, &event, &self.source),
            Ok(Step::Lagged(_)) => return None,
            Err(refusal) => {
                // It comes back with the last id it has, and is told then.
                tracing::warn!(target: "events", "a stream ends, its reader is to come back: {refusal}");
                return None;
            }
        }
        while out.len() < MAX_PIECE_BYTES
            && let Some(event) = self.follower.held()
        {
            write(&mut out, &event, &self.source);
        }
        Some(out.into())
    }
}

fn write(out: &mut Vec<u8>, event: &Event, source: &str) {
    sse::begin(out, &view::event::id(event));
    out.extend_from_slice(b"data: ");
    view::event::write(out, event, source);
    out.push(b'\n');
    sse::end(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api20_a_stream_without_a_cursor_begins_now() {
        assert_eq!(start(None).unwrap(), Start::Now);
        assert_eq!(start(Some("0")).unwrap(), Start::After(Cursor::Oldest));
        assert_eq!(start(Some("1-7")).unwrap(), Start::After(Cursor::At { epoch: 1, seq: 7 }));
        assert_eq!(start(Some("last")).unwrap_err().code, Code::BadParameter);
    }
}
