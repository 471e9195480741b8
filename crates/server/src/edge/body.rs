//! Reading a request body (API7, API9, SEC13): strict in type, size, depth, and in what it may say.

mod object;
mod text;

use crate::edge::depth::{self, MAX_JSON_DEPTH};
use crate::edge::pointer;
use crate::edge::visit::Visit;
use crate::edge::words;
use crate::problem::Problem;
use axum::BoxError;
use axum::extract::FromRequest;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::body::Body;
use object::Objects;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_wire::contract::fault::{MAX_FAULTS, faults_of_body};
use tiltyard_wire::endpoint::{Endpoint, MAX_BODY_BYTES};

pub(crate) use text::text_of;

/// All bodies that are held in memory at once, in bytes; beyond it larger ones are told to come back.
pub const MAX_HELD_BYTES: usize = 256 << 20;

/// What every body may hold whatever others do, in bytes, so that heartbeats and settling pass any flood (E7).
pub const FREE_BODY_BYTES: usize = 16 << 10;

/// Reads a JSON body; its endpoint's limit and pace are on it already. The memory it takes counts until it has
/// been parsed.
///
/// # Errors
/// As [`check_media_type`] and [`parse`]; 413 `too_large`, 408 `too_slow`, 400 `malformed` for a body that breaks
/// off, 503 `overloaded` when too many large bodies are held.
pub async fn read<T, B>(request: Request<B>, budget: &Budget) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let (parts, body) = request.into_parts();
    read_from(&parts.headers, body, budget).await
}

/// The same of a request that was taken apart.
///
/// # Errors
/// As [`read`].
pub async fn read_from<T, B>(headers: &HeaderMap, body: B, budget: &Budget) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    parse(&whole(headers, body, budget).await?.0)
}

/// The text of a JSON body, and its share of the memory that all bodies have.
///
/// # Errors
/// As [`read`], but for what the text says.
pub async fn whole<B>(headers: &HeaderMap, body: B, budget: &Budget) -> Result<(Bytes, Share), Refusal>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    check_media_type(headers)?;
    let mut share = Share { budget: budget.clone(), bytes: 0 };
    let json = collect(body, &mut share).await?;
    Ok((json, share))
}

/// Reads a JSON body that may be left out: an empty one is the default.
///
/// # Errors
/// As [`read`].
pub async fn read_optional<T, B>(request: Request<B>, budget: &Budget) -> Result<T, Refusal>
where
    T: DeserializeOwned + Default,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    if request.body().is_end_stream() { Ok(T::default()) } else { read(request, budget).await }
}

/// A JSON body as an argument of an axum handler; see [`read`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out, as an argument of an axum handler; see [`read_optional`].
#[derive(Debug, Clone, Copy, Default)]
pub struct OptionalJson<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, _: &S) -> Result<Self, Problem> {
        let budget = budget_of(&request);
        Ok(Self(read(request, &budget).await?))
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, _: &S) -> Result<Self, Problem> {
        let budget = budget_of(&request);
        Ok(Self(read_optional(request, &budget).await?))
    }
}

fn budget_of<B>(request: &Request<B>) -> Budget {
    request.extensions().get::<Arc<Visit>>().map(|visit| visit.budget.clone()).unwrap_or_default()
}

/// The memory that all bodies share; one for the server.
#[derive(Debug, Clone)]
pub struct Budget {
    held_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(MAX_HELD_BYTES)
    }
}

impl Budget {
    /// `max_bytes` for all bodies together.
    pub fn new(max_bytes: usize) -> Self {
        Self { held_bytes: Arc::default(), max_bytes }
    }

