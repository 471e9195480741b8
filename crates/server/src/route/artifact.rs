//! Artifacts: bytes under their digest, streamed both ways.

use crate::ask::Ask;
use crate::download::{Part, body_of, part, whole_of};
use crate::edge::body::refusal_of as refusal_of_body;
use crate::edge::intake::Intake;
use crate::reply::{Answer, Reply};
use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::artifact::{self as artifacts, Artifact, Post, Put, sweep};
use tiltyard_engine::blob::{BlobError, Kept, Reader, Writer};
use tiltyard_engine::readers::Rows;
use tiltyard_engine::{Act, Engine, Urgency};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_wire::artifact as wire;
use tiltyard_wire::endpoint::BASE_PATH;
use tokio::task::spawn_blocking;

/// Bytes that are written together.
const PIECE_BYTES: usize = 256 * 1024;
/// Hex digits of a SHA-256.
const SHA256_HEX_CHARS: usize = 64;

/// `PUT /artifacts/sha256/{hex}`.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let asked: wire::PutQuery = ask.query()?;
    let sha256 = digest(&ask)?;
    let (task, generation) = attempt(&asked)?;
    let media_type = media_type(&ask);
    // Asked before the bytes are taken, so that nobody sends them in vain.
    let (demanded, wanted) = (ask.precondition(), sha256.clone());
    let may = move |act: &mut Act<'_>| {
        artifacts::may_write(act, task, generation)?;
        let there = || artifacts::by_digest(act.tx, &act.pass.caller, &wanted).ok();
        demanded.check_tag(|| there().and_then(|stored| tag(&stored)))
    };
    ask.app.engine.enter(ask.pass(), Urgency::Urgent, may).await?;
    if let Some(output) = asked.output.clone() {
        ask.read(move |rows, caller| artifacts::declares(rows, caller, task, &output)).await?;
    }
    let writer = ask.app.engine.blobs().writer(ask.app.artifact_bytes).map_err(refusal_of)?;
    let body = ask.take_body()?;
    let kept = keep(&ask.app.engine, body, writer, Some(sha256.clone())).await?;
    let put = Put { task, generation, kept, media_type, name: asked.name, output: asked.output };
    // The bytes are held until the row that names them is on disk: what is handed out of the door is.
    let deed = move |act: &mut Act<'_>| artifacts::put(act, &put).map(|stored| (stored, put));
    let answer = ask.act(Urgency::Urgent, deed, |(stored, _put)| shown(stored)).await;
    unless_named(&ask, &sha256, answer).await
}

/// `POST /artifacts`.
pub(crate) async fn post(mut ask: Ask) -> Answer {
    let asked: wire::PostQuery = ask.query()?;
    let (scope, media_type) = (ask.scope(asked.scope.as_deref())?, media_type(&ask));
    // Asked before the bytes are taken, so that nobody sends them in vain.
    let named = scope.clone();
    let may = move |act: &mut Act<'_>| act.scope_key(&named).map(drop);
    ask.app.engine.enter(ask.pass(), Urgency::Normal, may).await?;
    let writer = ask.app.engine.blobs().writer(ask.app.artifact_bytes).map_err(refusal_of)?;
    let body = ask.take_body()?;
    let kept = keep(&ask.app.engine, body, writer, None).await?;
    let sha256 = kept.sha256.clone();
    let post = Post { scope, kept, media_type, name: asked.name };
    let answer = match ask.brought(&sha256) {
        Ok(()) => {
            // As above: held until its row is on disk.
            let deed = move |act: &mut Act<'_>| artifacts::post(act, &post).map(|stored| (stored, post));
            ask.act(Urgency::Normal, deed, |(stored, _post)| shown(stored)).await
        }
        Err(refusal) => {
            drop(post);
            Err(refusal)
        }
    };
    unless_named(&ask, &sha256, answer).await
}

fn media_type(ask: &Ask) -> Option<String> {
    ask.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn shown(stored: Artifact) -> Reply {
    let at = format!("{BASE_PATH}/artifacts/{}", stored.id);
    Reply::json(StatusCode::CREATED, &view(stored)).at(at)
}

/// Bytes whose row was refused go, unless another row names them.
async fn unless_named(ask: &Ask, sha256: &str, answer: Answer) -> Answer {
    if answer.is_err()
        && let Err(refusal) = sweep(&ask.app.engine, sha256).await
    {
        // The service comes by here too.
        tracing::warn!(target: "store", "bytes that nothing names stay for now: {refusal}");
    }
    answer
}

/// The entity tag of stored bytes is their digest.
fn tag(stored: &Artifact) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{}\"", stored.sha256)).ok()
}

fn digest(ask: &Ask) -> Result<String, Refusal> {
    let hex = ask.place("hex");
    let is_digest = hex.len() == SHA256_HEX_CHARS && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let said = "the path must end with the SHA-256 of the bytes: 64 hexadecimal digits";
    if is_digest { Ok(hex.to_ascii_lowercase()) } else { Err(Refusal::new(Code::BadParameter, said)) }
}

