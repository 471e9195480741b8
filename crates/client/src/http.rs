//! Typed calls: a row of the table in, its answer or the server's problem out.

use crate::connection::{Address, CONNECT_TIMEOUT, Destination, READ_TIMEOUT, tls};
use crate::error::{Error, Refused, root_cause};
use crate::request::{Body, Request};
use crate::retry::pause;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use rustls::ClientConfig;
use std::sync::Arc;
use tiltyard_wire::endpoint::{Call, Form};
use tiltyard_wire::problem::{PROBLEM_MEDIA_TYPE, Problem};

/// Largest JSON answer in bytes; above what the server sends of its own accord.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A caller of one server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) address: Address,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.address.url).finish_non_exhaustive()
    }
}

/// An answer with what its head says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered<T> {
    /// The HTTP status: 201 made, 200 was there already.
    pub status: u16,
    /// The request's id, for looking it up in logs and events.
    pub request_id: Option<String>,
    /// The answer.
    pub value: T,
}

/// An answer that is read piece by piece.
#[derive(Debug)]
pub struct Download {
    response: Response,
    url: String,
}

impl Client {
    /// A caller of that server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::BadAddress`] when address, token or certificates cannot be used.
    pub fn new(destination: &Destination) -> Result<Self, Error> {
        let address = Address::read(&destination.url)?;
        let bad = |reason: &str| Error::BadAddress { url: address.url.clone(), reason: reason.to_owned() };
        let tls = tls(destination, &address)?;
        // No redirects: a token is for one server only. No proxies: the server is ours, mostly on this machine.
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(if destination.program.is_empty() { "tiltyard" } else { &destination.program })
            .build()
            .map_err(|error| bad(&root_cause(&error)))?;
        let authorization = destination.token.as_ref().map(|token| {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let authorization =
            authorization.transpose().map_err(|_| bad("its token holds characters that no token has"))?;
        Ok(Self { http, address, authorization, tls })
    }

    /// Where it calls.
    pub fn url(&self) -> &str {
        &self.address.url
    }

    /// Makes a call and gives its answer.
    ///
    /// # Errors
    /// See [`Error`]; a refusal carries the server's problem document.
    pub async fn call<C: Call>(&self, request: Request<C>) -> Result<C::Answer, Error> {
        Ok(self.exchange(request).await?.value)
    }

    /// Makes a call and gives its answer with status and request id.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn exchange<C: Call>(&self, request: Request<C>) -> Result<Answered<C::Answer>, Error> {
        let response = self.send(&request).await?;
        let status = response.status().as_u16();
        let request_id = header(&response, &REQUEST_ID);
        let form = C::ENDPOINT.row().answer;
        let body = self.whole(response).await?;
        let bytes: &[u8] = if form == Form::Json { &body } else { b"null" };
        let value =
            serde_json::from_slice(bytes).map_err(|error| self.unreadable(status, &error.to_string()))?;
        Ok(Answered { status, request_id, value })
    }

    /// Makes a call whose answer is text, and gives it whole.
    ///
    /// # Errors
    /// As [`Client::call`]; also when the text is larger than [`MAX_ANSWER_BYTES`] or no UTF-8.
    pub async fn text<C: Call>(&self, request: Request<C>) -> Result<String, Error> {
        let response = self.send(&request).await?;
        let status = response.status().as_u16();
        let body = self.whole(response).await?;
        String::from_utf8(body).map_err(|error| self.unreadable(status, &error.to_string()))
    }

    /// Makes a call whose answer is long, and gives it piece by piece.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn download<C: Call>(&self, request: Request<C>) -> Result<Download, Error> {
        let response = self.send(&request).await?;
        Ok(Download { response, url: self.address.url.clone() })
    }