    /// What is held now, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

/// A body's share of the budget; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    /// Grows the share to what a body of `body_bytes` needs.
    fn grow(&mut self, body_bytes: usize) -> Result<(), Refusal> {
        let more = body_bytes.saturating_sub(FREE_BODY_BYTES).saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let held = self.budget.held_bytes.fetch_add(more, Ordering::Relaxed) + more;
        self.bytes += more;
        if held <= self.budget.max_bytes {
            return Ok(());
        }
        Err(Refusal::new(Code::Overloaded, "too many large bodies are being read at once; try again shortly"))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body that came in one piece, as nearly all do, is not copied.
async fn collect<B>(mut body: B, share: &mut Share) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let first = next_data(&mut body).await?.unwrap_or_default();
    share.grow(first.len())?;
    let Some(second) = next_data(&mut body).await? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut part = Some(second);
    while let Some(data) = part {
        share.grow(whole.len() + data.len())?;
        whole.extend_from_slice(&data);
        part = next_data(&mut body).await?;
    }
    Ok(whole.freeze())
}

async fn next_data<B>(body: &mut B) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| refusal_of(error.into()))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The refusal that `edge::intake` put into a body's stream, whatever wraps it by now.
pub fn refusal_of(error: BoxError) -> Refusal {
    let inner = match error.downcast::<axum::Error>() {
        Ok(error) => error.into_inner(),
        Err(error) => error,
    };
    match inner.downcast::<Refusal>() {
        Ok(refusal) => *refusal,
        Err(error) => Refusal::new(Code::Malformed, format!("the body could not be read: {error}")),
    }
}

/// Whether a body says that it is JSON in UTF-8, as it is.
///
/// # Errors
/// 415 `unsupported_media_type` for another type or character set, none, two, or an encoded body.
pub fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |why: &str| {
        let said = format!("{why}; send JSON in UTF-8 with Content-Type: application/json");
        Err(Refusal::new(Code::UnsupportedMediaType, said))
    };
    if is_encoded(headers) {
        return refused("an encoded body is not read here");
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => refused("the Content-Type is missing"),
        (Some(_), Some(_)) => refused("there are two Content-Types"),
        (Some(only), None) if is_json(only.as_bytes()) => Ok(()),
        (Some(_), None) => refused("that Content-Type is not read here"),
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING);
    coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_json(media_type: &[u8]) -> bool {
    // What every program sends; the rest is for those that spell it otherwise.
    media_type == b"application/json"
        || std::str::from_utf8(media_type).is_ok_and(|text| is_in_utf8(text, "application/json"))
}

fn is_in_utf8(media_type: &str, wanted: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let utf8 = |parameter: &str| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(wanted))
        && parts.all(|part| part.is_empty() || utf8(part))
}

/// Reads a JSON text as a request.
///
/// # Errors
/// 400 `bad_json` with `line` and `column`, 422 `too_deep`, 422 `unknown_field` or `invalid` with its field.
pub fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Refusal> {
    if !depth::is_within(json, MAX_JSON_DEPTH) {
        let said = format!("the JSON is nested deeper than {MAX_JSON_DEPTH} levels; flatten it");
        return Err(Refusal::new(Code::TooDeep, said));
    }
    read_objects(json).map_err(|error| explain(json, &error))
}

/// The same for an object whose texts may hold any character.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_verbatim<T: DeserializeOwned>(json: &[u8]) -> Result<T, Refusal> {
    let is_object = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object || !depth::is_within(json, MAX_JSON_DEPTH) {
        return parse(json);
    }
    serde_json::from_slice(json).map_err(|error| explain(json, &error))
}

/// The refusal of a body with everything that its type's schema objects to (API2). What the parser stopped at stays the
/// first; a body beyond the usual size is not read a second time.
pub(crate) fn with_every_fault(endpoint: Endpoint, json: &[u8], refusal: Refusal) -> Refusal {
    let is_data = matches!(refusal.code, Code::Invalid | Code::UnknownField);
    if !is_data || json.len() > MAX_BODY_BYTES {
        return refusal;
    }
    let Ok(body) = serde_json::from_slice(json) else { return refusal };
    let mut faults = faults_of_body(endpoint, &body);
    let Some(own) = refusal.faults.first().cloned() else { return refusal };
    // Where the parser names a whole list or body, the schema may know which part of it is meant.
    let inner = format!("{}/", own.field);
    let is_closer = |fault: &Fault| fault.field.starts_with(&inner);
    match faults.iter().position(is_closer) {
        Some(closer) => faults.swap(0, closer),
        None => {
            faults.retain(|fault| fault.field != own.field);
            faults.insert(0, own);
        }
    }
    faults.truncate(MAX_FAULTS);
    let first = Refusal::fault(refusal.code, faults[0].field.clone(), faults[0].error.clone());
    Refusal { faults, ..first }
}

