//! Completeness (SEC3, SEC4, API2): every endpoint of the table with every role, without a token, and from another
//! scope. A row that is added is tried here without anybody thinking of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

use serde_json::Value;
use tiltyard_client::Request;
use tiltyard_model::role::{Right, Role};
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};
use tiltyard_wire::endpoint::{Endpoint, Form, Method, call};
use tiltyard_wire::scope::Put;
use tiltyard_wire::task::Submit;
use tiltyard_wire::token::Mint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The problem document; every refusal is one (API2).
    fn problem(&self) -> Value {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        for member in ["type", "title", "detail", "error", "code", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {self:?}");
        }
        assert_eq!(problem["status"], self.status, "{self:?}");
        problem
    }
}

/// Places of paths that nothing has.
fn path(endpoint: Endpoint, ids: &dyn Fn(&str) -> String) -> String {
    let full = endpoint.full_path();
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => ids(name),
        None => part.to_owned(),
    };
    full.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Names that nothing has.
fn nothing(name: &str) -> String {
    match name {
        "hex" => "0".repeat(64),
        "fingerprint" => "none".to_owned(),
        "name" => "nothing".to_owned(),
        _ => "task_01h2xcejqtf2nbrexx3vqjhp41".to_owned(),
    }
}

async fn ask(server: &TestServer, endpoint: Endpoint, path: &str, token: Option<&str>) -> Answer {
    // A body that no row takes: who may not do something hears so before it is read.
    ask_with(server, endpoint, path, token, "{\"no_such\": 1}").await
}

async fn ask_with(
    server: &TestServer,
    endpoint: Endpoint,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Answer {
    let row = endpoint.row();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let port = server.address().port();
    let mut text =
        format!("{} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n", row.method.as_str());
    if let Some(token) = token {
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    if row.body == Form::Json {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    } else {
        text += "\r\n";
    }
    stream.write_all(text.as_bytes()).await.unwrap();
    // Streams do not end by themselves: the head is enough.
    let mut read = Vec::new();
    let is_stream = |read: &[u8]| {
        let text = String::from_utf8_lossy(read);
        text.contains("text/event-stream") && text.contains("\r\n\r\n")
    };
    while !is_stream(&read) {
        if stream.read_buf(&mut read).await.unwrap() == 0 {
            break;
        }
    }
    let answer = String::from_utf8(read).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

async fn mint(server: &TestServer, role: Role, scope: &str) -> String {
    let body = Mint {
        label: format!("{} of {scope}", role.as_str()),
        role,
        scopes: vec![scope.into()],
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    };
    server.client().call(Request::<call::TokenMint>::new().body(body)).await.unwrap().token
}

async fn server_with_two_scopes() -> TestServer {
    let server = TestServer::start().await.unwrap();
    let put = Request::<call::ScopePut>::new().place("other").body(Put::default());
    server.client().call(put).await.unwrap();
    server
}

// SEC3: rights stand in one table; every endpoint is tried with every role, and without a token.
#[tokio::test]
async fn sec3_every_endpoint_is_guarded_for_every_role() {
    let server = server_with_two_scopes().await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, mint(&server, role, "default").await));
    }
    for endpoint in Endpoint::ALL.iter().copied() {
        let (row, path) = (endpoint.row(), path(endpoint, &nothing));
        for (role, token) in &tokens {
            let answer = ask(&server, endpoint, &path, Some(token)).await;
            let denied = answer.status == 403 && answer.problem()["code"] == "forbidden";
            assert_eq!(denied, !role.may(row.right), "{} as {}: {answer:?}", row.name, role.as_str());
            assert!(answer.status < 500, "{} as {}: {answer:?}", row.name, role.as_str());
            if answer.status >= 400 {
                answer.problem();
            }
        }
    }
}

// API1, API2: without a token nothing but the open rows answers, and every refusal is a problem document.
#[tokio::test]
async fn api1_every_endpoint_but_the_open_ones_asks_for_a_token() {
    let server = server_with_two_scopes().await;
    // Failed sign-ins are charged to the address: each server takes its share of them.
    let mut asked = 0;
    let mut current = server;
    for endpoint in Endpoint::ALL.iter().copied() {
        if asked == 15 {
            (asked, current) = (0, server_with_two_scopes().await);
        }
        let row = endpoint.row();
        let answer = ask(&current, endpoint, &path(endpoint, &nothing), None).await;
        if row.right == Right::Open {
            // The body that is sent is nothing that a row takes.
            assert!(matches!(answer.status, 200 | 404 | 422), "{}: {answer:?}", row.name);
        } else {
            asked += 1;
            assert_eq!(answer.status, 401, "{}: {answer:?}", row.name);
            assert_eq!(answer.problem()["code"], "unauthenticated", "{}", row.name);
        }
    }
}

// SEC4: a scope that is named without right is 403 wherever it can be named.
#[tokio::test]
async fn sec4_a_foreign_scope_is_403_where_it_is_named() {
    let server = server_with_two_scopes().await;
    let admin = mint(&server, Role::Admin, "other").await;
    for endpoint in Endpoint::ALL.iter().copied().filter(|endpoint| endpoint.row().right != Right::Open) {
        let path = format!("{}?scope=default", path(endpoint, &nothing));
        let answer = ask(&server, endpoint, &path, Some(&admin)).await;
        assert_eq!(answer.status, 403, "{}: {answer:?}", endpoint.row().name);
        assert_eq!(answer.problem()["code"], "scope_forbidden", "{}", endpoint.row().name);
    }
}

