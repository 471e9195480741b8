//! What ends with a token (SEC19).

use crate::support::{follow, mint, mint_as, next, server, soon, submit, task};
use std::time::{Duration, Instant};
use tiltyard_client::http::Download;
use tiltyard_client::socket::Received;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::FakeAgent;
use tiltyard_testkit::agent::hello;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Query, ToReader};
use tiltyard_wire::time::Time;
use tiltyard_wire::token::{Mint, Minted};

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

// SEC19: revoked.
#[tokio::test]
async fn sec19_a_revoked_token_closes_its_streams_and_sockets_within_a_second() {
    let server = server().await;
    let admin = server.client();
    let Minted { view, token } = mint(&admin, Role::Admin, &["*"]).await;
    let own = server.client_of(&token);
    let held = open(&own).await;
    let mut other = follow(&admin, Query::default());
    let revoked = Instant::now();
    admin.call(Request::<call::TokenRevoke>::new().place(view.id)).await.unwrap();
    ended(held).await;
    assert!(revoked.elapsed() < LIMIT, "{:?}", revoked.elapsed());
    // Others go on.
    tokio::join!(async { assert!(next(&mut other).await.seq > 0) }, submit(&admin, task("still there")));
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