    /// Sends a request, again where that helps and does no harm, until an answer of success comes.
    pub(crate) async fn send<C: Call>(&self, request: &Request<C>) -> Result<Response, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.send_once(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let Some(pause) = pause(&error, request.repeat, tries) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn send_once<C: Call>(&self, request: &Request<C>) -> Result<Response, Error> {
        let built = self.build(request).await?;
        let response = built.send().await.map_err(|error| self.broken(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn build<C: Call>(&self, request: &Request<C>) -> Result<RequestBuilder, Error> {
        let row = C::ENDPOINT.row();
        let method =
            http::Method::from_bytes(row.method.as_str().as_bytes()).expect("the table has known methods");
        let mut built = self.http.request(method, format!("{}{}", self.address.url, request.path()));
        built = built.query(&request.query).header(ACCEPT, accepted(row.answer));
        let optional = [(REQUEST_ID, &request.request_id), (IDEMPOTENCY_KEY, &request.idempotency_key)];
        for (name, value) in optional {
            built = if let Some(value) = value { built.header(name, value) } else { built };
        }
        if let Some(authorization) = &self.authorization {
            built = built.header(AUTHORIZATION, authorization.clone());
        }
        self.fill(built, &request.body).await
    }

    async fn fill<T: serde::Serialize>(
        &self,
        built: RequestBuilder,
        body: &Body<T>,
    ) -> Result<RequestBuilder, Error> {
        Ok(match body {
            Body::None => built,
            Body::Json(body) => built.json(body),
            Body::Bytes { bytes, media_type } => built.header(CONTENT_TYPE, media_type).body(bytes.clone()),
            Body::File { path, media_type } => {
                let failed = |error: std::io::Error| Error::Interrupted {
                    url: self.address.url.clone(),
                    reason: format!("{} cannot be read: {error}", path.display()),
                };
                let file = tokio::fs::File::open(path).await.map_err(failed)?;
                let length = file.metadata().await.map_err(failed)?.len();
                built.header(CONTENT_TYPE, media_type).header(http::header::CONTENT_LENGTH, length).body(file)
            }
        })
    }

    async fn whole(&self, response: Response) -> Result<Vec<u8>, Error> {
        let status = response.status().as_u16();
        let mut download = Download { response, url: self.address.url.clone() };
        let mut body = Vec::new();
        while let Some(chunk) = download.next().await? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.unreadable(status, &format!("it is larger than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn refusal(&self, response: Response) -> Error {
        let status = response.status().as_u16();
        let retry_after_ms = header(&response, &RETRY_AFTER).and_then(|text| text.parse::<u64>().ok());
        let is_problem =
            header(&response, &CONTENT_TYPE).is_some_and(|text| text.starts_with(PROBLEM_MEDIA_TYPE));
        if !is_problem {
            return self.unreadable(status, "it is no problem document; is this a Tiltyard server?");
        }
        let body = match self.whole(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Error::Refused(Box::new(Refused {
                problem,
                retry_after_ms: retry_after_ms.map(|seconds| seconds.saturating_mul(1_000)),
            })),
            Err(error) => self.unreadable(status, &error.to_string()),
        }
    }

    fn unreadable(&self, status: u16, reason: &str) -> Error {
        Error::Unreadable { url: self.address.url.clone(), status, reason: reason.to_owned() }
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        let (url, reason) = (self.address.url.clone(), root_cause(error));
        if error.is_connect() {
            Error::Unreachable { url, reason }
        } else {
            Error::Interrupted { url, reason }
        }
    }
}

impl Download {
    /// The entity tag of what comes, without its quotes: of an artifact the SHA-256 of its bytes.
    pub fn entity_tag(&self) -> Option<String> {
        header(&self.response, &ETAG).map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned())
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the rest does not come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let interrupted =
            |error: reqwest::Error| Error::Interrupted { url: self.url.clone(), reason: root_cause(&error) };
        self.response.chunk().await.map_err(interrupted)
    }
}

const fn accepted(form: Form) -> &'static str {
    match form {
        Form::Json => "application/json, application/problem+json",
        Form::Sse => "text/event-stream, application/problem+json",
        Form::Empty | Form::Bytes | Form::Text | Form::Socket => "*/*",
    }
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}