fn attempt(asked: &wire::PutQuery) -> Result<(Id, i64), Refusal> {
    let said = "`task` and `generation`: say which running attempt stores the bytes";
    let task = asked.task.filter(|task| task.noun() == Noun::Task);
    task.zip(asked.generation).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

/// Writes what comes, and puts it in its place when it is what was announced.
async fn keep(
    engine: &Engine,
    mut body: Intake<Incoming>,
    mut writer: Writer,
    sha256: Option<String>,
) -> Result<Kept, Refusal> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refusal_of_body(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        piece.extend_from_slice(&data);
        if piece.len() >= PIECE_BYTES {
            writer = write(writer, std::mem::take(&mut piece)).await?;
        }
    }
    let writer = write(writer, piece).await?;
    let kept = apart(move || writer.finish(sha256.as_deref())).await?;
    // What lay there under this digest has been replaced.
    engine.found_whole(&kept.sha256);
    Ok(kept)
}

async fn write(mut writer: Writer, piece: Vec<u8>) -> Result<Writer, Refusal> {
    apart(move || writer.write(&piece).map(|()| writer)).await
}

/// Work on the disk, off the asynchronous threads.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?.map_err(|error| match error {
        BlobError::TooLarge { limit } => crate::edge::intake::too_large(limit),
        BlobError::Digest { found } => {
            let said =
                format!("the bytes have the digest {found}, not the one of the path: send them again, whole");
            Refusal::new(Code::DigestMismatch, said).with("sha256", found)
        }
        BlobError::Store(error) => refusal_of(error),
    })
}

fn view(stored: Artifact) -> wire::View {
    wire::View {
        id: stored.id,
        sha256: stored.sha256,
        size: stored.size,
        media_type: stored.media_type,
        name: stored.name,
        output: stored.output,
    }
}

/// `GET /artifacts/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Artifact)?;
    let asked: wire::GetQuery = ask.query()?;
    let find = move |rows: &Rows, caller: &Caller| match asked.task {
        Some(task) => artifacts::get_for(rows, caller, id, task),
        None => artifacts::get(rows, caller, id),
    };
    let stored = ask.read(find).await?;
    send(&ask, &stored).await
}

/// The bytes of an artifact, or the part that is asked for.
///
/// # Errors
/// 416 for a part that it does not have; 404 when its bytes are gone.
pub(crate) async fn send(ask: &Ask, stored: &Artifact) -> Answer {
    let (blobs, sha256) = (ask.app.engine.blobs().clone(), stored.sha256.clone());
    let opened = apart(move || Ok(blobs.open_read(&sha256)?)).await?;
    let (reader, size) = opened.ok_or_else(|| Refusal::missing("artifact", stored.id))?;
    let tag = tag(stored).ok_or_else(no_header)?;
    let headers = &ask.parts.headers;
    if crate::reply::names(headers, &IF_NONE_MATCH, &tag) {
        return Ok(unchanged(tag));
    }
    let mut response = match part(wanted(headers, &tag), size) {
        Part::Outside => {
            let said = format!("the artifact has {size} bytes, and no such part of them");
            return Err(Refusal::new(Code::RangeNotSatisfiable, said).with("size", size));
        }
        Part::Whole => whole(whole_of(reader, size, &stored.sha256, &ask.app.engine), size),
        Part::Range(first, last) => some(reader, (first, last), size)?,
    };
    describe(response.headers_mut(), stored, tag)?;
    Ok(response)
}

/// The range that is asked for, unless the caller has another version of the thing.
fn wanted<'a>(headers: &'a HeaderMap, tag: &HeaderValue) -> Option<&'a str> {
    let same = headers.get(IF_RANGE).is_none_or(|known| known == tag);
    headers.get(RANGE).filter(|_| same)?.to_str().ok()
}

fn unchanged(tag: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(ETAG, tag);
    response
}

fn whole(body: Body, size: u64) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    response
}

fn some(reader: Reader, (first, last): (u64, u64), size: u64) -> Answer {
    let length = last - first + 1;
    let mut response = Response::new(body_of(reader, first, length));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let range = HeaderValue::try_from(format!("bytes {first}-{last}/{size}")).map_err(|_| no_header())?;
    response.headers_mut().insert(CONTENT_RANGE, range);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// What it is, and that it is to be saved and not shown: its bytes are a stranger's (SEC12).
fn describe(headers: &mut HeaderMap, stored: &Artifact, tag: HeaderValue) -> Result<(), Refusal> {
    let name = stored.name.as_deref().unwrap_or(&stored.sha256);
    let disposition = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, HeaderValue::try_from(&stored.media_type).unwrap_or(plain));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(|_| no_header())?);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, tag);
    Ok(())
}

fn no_header() -> Refusal {
    Refusal::new(Code::Internal, "what is known of the artifact does not fit a header")
}
