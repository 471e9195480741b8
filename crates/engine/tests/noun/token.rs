//! Tokens.

use crate::desk::{admin, caller};
use crate::rig::{Rig, START};
use tiltyard_engine::act::Effect;
use tiltyard_engine::token::{self, Minted, Page};
use tiltyard_model::refusal::Code;
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::token::Mint;
use tiltyard_store::token::Window;

const ALL: Window = Window { below: i64::MAX, offset: 0, limit: 100 };

fn wish(label: &str, role: Role, scopes: &[&str]) -> Mint {
    Mint {
        label: label.into(),
        role,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    }
}

async fn mint(rig: &Rig, mint: Mint) -> Minted {
    let random = token::random().expect("random");
    rig.act_as(&admin(), move |act| token::mint(act, &mint, &random)).await.expect("mints")
}

async fn list(rig: &Rig, caller: Caller) -> Page {
    rig.read(move |rows| token::page(rows, &caller, ALL)).await.expect("lists")
}

fn who(rig: &Rig, text: &str) -> Result<String, Code> {
    let found = rig.engine.tokens().verify(text, rig.engine.clock().now().wall);
    found.map(|caller| caller.owner.clone()).map_err(|refusal| refusal.code)
}

async fn scope(rig: &Rig, name: &'static str) {
    rig.act(move |act| tiltyard_engine::scope::put(act, name, "")).await.expect("makes");
}

// SEC1: minted from randomness, shown once, only the digest is kept; it authenticates at once and after a restart.
#[tokio::test]
async fn sec1_only_the_digest_is_kept() {
    let mut rig = Rig::new().await;
    let minted = mint(&rig, wish("ci", Role::Operator, &["default"])).await;
    assert!(minted.text.starts_with("jst_") && minted.text.len() == 68);
    assert_eq!(who(&rig, &minted.text), Ok("ci".into()));
    assert_eq!(who(&rig, &minted.text.to_uppercase()), Err(Code::Unauthenticated));
    assert_eq!(who(&rig, &"x".repeat(1_025)), Err(Code::Unauthenticated));
    assert!(!format!("{minted:?}").contains(&minted.text), "not even a debug line shows it");
    rig.restart().await;
    assert_eq!(who(&rig, &minted.text), Ok("ci".into()));
    let found = rig.engine.tokens().verify(&minted.text, START).expect("is known");
    assert_eq!(
        (found.role, found.token, found.reach.covers("other")),
        (Role::Operator, Some(minted.token.id), false)
    );
    rig.engine.close().await.expect("closes");
    for name in ["tiltyard.db", "tiltyard.db-wal"] {
        let bytes = std::fs::read(rig.folder.path().join(name)).unwrap_or_default();
        let digits = &minted.text.as_bytes()[4..];
        assert!(!bytes.windows(digits.len()).any(|window| window == digits), "{name} holds the token");
    }
}

// SEC2: a store without tokens gets one admin token, once.
#[tokio::test]
async fn sec2_the_first_token_is_made_once() {
    let mut rig = Rig::new().await;
    let random = token::random().expect("random");
    let first = rig.act(move |act| token::first(act, &random)).await.expect("makes").expect("none yet");
    assert_eq!((first.token.owner.as_str(), first.token.role), ("admin", Role::Admin));
    let id = first.token.id;
    rig.act_as(&admin(), move |act| token::revoke(act, id)).await.expect("revokes");
    rig.restart().await;
    let again = rig.act(|act| token::first(act, &[7; 32])).await.expect("looks");
    assert_eq!(again, None, "a store whose tokens were all revoked is no new store");
}

// SEC2: ADMIN_TOKEN is an admin beside the store; a short one is no secret.
#[tokio::test]
async fn sec2_the_admin_of_the_environment_is_beside_the_store() {
    let rig = Rig::new().await;
    assert_eq!(rig.engine.tokens().take_admin("fifteen letters").expect_err("short").code, Code::Invalid);
    assert_eq!(who(&rig, "sixteen letters!"), Err(Code::Unauthenticated));
    rig.engine.tokens().take_admin("sixteen letters!").expect("long enough");
    assert_eq!(who(&rig, "sixteen letters!"), Ok("admin".into()));
    assert_eq!(list(&rig, admin()).await.total, 0);
}

