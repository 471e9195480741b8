//! A server that answers from a list, and remembers what it was asked. The real one is tested with the whole
//! program elsewhere; here it is the faces that count.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// One request that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Script {
    answers: BTreeMap<String, Vec<(u16, &'static str, String)>>,
    asked: Vec<Asked>,
}

/// The server; it ends with the test's process.
pub(crate) struct Fake {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let routes = Router::new().fallback(answer).with_state(script.clone());
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                sender.send(listener.local_addr().expect("an address")).expect("somebody waits");
                axum::serve(listener, routes).await.expect("serves");
            });
        });
        let address: SocketAddr = receiver.recv().expect("starts");
        Self { url: format!("http://{address}"), script }
    }

    /// Answers `line` (method and path below `/api/v1`); asked again, with the answer after it, the last one
    /// for ever.
    pub(crate) fn on(self, line: &str, status: u16, body: &Value) -> Self {
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        self.on_raw(line, status, kind, body.to_string())
    }

    pub(crate) fn on_raw(self, line: &str, status: u16, kind: &'static str, body: impl Into<String>) -> Self {
        let mut script = self.script.lock().expect("is not poisoned");
        script.answers.entry(line.to_owned()).or_default().push((status, kind, body.into()));
        drop(script);
        self
    }

    pub(crate) fn refuse(self, line: &str, status: u16, code: &str, detail: &str) -> Self {
        let problem = json!({
            "type": format!("/docs/problem/{code}"), "title": "Title", "status": status, "detail": detail,
            "error": detail, "code": code, "request_id": "r-1",
        });
        self.on(line, status, &problem)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().expect("is not poisoned").asked.clone()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.lock().expect("is not poisoned");
    let path = uri.path().strip_prefix("/api/v1").unwrap_or(uri.path());
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    let authorization = headers.get("authorization").map_or("", |value| value.to_str().expect("is text"));
    script.asked.push(Asked {
        line: format!("{method} {path}{query}"),
        authorization: authorization.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    let Some(answers) = script.answers.get_mut(&format!("{method} {path}")) else {
        return (StatusCode::NOT_IMPLEMENTED, format!("{method} {path} is not in the script"))
            .into_response();
    };
    let (status, kind, body) = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
    (StatusCode::from_u16(status).expect("a status"), [("content-type", kind)], body).into_response()
}
