//! Calls to somewhere else (SEC15): every address is judged after its name was looked up, on each redirect anew, and
//! only what was judged is connected to.

mod answer;
mod guard;
mod header;
mod resolve;

pub use guard::Guard;
pub use resolve::{Looking, Names, SystemNames};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use resolve::{Checked, Refused};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tiltyard_engine::blob::Blobs;
use tiltyard_engine::outgoing::{Answer, CallError, Calling, MAX_REDIRECTS, Outgoing, Request};

/// Longest time until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How this server calls itself.
const USER_AGENT: &str = concat!("Tiltyard/", env!("CARGO_PKG_VERSION"));

/// Makes calls, as far as the guard lets them.
pub struct Calls {
    guard: Guard,
    names: Arc<dyn Names>,
    /// Reading the system's certificates takes time, and most servers never call anybody.
    http: OnceLock<Result<Client, String>>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Calls {
    /// Calls that this guard lets pass.
    pub fn new(guard: Guard) -> Self {
        Self::with_names(guard, Arc::new(SystemNames))
    }

    /// The same, with names that are looked up otherwise.
    pub fn with_names(guard: Guard, names: Arc<dyn Names>) -> Self {
        Self { guard, names, http: OnceLock::new() }
    }

    fn http(&self) -> Result<&Client, CallError> {
        let made = self.http.get_or_init(|| client(self.guard.clone(), Arc::clone(&self.names)));
        made.as_ref()
            .map_err(|reason| CallError::passing(format!("this server cannot call anybody: {reason}")))
    }

    async fn make(&self, request: &Request, blobs: &Blobs) -> Result<Answer, CallError> {
        let http = self.http()?;
        let mut leg = Leg::first(request)?;
        for _ in 0..=MAX_REDIRECTS {
            self.guard.check(&leg.url)?;
            let response = leg.send(http, request).await?;
            match leg.after(&response, request)? {
                Some(next) => leg = next,
                None => return answer::read(leg.shown(), response, blobs).await,
            }
        }
        let said = format!("{} leads on and on, more than {MAX_REDIRECTS} redirects", leg.shown());
        Err(CallError::lasting(said))
    }
}

impl Outgoing for Calls {
    fn call<'a>(&'a self, request: Request, blobs: &'a Blobs) -> Calling<'a> {
        Box::pin(async move {
            let limit = Duration::from_millis(request.timeout_ms.unsigned_abs());
            match tokio::time::timeout(limit, self.make(&request, blobs)).await {
                Ok(done) => done,
                Err(_) => {
                    let called = Leg::first(&request)?.shown();
                    let said =
                        format!("{called} has not answered within {} ms (timeout_ms)", request.timeout_ms);
                    Err(CallError::passing(said))
                }
            }
        })
    }
}

/// One request of a call, which may be redirected.
struct Leg {
    method: Method,
    url: Url,
    /// Whether it goes to whom the stage named.
    whose: Whose,
    body: Sends,
}

/// To whom a leg goes. What a stage says in its headers and its body is for nobody but the place that it named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Named,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sends {
    Body,
    Nothing,
}

impl Leg {
    fn first(request: &Request) -> Result<Self, CallError> {
        let url = Url::parse(&request.url)
            .map_err(|error| CallError::lasting(format!("the url cannot be used: {error}")))?;
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| CallError::lasting("the method is none of HTTP's"))?;
        let body = if request.body.is_some() { Sends::Body } else { Sends::Nothing };
        Ok(Self { method, url, whose: Whose::Named, body })
    }

    /// For people: without user, password and query, where secrets stand.
    fn shown(&self) -> String {
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{} {scheme}://{host}{port}{}", self.method, self.url.path())
    }

    async fn send(&self, http: &Client, request: &Request) -> Result<Response, CallError> {
        let mut built = http.request(self.method.clone(), self.url.clone());
        let body = request.body.as_ref().filter(|_| self.body == Sends::Body);
        let media_type = body.map(|(_, media_type)| *media_type);
        built = built.headers(header::of(request, self.whose, media_type)?);
        if let Some((bytes, _)) = body {
            built = built.body(bytes.clone());
        }
        built.send().await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &reqwest::Error) -> CallError {
        if let Some(refused) = refused(error) {
            return CallError::lasting(refused.to_string());
        }
        let what = if error.is_connect() { "cannot be reached" } else { "has not answered" };
        CallError::passing(format!("{} {what}: {}", self.shown(), root_cause(error)))
    }

    /// Where the answer leads, unless it is the answer.
    fn after(&self, response: &Response, request: &Request) -> Result<Option<Self>, CallError> {
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) || request.wanted.contains(&status) {
            return Ok(None);
        }
        let Some(to) = response.headers().get(http::header::LOCATION) else { return Ok(None) };
        let to = to.to_str().ok().and_then(|to| self.url.join(to).ok());
        let url = to.ok_or_else(|| CallError::lasting(format!("{} leads to no address", self.shown())))?;
        // As browsers do: what was sent with POST is asked for with GET, save where the answer says to send it again.
        let asks =
            status == 303 && self.method != Method::HEAD || status < 303 && self.method == Method::POST;
        let (method, body) =
            if asks { (Method::GET, Sends::Nothing) } else { (self.method.clone(), self.body) };
        let stays = self.whose == Whose::Named && url.origin() == self.url.origin();
        let shown = self.shown();
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(CallError::lasting(format!(
                "{shown} leads from https:// to http://, which is not followed"
            )));
        }
        if !stays && body == Sends::Body {
            let to = url.host_str().unwrap_or_default();
            return Err(CallError::lasting(format!(
                "{shown} wants what it was sent to be sent to {to}: the body is for the place that the stage names. Name that one in `url`"
            )));
        }
        Ok(Some(Self { method, url, whose: if stays { Whose::Named } else { Whose::Other }, body }))
    }
}

fn client(guard: Guard, names: Arc<dyn Names>) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let tls = builder.with_platform_verifier().map_err(|error| error.to_string())?.with_no_client_auth();
    // A connection is for one call: a kept one may be gone when it is used, and then nobody knows whether it took the call. A
    // proxy would look names up by itself.
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(Checked::new(guard, names)))
        .build()
        .map_err(|error| root_cause(&error))
}

/// The refusal of an address among the causes of an error.
fn refused(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// What lies at the bottom of an error.
fn root_cause(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// The address that a url names by itself, as it is connected to.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
