//! What came back: a short body in memory, a longer one in a file, never more than may be.

use super::header::told;
use super::root_cause;
use http::header::CONTENT_TYPE;
use reqwest::Response;
use tiltyard_engine::blob::{BlobError, Blobs, Writer};
use tiltyard_engine::outgoing::{Answer, Body, CallError, MAX_HTTP_BODY_BYTES, MAX_SHORT_BODY_BYTES};
use tokio::task::spawn_blocking;

/// Bytes that are written together.
const PIECE_BYTES: usize = 256 * 1024;

/// Reads an answer to its end.
pub(super) async fn read(called: String, response: Response, blobs: &Blobs) -> Result<Answer, CallError> {
    let (status, headers) = (response.status().as_u16(), told(response.headers()));
    let media_type = response.headers().get(CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    if response.content_length().is_some_and(|length| length > MAX_HTTP_BODY_BYTES) {
        return Err(too_large(&called));
    }
    let body = body(&called, response, blobs).await?;
    Ok(Answer { called, status, headers, media_type, body })
}

async fn body(called: &str, mut response: Response, blobs: &Blobs) -> Result<Body, CallError> {
    let (mut held, mut writer) = (Vec::new(), None);
    loop {
        let piece = response.chunk().await;
        let piece = piece.map_err(|error| {
            CallError::passing(format!("{called} broke its answer off: {}", root_cause(&error)))
        })?;
        let Some(piece) = piece else { break };
        held.extend_from_slice(&piece);
        let room = if writer.is_some() { PIECE_BYTES } else { MAX_SHORT_BODY_BYTES };
        if held.len() > room {
            let begun = match writer.take() {
                Some(writer) => writer,
                None => begin(blobs).await?,
            };
            writer = Some(write(called, begun, std::mem::take(&mut held)).await?);
        }
    }
    let Some(writer) = writer else { return Ok(Body::Short(held)) };
    let writer = write(called, writer, held).await?;
    apart(called, move || writer.finish(None)).await.map(Body::Stored)
}

async fn begin(blobs: &Blobs) -> Result<Writer, CallError> {
    let blobs = blobs.clone();
    apart("", move || Ok(blobs.writer(MAX_HTTP_BODY_BYTES)?)).await
}

async fn write(called: &str, mut writer: Writer, piece: Vec<u8>) -> Result<Writer, CallError> {
    apart(called, move || writer.write(&piece).map(|()| writer)).await
}

/// Work on the disk, off the asynchronous threads.
async fn apart<T: Send + 'static>(
    called: &str,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, CallError> {
    let done = spawn_blocking(work).await;
    let done = done.map_err(|error| CallError::passing(format!("the answer cannot be stored: {error}")))?;
    done.map_err(|error| match error {
        BlobError::TooLarge { .. } => too_large(called),
        other => CallError::passing(format!("the answer cannot be stored: {other}")),
    })
}

fn too_large(called: &str) -> CallError {
    CallError::lasting(format!(
        "{called} answered with more than {MAX_HTTP_BODY_BYTES} bytes: ask for less at a time"
    ))
}
