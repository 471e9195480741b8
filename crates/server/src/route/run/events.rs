//! `GET /runs/{id}/events.jsonl` (D25): read from the log and not from the file, so that each server says the same.

use crate::ask::Ask;
use crate::live::run_file;
use crate::reply::Answer;
use crate::view::event;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;
use tiltyard_engine::Engine;
use tiltyard_engine::event::{self as log};
use tiltyard_engine::run::read as runs;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;

/// The media type of lines of JSON.
const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Events that are read together.
const EVENTS_AT_ONCE: usize = 200;

/// The events of a run up to where the log ends now.
pub(crate) async fn events(ask: Ask) -> Answer {
    let run = ask.id(Noun::Run)?;
    let upto = ask.read(move |rows, caller| {
        runs::find(rows, caller, run)?;
        log::last(rows)
    });
    let upto = upto.await?;
    run_file::ask_for(&ask.app.run_files, run);
    let lines =
        Lines { engine: Arc::clone(&ask.app.engine), source: Arc::clone(&ask.app.source), run, seq: 0, upto };
    let mut response = Response::new(Body::from_stream(stream::try_unfold(lines, Lines::next)));
    response.headers_mut().insert(CONTENT_TYPE, JSON_LINES);
    Ok(response)
}

/// Events on their way out.
struct Lines {
    engine: Arc<Engine>,
    source: Arc<str>,
    run: Id,
    seq: i64,
    upto: i64,
}

impl Lines {
    /// The next lines; `None` after the last. A fault in the middle breaks the answer off, so that nobody takes it for
    /// whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Refusal> {
        let (run, between) = (self.run, (self.seq, self.upto));
        let events = self.engine.read(move |rows| log::of_run(rows, run, between, EVENTS_AT_ONCE)).await?;
        let Some(last) = events.last() else { return Ok(None) };
        self.seq = last.seq;
        let mut lines = Vec::with_capacity(events.len() * event::ROOM_BYTES);
        for event in &events {
            event::write_line(&mut lines, event, &self.source);
        }
        Ok(Some((lines.into(), self)))
    }
}