// SEC19: revoking and rotating end a token at once, close what it opened, and are told.
#[tokio::test]
async fn sec19_a_revoked_token_ends_at_once() {
    let mut rig = Rig::new().await;
    let mut effects = rig.engine.door().effects();
    let (one, two) = (
        mint(&rig, wish("one", Role::Viewer, &["*"])).await,
        mint(&rig, wish("two", Role::Viewer, &["*"])).await,
    );
    let id = one.token.id;
    rig.act_as(&admin(), move |act| token::revoke(act, id)).await.expect("revokes");
    assert_eq!(who(&rig, &one.text), Err(Code::Unauthenticated));
    assert_eq!(effects.recv().await, Ok(Effect::TokenEnded { token: id }));
    rig.act_as(&admin(), move |act| token::revoke(act, id)).await.expect("stays revoked");
    let old = two.token.id;
    let fresh = rig.act_as(&admin(), move |act| token::rotate(act, old, &[9; 32])).await.expect("rotates");
    assert_eq!(effects.recv().await, Ok(Effect::TokenEnded { token: old }));
    assert_eq!(
        (who(&rig, &two.text), who(&rig, &fresh.text)),
        (Err(Code::Unauthenticated), Ok("two".into()))
    );
    let again = rig.act_as(&admin(), move |act| token::rotate(act, old, &[8; 32])).await.expect_err("ended");
    assert_eq!(again.code, Code::WrongState);
    rig.restart().await;
    assert_eq!(
        (who(&rig, &one.text), who(&rig, &fresh.text)),
        (Err(Code::Unauthenticated), Ok("two".into()))
    );
    let story = ["token.created", "token.created", "token.revoked", "token.rotated"];
    assert_eq!(rig.acts_of("system").await, story, "SEC21: one entry an act");
    assert_eq!(rig.told_of("token").await.len(), 5);
    let items = list(&rig, admin()).await.items;
    assert_eq!(items.iter().map(|token| token.revoked.is_some()).collect::<Vec<_>>(), [false, true, true]);
}

// SEC19: an expired token is refused from that moment on, and its streams close by the same effect, also when it
// expired while no server ran.
#[tokio::test]
async fn sec19_an_expired_token_ends_by_itself() {
    let mut rig = Rig::new().await;
    let soon = Mint { expires: Some(START + 1_000), ..wish("soon", Role::Viewer, &["*"]) };
    let later = Mint { expires: Some(START + 5_000), ..wish("later", Role::Viewer, &["*"]) };
    let (soon, later) = (mint(&rig, soon).await, mint(&rig, later).await);
    let mut effects = rig.engine.door().effects();
    rig.clock.advance(999);
    assert_eq!(
        (who(&rig, &soon.text), rig.engine.tokens().next_expiry()),
        (Ok("soon".into()), Some(START + 1_000))
    );
    rig.clock.advance(1);
    assert_eq!(who(&rig, &soon.text), Err(Code::Unauthenticated));
    assert_eq!(rig.act(token::expire_due).await.expect("expires"), 1);
    assert_eq!(effects.recv().await, Ok(Effect::TokenEnded { token: soon.token.id }));
    assert_eq!(rig.act(token::expire_due).await.expect("has done it"), 0);
    rig.clock.advance(60_000);
    rig.restart().await;
    assert_eq!(who(&rig, &later.text), Err(Code::Unauthenticated));
    assert_eq!(rig.act(token::expire_due).await.expect("expires"), 1);
    let told = rig.chain("system").await.into_iter().filter(|entry| entry.action == "token.revoked");
    assert_eq!(told.map(|entry| entry.detail["reason"].clone()).collect::<Vec<_>>(), ["expired", "expired"]);
}

// SEC1: last used is kept to the minute, written now and then.
#[tokio::test]
async fn sec1_the_last_use_is_kept_to_the_minute() {
    let mut rig = Rig::new().await;
    let minted = mint(&rig, wish("ci", Role::Viewer, &["*"])).await;
    rig.clock.advance(90_000);
    who(&rig, &minted.text).expect("is known");
    let used = rig.engine.tokens().used(10);
    let minute = (START + 90_000) / 60_000 * 60_000;
    assert_eq!(used, [(minted.token.id.key(), minute)]);
    rig.act(move |act| token::keep_used(act, &used)).await.expect("keeps");
    who(&rig, &minted.text).expect("is known");
    assert_eq!(rig.engine.tokens().used(10), [], "the same minute is not written twice");
    rig.restart().await;
    assert_eq!(list(&rig, admin()).await.items[0].last_used, Some(minute));
}

// SEC1: people are identities with a live operator or admin token of the scope, each counted once.
#[tokio::test]
async fn sec1_an_identity_is_one_person_however_many_tokens() {
    let rig = Rig::new().await;
    scope(&rig, "a").await;
    let now = START;
    for (owner, role, scopes) in [
        ("ada", Role::Operator, ["*"]),
        ("ada", Role::Admin, ["a"]),
        ("bob", Role::Operator, ["default"]),
        ("eve", Role::Viewer, ["*"]),
        ("bot", Role::Worker, ["*"]),
    ] {
        mint(&rig, Mint { owner: Some(owner.into()), ..wish("x", role, &scopes) }).await;
    }
    let short = Mint { expires: Some(START + 1), ..wish("cyd", Role::Operator, &["a"]) };
    mint(&rig, short).await;
    let tokens = rig.engine.tokens();
    assert_eq!(
        (tokens.humans("a", now), tokens.humans("default", now), tokens.humans("a", now + 1)),
        (2, 2, 1)
    );
    assert!(tokens.is_human("bob", "default", now) && !tokens.is_human("bob", "a", now));
    tokens.take_admin("sixteen letters!").expect("long enough");
    assert_eq!(tokens.humans("a", now + 1), 2);
}