fn read_objects<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Objects(&mut text))?;
    text.end().map(|()| value)
}

/// What a parser's error means to the caller. A text that is broken further on is broken JSON whatever the parser
/// stopped at, so that the same body always gets the same code.
fn explain(json: &[u8], error: &serde_json::Error) -> Refusal {
    match serde_json::from_slice::<IgnoredAny>(json) {
        Err(broken) => bad_json(json, &broken),
        Ok(_) if error.is_data() => bad_field(json, error),
        Ok(_) => bad_json(json, error),
    }
}

fn bad_json(json: &[u8], error: &serde_json::Error) -> Refusal {
    let what = if json.is_empty() { "the body is empty".to_owned() } else { sentence(error) };
    let (line, column) = (error.line(), error.column());
    let said = format!("the body is not JSON: {what} at line {line} column {column}");
    Refusal::new(Code::BadJson, said).with("line", line).with("column", column)
}

fn bad_field(json: &[u8], error: &serde_json::Error) -> Refusal {
    let (said, offset) = (sentence(error), pointer::offset_of(json, error.line(), error.column()));
    let told = words::of(&said);
    let quoted = |prefix: &str| said.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    if let Some(name) = quoted("missing field `") {
        // The parser stands behind the object that lacks it.
        let object = pointer::container_at(json, offset.saturating_sub(1));
        return Refusal::field(format!("{object}/{name}"), told);
    }
    if said.ends_with(object::EXPECTED) {
        // The parser stands inside of the array, or behind an empty one.
        let behind = json.get(offset.saturating_sub(1)) == Some(&b']');
        let array = if behind { pointer::at(json, offset) } else { pointer::container_at(json, offset) };
        return Refusal::fault(Code::Invalid, array, said);
    }
    let code = if quoted("unknown field `").is_some() { Code::UnknownField } else { Code::Invalid };
    Refusal::fault(code, pointer::at(json, offset), told)
}

