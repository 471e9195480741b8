//! Tokens: minted, listed, rotated, revoked.

use crate::support::{client_with, make_scope, raw, refusal, server, submit, task, token};
use serde_json::Value;
use tiltyard_client::{Client, Request};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::agent::Register;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::PageQuery;
use tiltyard_wire::task::work::Claim;
use tiltyard_wire::time::Time;
use tiltyard_wire::token::{Mint, Minted, View};

fn minting(mint: Mint) -> Request<call::TokenMint> {
    Request::<call::TokenMint>::new().body(mint)
}

async fn mint(client: &Client, mint: Mint) -> Minted {
    client.call(minting(mint)).await.unwrap()
}

async fn list(client: &Client) -> Vec<View> {
    client.call(Request::<call::TokenList>::new()).await.unwrap().items
}

async fn revoke(client: &Client, id: Id) -> Result<(), tiltyard_client::Error> {
    client.call(Request::<call::TokenRevoke>::new().place(id)).await
}

/// Whether a token's text lets in.
async fn lets_in(server: &TestServer, text: &str) -> bool {
    let read = server.client_of(text).call(Request::<call::ScopeList>::new()).await;
    match read {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.status(), Some(401));
            false
        }
    }
}

// SEC1: the text is 64 hexadecimal digits behind `jst_`, shown once; the store has its digest only.
#[tokio::test]
async fn sec1_a_token_is_shown_once() {
    let server = server().await;
    let client = server.client();
    let minted =
        mint(&client, Mint { owner: Some("ada".into()), ..token(Role::Operator, &["default"]) }).await;
    let digits = minted.token.strip_prefix("jst_").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    assert_eq!((&*minted.view.owner, minted.view.role, minted.view.revoked), ("ada", Role::Operator, None));
    assert!(lets_in(&server, &minted.token).await);
    let shown = raw(&server, "GET /api/v1/auth/tokens", &[], "").await;
    assert!(shown.body.contains("some operator") && !shown.body.contains(digits), "{}", shown.body);
    server.client().call(Request::<call::ScopeList>::new()).await.unwrap();
    for file in std::fs::read_dir(server.folder()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(digits.len()).any(|part| part == digits.as_bytes());
            assert!(!found, "{} holds the text", path.display());
        }
    }
}

// SEC1: an identity is the owner, the label where none is named.
#[tokio::test]
async fn sec1_the_label_is_the_owner_where_none_is_named() {
    let server = server().await;
    let minted = mint(&server.client(), token(Role::Viewer, &["default"])).await;
    assert_eq!(minted.view.owner, "some viewer");
}

// SEC1, SEC19: a revoked token is refused at once, and stays in the list as what it was.
#[tokio::test]
async fn sec19_a_revoked_token_is_refused_at_once() {
    let server = server().await;
    let client = server.client();
    let minted = mint(&client, token(Role::Viewer, &["default"])).await;
    assert!(lets_in(&server, &minted.token).await);
    revoke(&client, minted.view.id).await.unwrap();
    assert!(!lets_in(&server, &minted.token).await);
    revoke(&client, minted.view.id).await.unwrap();
    let all = list(&client).await;
    assert_eq!((all.len(), all[0].id, all[0].revoked.is_some()), (1, minted.view.id, true));
}

// SEC19: a rotated token is refused at once; the new one is its like.
#[tokio::test]
async fn sec19_rotation_ends_the_old_text() {
    let server = server().await;
    let client = server.client();
    let queues = Some(vec!["builds".to_owned()]);
    let old = mint(&client, Mint { queues, ..token(Role::Worker, &["default"]) }).await;
    let rotate = |id| client.call(Request::<call::TokenRotate>::new().place(id));
    let new = rotate(old.view.id).await.unwrap();
    assert!(new.token != old.token && new.view.id != old.view.id);
    let like = View { id: old.view.id, created: old.view.created, ..new.view.clone() };
    assert_eq!(like, old.view);
    assert!(!lets_in(&server, &old.token).await && lets_in(&server, &new.token).await);
    assert_eq!(refusal(rotate(old.view.id).await), (409, "wrong_state".into()));
}