// SEC3: an agent's token speaks for that agent, and ends with it.
#[tokio::test]
async fn sec3_an_agent_s_token_ends_with_the_agent() {
    let rig = Rig::new().await;
    let minted = rig
        .act_as(&admin(), |act| {
            tiltyard_engine::agent::register(act, "builder", tiltyard_model::agent::Profile::default())?;
            token::mint_for_agent(act, "builder", &["default".to_owned()], &[3; 32])
        })
        .await
        .expect("registers");
    let found = rig.engine.tokens().verify(&minted.text, START).expect("is known");
    assert_eq!(
        (found.role, found.agent.as_deref(), found.owner.as_str()),
        (Role::Agent, Some("builder"), "agent:builder")
    );
    rig.act_as(&admin(), |act| tiltyard_engine::agent::delete(act, "builder")).await.expect("deletes");
    assert_eq!(who(&rig, &minted.text), Err(Code::Unauthenticated));
}

// SEC4: an admin of some scopes neither sees nor makes tokens beyond them.
#[tokio::test]
async fn sec4_a_small_admin_makes_no_great_one() {
    let rig = Rig::new().await;
    for name in ["a", "b"] {
        scope(&rig, name).await;
    }
    let (own, all, both) = (
        mint(&rig, wish("own", Role::Viewer, &["a"])).await.token.id,
        mint(&rig, wish("all", Role::Viewer, &["*"])).await.token.id,
        mint(&rig, wish("both", Role::Viewer, &["a", "b"])).await.token.id,
    );
    let small = caller(Role::Admin, &["a"]);
    let seen = list(&rig, small.clone()).await;
    assert_eq!((seen.items.iter().map(|token| token.id).collect::<Vec<_>>(), seen.total), (vec![own], 1));
    for id in [all, both] {
        let refused = rig.act_as(&small, move |act| token::revoke(act, id)).await.expect_err("foreign");
        assert_eq!(refused.code, Code::NotFound);
    }
    let minted = async |scopes: &'static [&'static str]| {
        let mint = wish("x", Role::Admin, scopes);
        rig.act_as(&small, move |act| token::mint(act, &mint, &[5; 32])).await.map(drop).map_err(|r| r.code)
    };
    assert_eq!(minted(&["*"]).await, Err(Code::ScopeForbidden));
    assert_eq!(minted(&["a", "b"]).await, Err(Code::ScopeForbidden));
    assert_eq!(minted(&["a"]).await, Ok(()));
    let nowhere = rig.act(|act| token::mint(act, &wish("x", Role::Viewer, &["nowhere"]), &[6; 32])).await;
    assert_eq!(nowhere.expect_err("no such scope").code, Code::UnknownScope);
}

// What the door takes back is taken back from the table too.
#[tokio::test]
async fn a_token_that_was_taken_back_authenticates_nobody() {
    let rig = Rig::new().await;
    let made = rig
        .act(|act| {
            token::mint(act, &wish("x", Role::Admin, &["*"]), &[1; 32])?;
            Err::<(), _>(tiltyard_model::refusal::Refusal::new(Code::Internal, "later, something else fails"))
        })
        .await;
    assert_eq!(made.expect_err("fails").code, Code::Internal);
    let text = tiltyard_model::token::text_of(&[1; 32]);
    assert_eq!((who(&rig, &text), rig.engine.tokens().len()), (Err(Code::Unauthenticated), 0));
    let kept = mint(&rig, wish("kept", Role::Admin, &["*"])).await;
    let id = kept.token.id;
    let revoked = rig.act(move |act| {
        token::revoke(act, id)?;
        Err::<(), _>(tiltyard_model::refusal::Refusal::new(Code::Internal, "later, something else fails"))
    });
    assert!(revoked.await.is_err());
    assert_eq!(who(&rig, &kept.text), Ok("kept".into()));
}

// The same randomness twice is no randomness: the second token is refused, the first lives on.
#[tokio::test]
async fn repeated_randomness_is_noticed() {
    let rig = Rig::new().await;
    let twice = async || {
        rig.act(|act| token::mint(act, &wish("x", Role::Viewer, &["*"]), &[2; 32])).await.map_err(|r| r.code)
    };
    assert!(twice().await.is_ok());
    assert_eq!(twice().await.expect_err("twice"), Code::Internal);
}

// A scope that a live token names is in use: it must not come back with the token still good for it.
#[tokio::test]
async fn a_scope_with_tokens_stays() {
    let rig = Rig::new().await;
    scope(&rig, "a").await;
    let id = mint(&rig, wish("x", Role::Viewer, &["a"])).await.token.id;
    let refused = rig.act(|act| tiltyard_engine::scope::delete(act, "a")).await.expect_err("in use");
    assert_eq!(refused.code, Code::InUse);
    rig.act(move |act| token::revoke(act, id)).await.expect("revokes");
    rig.act(|act| tiltyard_engine::scope::delete(act, "a")).await.expect("deletes");
}
