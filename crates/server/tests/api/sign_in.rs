//! Sign-ins of browsers: a token or a code for a cookie.

use crate::record::refused;
use crate::support::{Raw, STRANGER, raw, refusal, server, token};
use serde_json::{Value, json};
use tiltyard_client::Request;
use tiltyard_model::role::Role;
use tiltyard_server::First;
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};
use tiltyard_wire::audit::Filter;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::token::Minted;

const SESSION: &str = "/api/v1/auth/session";

async fn sign_in(server: &TestServer, with: Value) -> Raw {
    raw(server, &format!("POST {SESSION}"), &[STRANGER], &with.to_string()).await
}

async fn mint(server: &TestServer, role: Role) -> Minted {
    let body = token(role, &["default"]);
    server.client().call(Request::<call::TokenMint>::new().body(body)).await.unwrap()
}

/// What a browser would send back: the name and the text of the cookie that the answer sets.
fn cookie(answer: &Raw) -> String {
    let line = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("sets a cookie");
    format!("Cookie: {}", line.split(';').next().unwrap())
}

/// A call by cookie; `Authorization` is left out, not wrong.
async fn by_cookie(server: &TestServer, line: &str, cookie: &str, more: &[&str], body: &str) -> Raw {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let port = server.address().port();
    let mut text = format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{cookie}\r\n");
    for header in more {
        text += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn code_of(answer: &Raw) -> String {
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

fn own_origin(server: &TestServer) -> String {
    format!("Origin: http://localhost:{}", server.address().port())
}

const TASK: &str = r#"{"kind":"command","title":"by a browser"}"#;

// API1: a token becomes a cookie that no script reads and no other site sends; it authenticates like the token.
#[tokio::test]
async fn api1_a_token_becomes_a_cookie() {
    let server = server().await;
    let minted = mint(&server, Role::Operator).await;
    let answer = sign_in(&server, json!({"token": minted.token})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let view: Value = serde_json::from_str(&answer.body).unwrap();
    let id = minted.view.id.to_string();
    assert_eq!(
        (&view["token"], &view["role"], &view["scopes"]),
        (&json!(id), &json!("operator"), &json!(["default"]))
    );
    assert!(!answer.body.contains("jss_"), "the text is in the cookie only: {answer:?}");
    let set = answer.head.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
    for part in ["httponly", "samesite=strict", "path=/", "max-age=604800"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    assert!(!set.contains("secure") && !set.contains("domain"), "{set}");
    let cookie = cookie(&answer);
    let read = by_cookie(&server, "GET /api/v1/tasks", &cookie, &[], "").await;
    assert_eq!(read.status, 200, "{read:?}");
    let denied = by_cookie(&server, "GET /api/v1/auth/tokens", &cookie, &[], "").await;
    assert_eq!((denied.status, code_of(&denied)), (403, "forbidden".into()), "an operator's rights, no more");
    let foreign = by_cookie(&server, "GET /api/v1/tasks?scope=other", &cookie, &[], "").await;
    assert_eq!((foreign.status, code_of(&foreign)), (403, "scope_forbidden".into()));
    let wrong = by_cookie(&server, "GET /api/v1/tasks", &cookie, &["Authorization: Bearer jst_no"], "").await;
    assert_eq!(wrong.status, 401, "a wrong token is not made good by a cookie");
}

// SEC11: a call by cookie that acts must say that it comes from the console's own page.
#[tokio::test]
async fn sec11_a_write_by_cookie_needs_the_right_origin() {
    let server = server().await;
    let cookie = cookie(&sign_in(&server, json!({"token": ADMIN_TOKEN})).await);
    let write = |more: Vec<String>| {
        let (server, cookie) = (&server, &cookie);
        async move {
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            by_cookie(server, "POST /api/v1/tasks", cookie, &more, TASK).await
        }
    };
    let own = own_origin(&server);
    let refused = [
        vec![],
        vec!["Origin: null".to_owned()],
        vec!["Origin: ".to_owned()],
        vec!["Origin: http://localhost:1".to_owned()],
        vec![own.clone(), own.clone()],
        vec![own.clone(), "Sec-Fetch-Site: cross-site".to_owned()],
    ];
    for more in refused {
        let answer = write(more.clone()).await;
        assert_eq!((answer.status, code_of(&answer)), (403, "origin_forbidden".into()), "{more:?}");
    }
    assert_eq!(write(vec![own.clone()]).await.status, 201);
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let socket = by_cookie(&server, "GET /api/v1/events/ws", &cookie, &upgrade, "").await;
    assert_ne!(socket.status, 200, "{socket:?}");
    let total = by_cookie(&server, "GET /api/v1/tasks", &cookie, &[], "").await;
    let page: Value = serde_json::from_str(&total.body).unwrap();
    assert_eq!(page["total"], 1, "what was refused made nothing");
}

// SEC11: an origin that is listed by hand may call with a token; a browser's cookie is the console's alone.
#[tokio::test]
async fn sec11_a_listed_origin_does_not_act_by_cookie() {
    let server = TestServer::start_with(|options| {
        options.edge.origins.push("http://board.localhost".to_owned());
    });
    let server = server.await.unwrap();
    let cookie = cookie(&sign_in(&server, json!({"token": ADMIN_TOKEN})).await);
    let listed = ["Origin: http://board.localhost"];
    let answer = by_cookie(&server, "POST /api/v1/tasks", &cookie, &listed, TASK).await;
    assert_eq!((answer.status, code_of(&answer)), (403, "origin_forbidden".into()));
    assert_eq!(raw(&server, "POST /api/v1/tasks", &listed, TASK).await.status, 201, "by token it may");
}

// SEC2: a first start gives an admin token and a code; the code signs in once.
#[tokio::test]
async fn sec2_the_first_start_gives_a_code_that_signs_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let without = |options: &mut tiltyard_server::ServeOptions| options.admin_token = None;
    let server = TestServer::start_in(folder.path(), without).await.unwrap();
    let First { token, code } = server.running().first().expect("is the first start").clone();
    let answer = sign_in(&server, json!({"code": code.expose()})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let view: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&view["owner"], &view["role"]), (&json!("admin"), &json!("admin")));
    let again = sign_in(&server, json!({"code": code.expose()})).await;
    assert_eq!((again.status, code_of(&again)), (401, "unauthenticated".into()));
    assert!(!again.head.contains("set-cookie"), "{again:?}");
    let cookie = cookie(&answer);
    assert_eq!(by_cookie(&server, "GET /api/v1/auth/tokens", &cookie, &[], "").await.status, 200);
    let port = server.address().port();
    server.stop().await;
    let again = TestServer::start_in(folder.path(), move |options| {
        options.admin_token = None;
        options.listen.set_port(port);
    });
    let again = again.await.unwrap();
    assert!(again.running().first().is_none(), "a store that has a token is not new");
    let read = by_cookie(&again, "GET /api/v1/auth/tokens", &cookie, &[], "").await;
    assert_eq!(read.status, 200, "a restart signs nobody out");
    let client = again.client_of(token.expose());
    let made = client.call(Request::<call::SignInCode>::new()).await.unwrap();
    assert!(
        made.code.len() == 68 && made.code.starts_with("jsc_") && !format!("{made:?}").contains(&made.code)
    );
    assert_eq!(sign_in(&again, json!({"code": made.code})).await.status, 201);
}

// API1: DELETE signs out: the cookie is taken away and good for nothing, whoever kept it. SEC21: all of it is on record.
#[tokio::test]
async fn api1_signing_out_ends_the_cookie() {
    let server = server().await;
    let minted = mint(&server, Role::Viewer).await;
    let cookie = cookie(&sign_in(&server, json!({"token": minted.token})).await);
    let own = own_origin(&server);
    let delete = format!("DELETE {SESSION}");
    let without = by_cookie(&server, &delete, &cookie, &[], "").await;
    assert_eq!(code_of(&without), "origin_forbidden", "another page signs nobody out");
    let out = by_cookie(&server, &delete, &cookie, &[&own], "").await;
    assert_eq!(out.status, 204, "{out:?}");
    assert!(out.head.contains("=; path=/; httponly; samesite=strict; max-age=0"), "{out:?}");
    assert_eq!(by_cookie(&server, "GET /api/v1/tasks", &cookie, &[], "").await.status, 401);
    let by_token = server.client_of(&minted.token).call(Request::<call::SignOut>::new()).await;
    assert_eq!(refusal(by_token), (409, "wrong_state".into()), "a token is not signed in");
    sign_in(&server, json!({"token": "jst_guessed"})).await;
    let filter = Filter { scope: Some("system".into()), ..Filter::default() };
    let entries = server.client().call(Request::<call::AuditList>::new().query(filter)).await.unwrap().items;
    let told = |action: &str| {
        let of = |entry: &&tiltyard_wire::audit::Entry| entry.action == action;
        entries.iter().filter(of).map(|entry| entry.actor.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told("auth.signed_in"), ["some viewer"]);
    assert_eq!(told("auth.signed_out"), ["some viewer"]);
    let refused = refused(&server.client(), 3).await;
    let guess = refused.iter().find(|entry| entry.target == "POST /auth/session").expect("is on record");
    assert_eq!((&*guess.actor, &guess.detail["code"]), ("anonymous", &json!("unauthenticated")));
}

// SEC19: a revoked token ends what was signed in by it; codes are for who has a right to read, and are the token's own.
#[tokio::test]
async fn sec19_revoking_a_token_signs_its_browsers_out() {
    let server = server().await;
    let minted = mint(&server, Role::Operator).await;
    let own = server.client_of(&minted.token);
    let code = own.call(Request::<call::SignInCode>::new()).await.unwrap();
    let cookie = cookie(&sign_in(&server, json!({"code": code.code})).await);
    let origin = own_origin(&server);
    let by_browser = by_cookie(&server, "POST /api/v1/auth/codes", &cookie, &[&origin], "").await;
    assert_eq!((by_browser.status, code_of(&by_browser)), (403, "forbidden".into()));
    let revoke = Request::<call::TokenRevoke>::new().place(minted.view.id);
    server.client().call(revoke).await.unwrap();
    assert_eq!(by_cookie(&server, "GET /api/v1/tasks", &cookie, &[], "").await.status, 401);
    let worker = server.client_of(&mint(&server, Role::Worker).await.token);
    assert_eq!(refusal(worker.call(Request::<call::SignInCode>::new()).await), (403, "forbidden".into()));
}

// SEC2: one of the two, and nothing else; SEC18: who guesses is slowed down, who knows is not.
#[tokio::test]
async fn sec18_guesses_are_charged_to_their_address() {
    let server = server().await;
    for wrong in [json!({}), json!({"token": "a", "code": "b"}), json!({"tokn": "a"})] {
        assert_eq!(sign_in(&server, wrong).await.status, 422);
    }
    for _ in 0..20 {
        let answer = sign_in(&server, json!({"code": "jsc_guessed"})).await;
        assert_eq!((answer.status, code_of(&answer)), (401, "unauthenticated".into()));
    }
    let beyond = sign_in(&server, json!({"code": "jsc_guessed"})).await;
    assert_eq!((beyond.status, code_of(&beyond)), (429, "too_many_failures".into()));
    assert!(beyond.head.contains("retry-after: "), "{beyond:?}");
    assert_eq!(sign_in(&server, json!({"token": ADMIN_TOKEN})).await.status, 201);
}

// API5: an Idempotency-Key belongs to a token; a sign-in shows none, so nobody is handed what another made.
#[tokio::test]
async fn api5_a_sign_in_is_never_replayed() {
    let server = server().await;
    let minted = mint(&server, Role::Viewer).await;
    let key = ["Idempotency-Key: same", STRANGER];
    let with = json!({"token": minted.token}).to_string();
    let line = format!("POST {SESSION}");
    let (one, two) = (raw(&server, &line, &key, &with).await, raw(&server, &line, &key, &with).await);
    assert_eq!((one.status, two.status), (201, 201));
    assert_ne!(cookie(&one), cookie(&two));
    let client = server.client();
    let code = || client.call(Request::<call::SignInCode>::new().idempotent("code"));
    code().await.unwrap();
    assert_eq!(refusal(code().await), (409, "already_exists".into()), "a secret is shown once");
}
