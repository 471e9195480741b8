//! Calls to other places (SEC15), against real servers on loopback: what is called, what is refused, what comes back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

use axum::Router;
use axum::body::{Body as Stream, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tiltyard_engine::blob::Blobs;
use tiltyard_engine::outgoing::{Answer, Body, CallError, MAX_HTTP_BODY_BYTES, Outgoing, Request};
use tiltyard_model::run::Again;
use tiltyard_server::outgoing::{Calls, Guard, Looking, Names};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a place was asked.
#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

type Heard = Arc<Mutex<Vec<Asked>>>;

/// A server on an address of loopback.
struct Site {
    address: SocketAddr,
    heard: Heard,
    task: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    async fn at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Heard::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, heard, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn named(&self, name: &str, path: &str) -> String {
        format!("http://{name}:{}{path}", self.address.port())
    }

    fn heard(&self) -> Vec<Asked> {
        self.heard.lock().unwrap().clone()
    }
}

/// `/to/STATUS/URL` leads to the url, `/large/N` has N bytes, `/never` does not end, `/loop` leads to itself.
async fn answer(
    State(heard): State<Heard>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    heard.lock().unwrap().push(Asked { method, path: path.clone(), headers, body });
    if let Some((status, url)) = path.strip_prefix("/to/").and_then(|rest| rest.split_once('/')) {
        let status = StatusCode::from_u16(status.parse().unwrap()).unwrap();
        return (status, [("location", url.to_owned())], "elsewhere").into_response();
    }
    if let Some(bytes) = path.strip_prefix("/large/") {
        let left = bytes.parse::<usize>().unwrap();
        // In pieces, so that no length is announced.
        let pieces = stream::unfold(left, |left| async move {
            let piece = left.min(10_000);
            (piece > 0).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; piece])), left - piece))
        });
        return Stream::from_stream(pieces).into_response();
    }
    match path.as_str() {
        "/loop" => (StatusCode::FOUND, [("location", "/loop")]).into_response(),
        "/never" => {
            let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"begun"))]);
            Stream::from_stream(futures_util::StreamExt::chain(begun, stream::pending())).into_response()
        }
        _ => {
            let headers = [("content-type", "application/json"), ("x-own", "1"), ("set-cookie", "a=b")];
            (headers, serde_json::json!({"at": path}).to_string()).into_response()
        }
    }
}

/// Names whose addresses change from one look-up to the next.
#[derive(Default)]
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

