//! The log of an attempt: read as text, added to by whoever holds its lease.

use crate::app::App;
use crate::ask::Ask;
use crate::edge::query;
use crate::live;
use crate::reply::{Answer, Reply};
use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use std::sync::Arc;
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::log::{LogError, Logs, Promise};
use tiltyard_engine::task::list as lists;
use tiltyard_engine::{Act, Pass, Urgency, artifact};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::task::LogQuery;
use tiltyard_wire::task::work as wire;
use tokio::task::spawn_blocking;

/// Bytes of a log that are read together.
const PIECE_BYTES: usize = 256 * 1024;

/// Which log is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The key of the task.
    pub(crate) task: i64,
    /// The attempt.
    pub(crate) generation: i64,
}

/// `GET /tasks/{id}/log`. Followed, it is told by `live/log.rs`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let asked: LogQuery = query::read_beside_token(&ask.parts.uri)?;
    if asked.follow == Some(true) {
        return live::log::follow(ask, &asked).await;
    }
    let place = place(&ask, &asked).await?;
    let logs = ask.app.engine.logs().clone();
    let mut response = Response::new(text(logs, place, asked.offset.unwrap_or(0)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The log that is meant: of the attempt that is named, or of the last one.
///
/// # Errors
/// 404 for a task that the caller does not see, or an attempt that it never had.
pub(crate) async fn place(ask: &Ask, asked: &LogQuery) -> Result<Place, Refusal> {
    let id = ask.id(Noun::Task)?;
    let found = ask.read(move |rows, caller| lists::get(rows, caller, id)).await?;
    let last = found.task.generation;
    let generation = asked.generation.unwrap_or(last);
    if generation < 0 || generation > last {
        return Err(Refusal::missing("attempt", format!("{generation} of {id}")));
    }
    Ok(Place { task: found.key, generation })
}

/// What the log holds from `offset` on, up to where it ends when it is reached.
fn text(logs: Logs, place: Place, offset: u64) -> Body {
    Body::from_stream(stream::try_unfold((logs, offset), move |(logs, offset)| async move {
        let piece = read(&logs, place, offset, PIECE_BYTES).await?;
        let next = offset + piece.len() as u64;
        Ok::<_, Refusal>((!piece.is_empty()).then_some((piece, (logs, next))))
    }))
}

/// A piece of a log, of at most `limit` bytes; empty at its end.
///
/// # Errors
/// When the disk is broken.
pub(crate) async fn read(logs: &Logs, place: Place, offset: u64, limit: usize) -> Result<Vec<u8>, Refusal> {
    let logs = logs.clone();
    let read = spawn_blocking(move || logs.read(place.task, place.generation, offset, limit)).await;
    read.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?.map_err(refusal_of)
}

/// `POST /tasks/{id}/log`.
pub(crate) async fn append(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let asked: wire::Log = ask.verbatim_body().await?;
    let addition = Addition { id, generation: asked.generation, offset: asked.offset, text: asked.text };
    let offset = add(&ask.app, ask.pass(), addition, Promise::Kept).await?;
    Ok(Reply::ok(&wire::LogAnswer { offset }).into_response())
}

/// Text for a log.
#[derive(Debug)]
pub(crate) struct Addition {
    /// The task.
    pub(crate) id: Id,
    /// The attempt.
    pub(crate) generation: i64,
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// What to add.
    pub(crate) text: String,
}

/// Adds to the log of a running attempt; says how long it is then, in bytes, all of it as safe as was promised.
///
/// # Errors
/// 404; 409 `stale_generation`; 416 for text that begins beyond the end; 413 for a log that would be too long.
pub(crate) async fn add(
    app: &Arc<App>,
    pass: Pass,
    addition: Addition,
    promise: Promise,
) -> Result<u64, Refusal> {
    let Addition { id, generation, offset, text } = addition;
    let may = move |act: &mut Act<'_>| artifact::may_write(act, id, generation).map(|lease| lease.task);
    let task = app.engine.enter(pass, Urgency::Urgent, may).await?;
    let logs = app.engine.logs().clone();
    let append = move || logs.append_as((task, generation), offset, text.as_bytes(), promise);
    let added = spawn_blocking(append).await;
    let added = added.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    let bytes = added.map_err(refused)?;
    app.live.growth.tell(Place { task, generation }, bytes);
    Ok(bytes)
}

/// Makes safe what was only promised of a log: before its attempt's end is put on record.
///
/// # Errors
/// 503 when the bucket does not answer.
pub(crate) async fn flush(app: &Arc<App>, task: i64, generation: i64) -> Result<(), Refusal> {
    let logs = app.engine.logs().clone();
    if !logs.gathers() {
        return Ok(());
    }
    let flushed = spawn_blocking(move || logs.flush(task, generation)).await;
    flushed.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?.map_err(refusal_of)
}

fn refused(error: LogError) -> Refusal {
    match error {
        LogError::Gap { length } => {
            let said = format!("the log has {length} bytes: send what follows them first");
            Refusal::new(Code::RangeNotSatisfiable, said).with("offset", length)
        }
        LogError::TooLong { limit } => {
            let said = format!(
                "a log has at most {limit} bytes: keep its head and its tail, and put the rest into artifacts"
            );
            Refusal::new(Code::TooLarge, said).with("max_bytes", limit)
        }
        LogError::Store(error) => refusal_of(error),
    }
}