/// The parser's words without their place, which has members of its own.
fn sentence(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rfind(" at line ").map_or(said.clone(), |end| said[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Batch {
        #[serde(default)]
        tasks: Vec<Task>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what is wrong with it is looked at")]
    struct Task {
        title: String,
        #[serde(default)]
        priority: u8,
    }

    fn refused(json: &str) -> (Code, String) {
        let refusal = parse::<Batch>(json.as_bytes()).map(|batch| batch.tasks.len()).unwrap_err();
        let field = refusal.faults.first().map_or(String::new(), |fault| fault.field.clone());
        (refusal.code, field)
    }

    #[test]
    fn api7_an_unknown_field_is_named_with_its_place() {
        assert_eq!(refused(r#"{"taskz":[]}"#), (Code::UnknownField, "/taskz".into()));
        let second = "{\"tasks\":[{\"title\":\"a\"},\n {\"title\":\"b\",\"prio\" : 1}]}";
        assert_eq!(refused(second), (Code::UnknownField, "/tasks/1/prio".into()));
    }

    #[test]
    fn api2_a_wrong_value_is_named_with_its_place() {
        assert_eq!(
            refused(r#"{"tasks":[{"title":"a","priority":"x"}]}"#),
            (Code::Invalid, "/tasks/0/priority".into())
        );
        assert_eq!(
            refused(r#"{"tasks":[{"title":"a","priority": 256 }]}"#),
            (Code::Invalid, "/tasks/0/priority".into())
        );
        assert_eq!(refused(r#"{"tasks":[{"title":{}}]}"#), (Code::Invalid, "/tasks/0/title".into()));
        assert_eq!(refused(r#"{"tasks":[{"title":"a"},{}]}"#), (Code::Invalid, "/tasks/1/title".into()));
        assert_eq!(refused(r#"{"tasks":[{"priority":1 }]}"#), (Code::Invalid, "/tasks/0/title".into()));
        assert_eq!(refused(r#""text""#), (Code::Invalid, String::new()));
    }

    // API7: an array is no object with its fields in their order, at the top and below.
    #[test]
    fn api7_an_array_is_no_object() {
        assert_eq!(refused(r#"[[{"title":"a"}]]"#), (Code::Invalid, String::new()));
        assert_eq!(refused("[]"), (Code::Invalid, String::new()));
        assert_eq!(refused(r#"{"tasks":[{"title":"a"},["b",1]]}"#), (Code::Invalid, "/tasks/1".into()));
        assert_eq!(refused(r#"{"tasks":[[]]}"#), (Code::Invalid, "/tasks/0".into()));
        let said = parse::<Batch>(b" [1]").map(drop).unwrap_err().message;
        assert!(said.contains("expected an object"), "{said}");
        assert!(parse::<Batch>(br#"{"tasks":[{"title":"a","priority":3}]}"#).is_ok());
    }

    #[test]
    fn api2_broken_json_says_line_and_column() {
        let refusal = parse::<Batch>(b"{\"tasks\":\n [1,]}").unwrap_err();
        assert_eq!((refusal.code, &refusal.extra["line"]), (Code::BadJson, &2.into()));
        assert!(refusal.extra["column"].as_u64().is_some_and(|column| column > 1), "{refusal:?}");
        for broken in ["", "{", "{\"tasks\":[]} x", "\u{feff}{}", "{\"wrong\":1,", "nul"] {
            assert_eq!(refused(broken).0, Code::BadJson, "{broken}");
        }
        assert_eq!(parse::<Batch>(b"{\"tasks\":\"\xff\"}").unwrap_err().code, Code::BadJson);
    }

    #[test]
    fn sec13_deep_json_is_refused_before_it_is_built() {
        let deep = format!("{{\"tasks\":{}{}}}", "[".repeat(64), "]".repeat(64));
        assert_eq!(refused(&deep).0, Code::TooDeep);
    }

    #[test]
    fn api2_only_json_in_utf8_is_read() {
        let verdict = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            check_media_type(&headers).map_err(|refusal| refusal.code)
        };
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        let other =
            ["text/plain", "application/json; charset=latin1", "application/jsonx", "", "application/json;x"];
        for bad in other {
            assert_eq!(verdict(bad), Err(Code::UnsupportedMediaType), "{bad}");
        }
        assert_eq!(check_media_type(&HeaderMap::new()).unwrap_err().code, Code::UnsupportedMediaType);
        let mut encoded = HeaderMap::new();
        encoded.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        encoded.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(check_media_type(&encoded).unwrap_err().code, Code::UnsupportedMediaType);
    }

    #[tokio::test]
    async fn e7_large_bodies_share_a_budget_and_small_ones_need_none() {
        let budget = Budget::new(100_000);
        let post = async |bytes: usize| {
            let mut share = Share { budget: budget.clone(), bytes: 0 };
            let body = collect(Full::from(vec![b' '; bytes]), &mut share).await;
            body.map(|body| (body.len(), share)).map_err(|refusal| refusal.code)
        };
        let first = post(FREE_BODY_BYTES + 90_000).await.unwrap();
        assert_eq!(post(FREE_BODY_BYTES + 20_000).await.err(), Some(Code::Overloaded));
        assert_eq!(post(FREE_BODY_BYTES).await.unwrap().0, FREE_BODY_BYTES);
        drop(first);
        assert!(post(FREE_BODY_BYTES + 20_000).await.is_ok());
        assert_eq!(budget.held_bytes(), 0, "everything is given back");
    }
}