impl Script {
    fn of(looks: &[&[&str]]) -> Arc<Self> {
        let addresses = |look: &&[&str]| look.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(looks.iter().map(addresses).collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Names for Script {
    fn look_up(&self, _name: &str) -> Looking {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(async move { next.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

fn guard(allow: &[&str]) -> Guard {
    Guard::new(allow.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
}

fn get(url: impl Into<String>) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.into(),
        headers: BTreeMap::new(),
        body: None,
        wanted: Vec::new(),
        timeout_ms: 30_000,
    }
}

fn with(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.insert(name.to_owned(), value.to_owned());
    request
}

async fn call(calls: &Calls, request: Request) -> Result<Answer, CallError> {
    let folder = TempDir::new().unwrap();
    calls.call(request, &Blobs::open(folder.path()).unwrap()).await
}

/// A guard that lets exactly this machine's usual address pass.
fn calls() -> Calls {
    Calls::new(guard(&["127.0.0.1"]))
}

fn refused(done: Result<Answer, CallError>) -> String {
    let error = done.unwrap_err();
    assert_eq!(error.again, Again::Never, "{error}");
    error.text
}

// SEC15: without the setting nothing of this machine is called, by address or by name, and nothing is connected to.
#[tokio::test]
async fn sec15_this_machine_is_not_called() {
    let site = Site::at("127.0.0.1").await;
    let port = site.address.port();
    let strict = Calls::new(Guard::default());
    for host in
        ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        let text = refused(call(&strict, get(format!("http://{host}:{port}/"))).await);
        assert!(text.contains("is not called") && text.contains("`outgoing.allow`"), "{host}: {text}");
    }
    let named = Script::of(&[&["169.254.169.254"]]);
    let text =
        refused(call(&Calls::with_names(Guard::default(), named), get("http://metadata.example/")).await);
    assert!(text.contains("metadata.example (169.254.169.254)"), "{text}");
    assert!(site.heard().is_empty());
}

#[tokio::test]
async fn d20_a_call_says_what_the_stage_says_and_brings_the_answer() {
    let site = Site::at("127.0.0.1").await;
    let body = Some((br#"{"a":1}"#.to_vec(), "application/json"));
    let request = Request { method: "POST".to_owned(), body, ..get(site.url("/hook?key=secret")) };
    let request = with(with(request, "X-Mine", "yes"), "Idempotency-Key", "run.a.1");
    let done = call(&calls(), request).await.unwrap();
    assert_eq!(
        done.called,
        format!("POST http://{}/hook", site.address),
        "secrets of the query are not told"
    );
    assert_eq!((done.status, done.media_type.as_deref()), (200, Some("application/json")));
    assert_eq!(done.body, Body::Short(br#"{"at":"/hook"}"#.to_vec()));
    assert_eq!(done.headers.get("x-own").map(String::as_str), Some("1"));
    assert!(!done.headers.contains_key("set-cookie"));
    let asked = site.heard().remove(0);
    assert_eq!((asked.method, asked.body.as_str()), (Method::POST, r#"{"a":1}"#));
    let heard = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(heard("x-mine").as_deref(), Some("yes"));
    assert_eq!(heard("content-type").as_deref(), Some("application/json"));
    assert_eq!(heard("idempotency-key").as_deref(), Some("run.a.1"));
    assert!(heard("user-agent").is_some_and(|own| own.starts_with("Tiltyard/")));
    assert_eq!(heard("host"), Some(site.address.to_string()));
}

// SEC15: a redirect is judged as the first call is, by address and by name.
#[tokio::test]
async fn sec15_a_redirect_to_a_refused_address_is_not_followed() {
    let (site, inner) = (Site::at("127.0.0.1").await, Site::at("127.0.0.2").await);
    for inside in [inner.url("/admin"), inner.named("inner.example", "/admin")] {
        let named = Script::of(&[&["127.0.0.2"]]);
        let calls = Calls::with_names(guard(&["127.0.0.1"]), named);
        let text = refused(call(&calls, get(site.url(&format!("/to/302/{inside}")))).await);
        assert!(text.contains("127.0.0.2") && text.contains("is not called"), "{text}");
    }
    let text = refused(call(&calls(), get(site.url("/to/302/file:///etc/passwd"))).await);
    assert!(text.contains("only http:// and https://"), "{text}");
    assert_eq!((site.heard().len(), inner.heard().len()), (3, 0));
}

// SEC15: a name that is rebound between two look-ups gains nothing: each connection is to what was judged for it.
#[tokio::test]
async fn sec15_a_rebound_name_is_judged_anew_for_each_connection() {
    let (site, inner) = (Site::at("127.0.0.1").await, Site::at("127.0.0.2").await);
    let script = Script::of(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.2", "127.0.0.1"]]);
    let calls = Calls::with_names(guard(&["127.0.0.1"]), Arc::<Script>::clone(&script));
    call(&calls, get(site.named("rebound.example", "/one"))).await.unwrap();
    assert_eq!(script.left(), 2, "a name is looked up once a connection");
    // The same name again, which now leads inside: a kept connection would have hidden it.
    refused(call(&calls, get(inner.named("rebound.example", "/two"))).await);
    // Of several addresses only those count that may be called.
    call(&calls, get(site.named("rebound.example", "/three"))).await.unwrap();
    let paths: Vec<String> = site.heard().into_iter().map(|asked| asked.path).collect();
    assert_eq!((paths, inner.heard().len()), (vec!["/one".to_owned(), "/three".to_owned()], 0));
}

#[tokio::test]
async fn sec15_a_redirect_keeps_a_stages_secrets_from_others() {
    let (site, other) = (Site::at("127.0.0.1").await, Site::at("127.0.0.1").await);
    let sent = |url: String| {
        let body = Some((b"text".to_vec(), "text/plain; charset=utf-8"));
        let request = Request { method: "POST".to_owned(), body, ..get(url) };
        with(with(with(request, "Authorization", "Bearer x"), "X-Api-Key", "y"), "traceparent", "00-a")
    };
    let text = refused(call(&calls(), sent(site.url(&format!("/to/307/{}", other.url("/again"))))).await);
    assert!(text.contains("Name that one"), "{text}");
    assert_eq!(other.heard().len(), 0);
    call(&calls(), sent(site.url(&format!("/to/303/{}", other.url("/look"))))).await.unwrap();
    call(&calls(), sent(site.url(&format!("/to/308/{}", site.url("/same"))))).await.unwrap();
    let (heard, own) = (other.heard(), site.heard());
    let seen = |asked: &Asked| {
        (asked.method.clone(), asked.body.clone(), asked.headers.contains_key("content-type"))
    };
    assert_eq!(seen(&heard[0]), (Method::GET, String::new(), false));
    assert_eq!(heard.len(), 1);
    for asked in &heard {
        let has = |name: &str| asked.headers.contains_key(name);
        assert!(!has("authorization") && !has("x-api-key") && has("traceparent"), "{asked:?}");
    }
    let last = own.last().unwrap();
    assert_eq!((last.path.as_str(), last.headers.contains_key("authorization")), ("/same", true));
}

#[tokio::test]
async fn d20_redirects_end() {
    let site = Site::at("127.0.0.1").await;
    assert!(refused(call(&calls(), get(site.url("/loop"))).await).contains("more than 5 redirects"));
    assert_eq!(site.heard().len(), 6);
    // Who waits for a redirect gets it.
    let done = call(&calls(), Request { wanted: vec![302], ..get(site.url("/loop")) }).await.unwrap();
    assert_eq!((done.status, done.headers.get("location").map(String::as_str)), (302, Some("/loop")));
}

#[tokio::test]
async fn d20_a_call_ends_in_time_whatever_the_other_side_does() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = Site::at("127.0.0.1").await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    for url in [format!("http://{}/", silent.local_addr().unwrap()), site.url("/never")] {
        let error = call(&calls(), Request { timeout_ms: 200, ..get(url) }).await.unwrap_err();
        assert!(error.again == Again::May && error.text.contains("within 200 ms"), "{error}");
    }
    let error = call(&calls(), get(format!("http://{nobody}/"))).await.unwrap_err();
    assert!(error.again == Again::May && error.text.contains("cannot be reached"), "{error}");
    let nameless = Calls::with_names(Guard::default(), Script::of(&[]));
    let error = call(&nameless, get("http://nowhere.example/")).await.unwrap_err();
    assert!(error.again == Again::May && error.text.contains("no such name"), "{error}");
}

// API9, P9: a body has bounds: short in memory, longer in a file, too long not at all.
#[tokio::test]
async fn d20_a_body_is_streamed_and_has_a_limit() {
    let (site, folder) = (Site::at("127.0.0.1").await, TempDir::new().unwrap());
    let blobs = Blobs::open(folder.path()).unwrap();
    let calls = calls();
    let done = calls.call(get(site.url("/large/32768")), &blobs).await.unwrap();
    assert!(matches!(&done.body, Body::Short(bytes) if bytes.len() == 32_768));
    let done = calls.call(get(site.url("/large/700001")), &blobs).await.unwrap();
    let Body::Stored(kept) = &done.body else { panic!("{done:?}") };
    let (reader, size) = blobs.open_read(&kept.sha256).unwrap().unwrap();
    assert_eq!((kept.size, size), (700_001, 700_001));
    assert!(reader.read_at(0, 700_001).unwrap().iter().all(|byte| *byte == b'x'));
    let text =
        refused(calls.call(get(site.url(&format!("/large/{}", MAX_HTTP_BODY_BYTES + 1))), &blobs).await);
    assert!(text.contains("more than 8388608 bytes"), "{text}");
}

#[tokio::test]
async fn sec15_what_belongs_to_the_connection_is_not_the_stages_to_say() {
    let site = Site::at("127.0.0.1").await;
    for name in ["Host", "content-length", "Transfer-Encoding", "connection", "Upgrade", "a b", ""] {
        refused(call(&calls(), with(get(site.url("/")), name, "x")).await);
    }
    refused(call(&calls(), with(get(site.url("/")), "x", "a\r\nHost: b")).await);
    refused(call(&calls(), get("http://user:word@127.0.0.1/")).await);
    refused(call(&calls(), get("no url")).await);
    assert!(site.heard().is_empty());
}
