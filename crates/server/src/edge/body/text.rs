//! Bodies that are texts: definitions of pipelines.

use super::{Budget, Share, collect, is_encoded, is_in_utf8};
use axum::BoxError;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use hyper::body::Body;
use tiltyard_model::refusal::{Code, Refusal};

/// A body that is a text of one of these media types, whatever stands in it.
///
/// # Errors
/// 415 `unsupported_media_type`; 400 `malformed` for what is no UTF-8; else as [`super::read`].
pub(crate) async fn text_of<B>(
    headers: &HeaderMap,
    body: B,
    budget: &Budget,
    types: &[&str],
) -> Result<String, Refusal>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    check_text_type(headers, types)?;
    let mut share = Share { budget: budget.clone(), bytes: 0 };
    let text = collect(body, &mut share).await?;
    let said = |error| Refusal::new(Code::Malformed, format!("the body is no text in UTF-8: {error}"));
    String::from_utf8(text.into()).map_err(said)
}

/// Whether a body says that it is a text in UTF-8 of one of these types, as it is.
fn check_text_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Refusal> {
    let mut said = headers.get_all(CONTENT_TYPE).iter();
    let one = said.next().filter(|_| said.next().is_none()).and_then(|value| value.to_str().ok());
    let fits = |value: &str| types.iter().any(|known| is_in_utf8(value, known));
    if !is_encoded(headers) && one.is_some_and(fits) {
        return Ok(());
    }
    let text = format!("send a text in UTF-8, as it is, with one Content-Type of {}", types.join(", "));
    Err(Refusal::new(Code::UnsupportedMediaType, text))
}