// SEC4: ids of another scope are 404, and lists of another scope hold nothing of it.
#[tokio::test]
async fn sec4_what_another_scope_holds_is_not_there() {
    let server = server_with_two_scopes().await;
    let task = Submit { kind: "command".into(), title: "theirs".into(), ..Submit::default() };
    let theirs = server.client().call(Request::<call::TaskSubmit>::new().body(task)).await.unwrap();
    let foreign = mint(&server, Role::Admin, "other").await;
    let id = theirs.id.to_string();
    for endpoint in Endpoint::ALL.iter().copied() {
        let row = endpoint.row();
        let own = |name: &str| if matches!(name, "id" | "task") { id.clone() } else { nothing(name) };
        let path = path(endpoint, &own);
        if row.path.starts_with("/tasks/{id}") && row.body == Form::Empty {
            let answer = ask(&server, endpoint, &path, Some(&foreign)).await;
            assert_eq!(answer.status, 404, "{}: {answer:?}", row.name);
            assert!(!answer.body.contains("theirs"), "{}: {answer:?}", row.name);
            if row.method != Method::Get {
                continue;
            }
            let mine = ask(&server, endpoint, &path, Some(ADMIN_TOKEN)).await;
            assert_ne!(mine.status, 404, "{} is there for its own: {mine:?}", row.name);
        }
        let is_read = row.method == Method::Get && !row.path.contains('{') && row.answer == Form::Json;
        if is_read && row.right != Right::Open {
            let answer = ask(&server, endpoint, &path, Some(&foreign)).await;
            assert!(!answer.body.contains(&id), "{} tells of another scope: {answer:?}", row.name);
        }
    }
}

// API7: a parameter that is not known is refused everywhere, before anything else is looked at.
#[tokio::test]
async fn api7_every_endpoint_refuses_parameters_that_it_does_not_know() {
    let server = server_with_two_scopes().await;
    for endpoint in Endpoint::ALL.iter().copied() {
        let path = format!("{}?no_such=1", path(endpoint, &nothing));
        let answer = ask(&server, endpoint, &path, Some(ADMIN_TOKEN)).await;
        assert_eq!(answer.status, 400, "{}: {answer:?}", endpoint.row().name);
        assert_eq!(answer.problem()["code"], "bad_parameter", "{}", endpoint.row().name);
    }
}

// SEC4: what is about the whole server is for who covers every scope.
#[tokio::test]
async fn sec4_the_whole_server_is_no_business_of_one_scope() {
    let server = server_with_two_scopes().await;
    let admin = mint(&server, Role::Admin, "other").await;
    for endpoint in Endpoint::ALL.iter().copied() {
        let answer = ask(&server, endpoint, &path(endpoint, &nothing), Some(&admin)).await;
        let refused = answer.status == 403 && answer.problem()["code"] == "scope_forbidden";
        let scope = endpoint.row().path.starts_with("/scopes/{name}");
        assert_eq!(
            refused,
            scope || endpoint.row().right.is_server_wide(),
            "{}: {answer:?}",
            endpoint.row().name
        );
    }
}

// API2: U+0000 is refused in every text of every body, with its place: not every store can keep it. A log is kept in
// files, and may have it.
#[tokio::test]
async fn api2_no_body_has_u0000_in_its_texts() {
    let server = server_with_two_scopes().await;
    let (mut tried, document) = (0, tiltyard_wire::contract::openapi());
    for endpoint in Endpoint::ALL.iter().copied().filter(|endpoint| *endpoint != Endpoint::TaskLogAppend) {
        let row = endpoint.row();
        let noun = match row.path.split('/').nth(1) {
            Some("dead-letters") => "dlq",
            Some("gates") => "gate",
            Some("changes") => "chg",
            Some("runs") => "run",
            _ => "task",
        };
        let path = path(endpoint, &|name| nothing(name).replace("task_", &format!("{noun}_")));
        for name in texts_of(&document, endpoint) {
            tried += 1;
            let body = format!("{{\"{name}\": \"a\\u0000b\"}}");
            let answer = ask_with(&server, endpoint, &path, Some(ADMIN_TOKEN), &body).await;
            let problem = answer.problem();
            assert_eq!(answer.status, 422, "{} {name}: {answer:?}", row.name);
            assert_eq!(problem["field"], format!("/{name}"), "{}: {answer:?}", row.name);
            assert!(problem["error"].as_str().unwrap().contains("U+0000"), "{} {name}: {answer:?}", row.name);
        }
    }
    assert!(tried > 30, "{tried} texts");
}

/// The members of an endpoint's body that are plain text.
fn texts_of(document: &Value, endpoint: Endpoint) -> Vec<String> {
    let operation = &document["paths"][endpoint.full_path()][endpoint.row().method.as_str().to_lowercase()];
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let name = body["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let shape = name.map_or(body, |name| &document["components"]["schemas"][name]);
    let is_text = |schema: &Value| {
        let types = &schema["type"];
        types == "string" || types.as_array().is_some_and(|types| types.contains(&"string".into()))
    };
    let members = shape["properties"].as_object().cloned().unwrap_or_default();
    members.into_iter().filter(|(_, schema)| is_text(schema)).map(|(name, _)| name).collect()
}