// API3: newest first, page by page.
#[tokio::test]
async fn api3_tokens_come_page_by_page() {
    let server = server().await;
    let client = server.client();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(mint(&client, token(Role::Viewer, &["default"])).await.view.id);
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = PageQuery { limit: Some(2), cursor, ..PageQuery::default() };
        let page = client.call(Request::<call::TokenList>::new().query(query)).await.unwrap();
        assert_eq!((page.total, page.total_is), (5, None));
        seen.extend(page.items.into_iter().map(|token| token.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
    let query = PageQuery { offset: Some(3), ..PageQuery::default() };
    let rest = client.call(Request::<call::TokenList>::new().query(query)).await.unwrap();
    assert_eq!(rest.items.iter().map(|token| token.id).collect::<Vec<_>>(), made[3..]);
}

#[tokio::test]
async fn what_a_token_cannot_be_is_refused() {
    let server = server().await;
    let client = server.client();
    let wrong = |change: fn(&mut Mint)| {
        let mut mint = token(Role::Operator, &["default"]);
        change(&mut mint);
        let client = client.clone();
        async move { refusal(client.call(minting(mint)).await) }
    };
    let invalid = (422, "invalid".to_owned());
    assert_eq!(wrong(|mint| mint.label = String::new()).await, invalid);
    assert_eq!(wrong(|mint| mint.scopes.clear()).await, invalid);
    assert_eq!(wrong(|mint| mint.owner = Some("system".into())).await, invalid);
    assert_eq!(wrong(|mint| mint.queues = Some(vec!["q".into()])).await, invalid);
    assert_eq!(wrong(|mint| mint.expires = Some(Time(1))).await, invalid);
    assert_eq!(wrong(|mint| mint.scopes = vec!["nowhere".into()]).await, (422, "unknown_scope".into()));
    let said =
        raw(&server, "POST /api/v1/auth/tokens", &[], r#"{"label":"x","role":"god","scopes":["*"]}"#).await;
    let said: Value = serde_json::from_str(&said.body).unwrap();
    assert_eq!((&said["status"], &said["field"]), (&422.into(), &"/role".into()));
    assert_eq!(list(&client).await.len(), 0);
    let nobody = Id::from_parts(Noun::Token, 7, 8);
    assert_eq!(refusal(revoke(&client, nobody).await), (404, "not_found".into()));
}

// SEC3: tokens are admins' business. SEC4: and an admin of some scopes manages what lies within them.
#[tokio::test]
async fn sec4_a_small_admin_makes_no_great_one() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    let great = mint(&client, token(Role::Viewer, &["*"])).await;
    let web = mint(&client, token(Role::Viewer, &["web"])).await;
    let small = client_with(&server, token(Role::Admin, &["default"])).await;
    for scopes in [&["*"][..], &["web"], &["default", "web"]] {
        let refused = small.call(minting(token(Role::Viewer, scopes))).await;
        assert_eq!(refusal(refused), (403, "scope_forbidden".into()), "{scopes:?}");
    }
    for id in [great.view.id, web.view.id] {
        assert_eq!(refusal(revoke(&small, id).await), (404, "not_found".into()));
        let rotated = small.call(Request::<call::TokenRotate>::new().place(id)).await;
        assert_eq!(refusal(rotated), (404, "not_found".into()));
    }
    let own: Vec<String> = list(&small).await.into_iter().map(|token| token.label).collect();
    assert_eq!(own, ["some admin"]);
    let query = PageQuery { scope: Some("web".into()), ..PageQuery::default() };
    let of_web = client.call(Request::<call::TokenList>::new().query(query)).await.unwrap();
    assert_eq!(of_web.items.iter().map(|token| token.id).collect::<Vec<_>>(), [web.view.id]);
    for role in [Role::Viewer, Role::Operator, Role::Agent, Role::Worker] {
        let other = client_with(&server, token(role, &["*"])).await;
        let refused = other.call(minting(token(Role::Viewer, &["default"]))).await;
        assert_eq!(refusal(refused), (403, "forbidden".into()), "{role:?}");
        assert_eq!(refusal(revoke(&other, great.view.id).await), (403, "forbidden".into()), "{role:?}");
    }
    assert!(lets_in(&server, &great.token).await && lets_in(&server, &web.token).await);
}

// SEC3: an agent's token speaks for that agent and no other.
#[tokio::test]
async fn sec3_an_agents_token_is_bound_to_its_name() {
    let server = server().await;
    let client = server.client();
    let body = Register { name: "ant".into(), ..Register::default() };
    let registered = client.call(Request::<call::AgentRegister>::new().body(body)).await.unwrap();
    let ant = server.client_of(&registered.token);
    submit(&client, task("work")).await;
    let claim = |agent: &str| {
        let body = Claim { agent: agent.into(), ..Claim::default() };
        ant.call(Request::<call::TaskClaim>::new().body(body))
    };
    assert_eq!(refusal(claim("bee").await), (403, "forbidden".into()));
    assert_eq!(claim("ant").await.unwrap().tasks.len(), 1);
    assert_eq!(list(&client).await[0].agent.as_deref(), Some("ant"));
}
