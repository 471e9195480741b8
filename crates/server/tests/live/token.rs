//! What ends with a token (SEC19).

use crate::support::{follow, mint, mint_as, next, server, soon, submit, task};
use std::time::{Duration, Instant};
use tiltyard_client::http::Download;
use tiltyard_client::socket::Received;
use tiltyard_client::stream::Following;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::agent::hello;
use tiltyard_testkit::{FakeAgent, TestServer};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Query, ToReader};
use tiltyard_wire::sign_in::With;
use tiltyard_wire::time::Time;
use tiltyard_wire::token::{Mint, Minted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a stream or a socket may outlive its token.
const LIMIT: Duration = Duration::from_secs(1);

/// A stream and two sockets that live by one token.
async fn open(client: &Client) -> (Download, impl Future<Output = u16> + use<>, FakeAgent) {
    let mut download = client.download(Request::<call::EventStream>::new()).await.unwrap();
    assert!(soon(download.next()).await.unwrap().is_some(), "the opening");
    let (_sender, mut receiver) = client.connect_events(&Query::default()).await.unwrap();
    let closed = async move {
        loop {
            match soon(receiver.receive()).await {
                Ok(Received::Frame(ToReader::Lagged { .. })) => {
                    panic!("it does not lag")
                }
                Ok(_) => {}
                Err(Error::Closed { code, .. }) => return code,
                Err(other) => panic!("{other}"),
            }
        }
    };
    let (agent, _) = FakeAgent::welcome(client, hello("held", 1)).await.unwrap();
    (download, closed, agent)
}

/// Waits until all three have ended, for the right reason.
async fn ended(open: (Download, impl Future<Output = u16>, FakeAgent)) {
    let (mut download, closed, mut agent) = open;
    let streamed = async { while let Ok(Some(_)) = download.next().await {} };
    let ((), socket, agent) = tokio::join!(soon(streamed), closed, agent.closed());
    assert_eq!((socket, agent.unwrap()), (4401, 4401));
}

/// A stream that is open: it has told its first event.
async fn opened(admin: &Client, client: &Client) -> Following<call::EventStream> {
    submit(admin, task("first")).await;
    let mut stream = follow(client, Query { after: Some("0".into()), ..Query::default() });
    next(&mut stream).await;
    stream
}

/// The stream tells what happens now.
async fn goes_on(admin: &Client, stream: &mut Following<call::EventStream>) {
    let last = submit(admin, task("still there")).await;
    while next(stream).await.subject != last.id.to_string() {}
}

// SEC19: revoked.
#[tokio::test]
async fn sec19_a_revoked_token_closes_its_streams_and_sockets_within_a_second() {
    let server = server().await;
    let admin = server.client();
    let Minted { view, token } = mint(&admin, Role::Admin, &["*"]).await;
    let own = server.client_of(&token);
    let held = open(&own).await;
    let mut other = opened(&admin, &admin).await;
    let revoked = Instant::now();
    admin.call(Request::<call::TokenRevoke>::new().place(view.id)).await.unwrap();
    ended(held).await;
    assert!(revoked.elapsed() < LIMIT, "{:?}", revoked.elapsed());
    // Others go on.
    goes_on(&admin, &mut other).await;
}

// SEC19: rotated; the new token is another one.
#[tokio::test]
async fn sec19_a_rotated_token_closes_them_too() {
    let server = server().await;
    let admin = server.client();
    let Minted { view, token } = mint(&admin, Role::Admin, &["*"]).await;
    let held = open(&server.client_of(&token)).await;
    let rotated = Instant::now();
    let fresh = admin.call(Request::<call::TokenRotate>::new().place(view.id)).await.unwrap();
    ended(held).await;
    assert!(rotated.elapsed() < LIMIT, "{:?}", rotated.elapsed());
    drop(open(&server.client_of(&fresh.token)).await);
}

// SEC19: expired.
#[tokio::test]
async fn sec19_an_expired_token_closes_them_too() {
    let server = server().await;
    let admin = server.client();
    #[expect(clippy::disallowed_methods, reason = "a token expires by the wall clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let expires = now + Duration::from_secs(3);
    let minted = mint_as(
        &admin,
        Mint {
            label: "short".into(),
            role: Role::Admin,
            scopes: vec!["*".into()],
            queues: None,
            owner: None,
            groups: Vec::new(),
            expires: Some(Time(i64::try_from(expires.as_millis()).unwrap())),
        },
    )
    .await;
    let held = open(&server.client_of(&minted.token)).await;
    ended(held).await;
    #[expect(clippy::disallowed_methods, reason = "a token expires by the wall clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!((expires..expires + LIMIT).contains(&now), "{now:?} against {expires:?}");
}

// SEC19, API1: a stream that a browser opened ends when it is signed out, and the token's own goes on.
#[tokio::test]
async fn sec19_signing_out_closes_the_streams_of_that_browser() {
    let server = server().await;
    let admin = server.client();
    let minted = mint(&admin, Role::Operator, &["*"]).await;
    let mut other = opened(&admin, &server.client_of(&minted.token)).await;
    let body = With { token: Some(minted.token.clone()), code: None };
    let signed_in =
        send(&server, "POST /api/v1/auth/session", "", &serde_json::to_string(&body).unwrap()).await;
    let head = read_until(signed_in, "\r\n\r\n").await.to_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("sets a cookie");
    let port = server.address().port();
    let cookie = format!(
        "Cookie: {}\r\nOrigin: http://localhost:{port}\r\n",
        line.split(';').next().unwrap().to_owned()
    );
    let mut stream = send(&server, "GET /api/v1/events/stream", &cookie, "").await;
    let mut opening = [0; 12];
    stream.read_exact(&mut opening).await.unwrap();
    assert_eq!(&opening, b"HTTP/1.1 200");
    let began = Instant::now();
    let out = send(&server, "DELETE /api/v1/auth/session", &cookie, "").await;
    assert!(read_until(out, "\r\n\r\n").await.starts_with("HTTP/1.1 204"));
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    goes_on(&admin, &mut other).await;
}

async fn send(server: &TestServer, line: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let (port, length) = (server.address().port(), body.len());
    let text = format!(
        "{line} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn read_until(mut stream: TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        assert_ne!(soon(stream.read_buf(&mut read)).await.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
    }
    String::from_utf8(read).unwrap()
}
