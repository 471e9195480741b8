//! Sign-ins of browsers.

use crate::desk::admin;
use crate::rig::{Rig, START};
use tiltyard_engine::act::Effect;
use tiltyard_engine::sign_in::{self, Made, Proof};
use tiltyard_engine::token::{self, Minted};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::sign_in::{CODE_MS, MAX_CODES_PER_TOKEN, MAX_SIGN_INS_PER_TOKEN, SIGN_IN_MS};
use tiltyard_model::time::TimeMs;
use tiltyard_model::token::Mint;

async fn mint(rig: &Rig, expires: Option<TimeMs>) -> Minted {
    let mint = Mint {
        label: "ada's".into(),
        role: Role::Operator,
        scopes: vec!["default".into()],
        queues: None,
        owner: Some("ada".into()),
        groups: vec!["security".into()],
        expires,
    };
    let random = token::random().expect("random");
    rig.act_as(&admin(), move |act| token::mint(act, &mint, &random)).await.expect("mints")
}

async fn offer(rig: &Rig, caller: &Caller) -> Result<Made, Refusal> {
    let random = token::random().expect("random");
    rig.act_as(caller, move |act| sign_in::offer(act, &random)).await
}

async fn sign_in(rig: &Rig, proof: Proof) -> Result<Made, Code> {
    let random = token::random().expect("random");
    let who = rig.engine.tokens().who(&proof, rig.engine.clock().now().wall);
    let who = who.map_err(|refusal| refusal.code)?;
    let made = rig.act_as(&who, move |act| sign_in::sign_in(act, &proof, &random)).await;
    made.map_err(|refusal| refusal.code)
}

fn by_code(made: &Made) -> Proof {
    Proof::Code(made.text.clone())
}

fn by_token(minted: &Minted) -> Proof {
    Proof::Token(minted.text.clone().into())
}

/// Who a cookie stands for, now.
fn who(rig: &Rig, made: &Made) -> Result<Caller, Code> {
    let found = rig.engine.tokens().verify_cookie(made.text.expose(), rig.engine.clock().now().wall);
    found.map(|caller| Caller::clone(&caller)).map_err(|refusal| refusal.code)
}

const GONE: Result<Caller, Code> = Err(Code::Unauthenticated);

// SEC2, API1: a cookie authenticates like the token that made it, also after a restart, and only its digest is kept.
#[tokio::test]
async fn sec2_a_cookie_stands_for_its_token_and_outlives_a_restart() {
    let mut rig = Rig::new().await;
    let minted = mint(&rig, None).await;
    let made = sign_in(&rig, by_token(&minted)).await.expect("signs in");
    let found = who(&rig, &made).expect("is known");
    let own = Caller { sign_in: found.sign_in, expires: Some(START + SIGN_IN_MS), ..minted.token.caller() };
    assert_eq!((found.sign_in.is_some(), &found), (true, &own));
    let as_token = rig.engine.tokens().verify(made.text.expose(), START);
    assert_eq!(as_token.expect_err("is no token").code, Code::Unauthenticated);
    rig.restart().await;
    assert_eq!(who(&rig, &made), Ok(own));
    rig.engine.close().await.expect("closes");
    for name in ["tiltyard.db", "tiltyard.db-wal"] {
        let bytes = std::fs::read(rig.folder.path().join(name)).unwrap_or_default();
        let digits = &made.text.expose().as_bytes()[4..];
        assert!(!bytes.windows(digits.len()).any(|window| window == digits), "{name} holds the text");
    }
}

// SEC2: a code signs in once, within fifteen minutes, and is no cookie and no token.
#[tokio::test]
async fn sec2_a_code_is_used_once_and_soon() {
    let mut rig = Rig::new().await;
    let caller = mint(&rig, None).await.token.caller();
    let code = offer(&rig, &caller).await.expect("makes");
    assert_eq!((code.expires, who(&rig, &code)), (START + CODE_MS, GONE));
    rig.restart().await;
    let made = sign_in(&rig, by_code(&code)).await.expect("signs in, also after a restart");
    assert_eq!((made.expires, made.caller.owner.as_str()), (START + SIGN_IN_MS, "ada"));
    assert_eq!(sign_in(&rig, by_code(&code)).await.err(), Some(Code::Unauthenticated), "it was used");
    assert_eq!(sign_in(&rig, by_code(&made)).await.err(), Some(Code::Unauthenticated), "a cookie is no code");
    let late = offer(&rig, &caller).await.expect("makes");
    rig.clock.advance(CODE_MS - 1);
    let other = offer(&rig, &caller).await.expect("makes");
    assert!(rig.engine.tokens().who(&by_code(&late), START + CODE_MS - 1).is_ok());
    rig.clock.advance(1);
    assert_eq!(sign_in(&rig, by_code(&late)).await.err(), Some(Code::Unauthenticated), "it is too old");
    sign_in(&rig, by_code(&other)).await.expect("is not too old");
    let again = offer(&rig, &made.caller).await.expect_err("a sign-in does not prolong itself");
    assert_eq!(again.code, Code::Forbidden);
}

// SEC2: a code is used once, whoever is quickest.
#[tokio::test]
async fn sec2_of_two_that_use_a_code_at_once_one_is_let_in() {
    let rig = Rig::new().await;
    let caller = mint(&rig, None).await.token.caller();
    let code = offer(&rig, &caller).await.expect("makes");
    let (one, two) = tokio::join!(sign_in(&rig, by_code(&code)), sign_in(&rig, by_code(&code)));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

// SEC19: a sign-in ends with its token, revoked, rotated or expired, and so do codes; nothing comes back with a restart.
#[tokio::test]
async fn sec19_a_sign_in_ends_with_its_token() {
    let mut rig = Rig::new().await;
    let short = mint(&rig, Some(START + 60_000)).await;
    let (revoked, rotated) = (mint(&rig, None).await, mint(&rig, None).await);
    let mut made = Vec::new();
    for minted in [&revoked, &rotated, &short] {
        made.push(sign_in(&rig, by_token(minted)).await.expect("signs in"));
    }
    let code = offer(&rig, &revoked.token.caller()).await.expect("makes");
    assert_eq!(made[2].expires, START + 60_000, "never longer than the token");
    let (one, two) = (revoked.token.id, rotated.token.id);
    let mut effects = rig.engine.door().effects();
    rig.act_as(&admin(), move |act| token::revoke(act, one)).await.expect("revokes");
    assert_eq!(effects.recv().await, Ok(Effect::SignInEnded));
    rig.act_as(&admin(), move |act| token::rotate(act, two, &[9; 32])).await.expect("rotates");
    rig.clock.advance(60_000);
    let ended = |rig: &Rig| made.iter().map(|made| who(rig, made)).collect::<Vec<_>>();
    assert_eq!(ended(&rig), [GONE; 3]);
    assert_eq!(sign_in(&rig, by_code(&code)).await.err(), Some(Code::Unauthenticated));
    assert_eq!(rig.engine.tokens().next_expiry(), Some(START + 60_000));
    assert_eq!(rig.act(token::expire_due).await.expect("expires"), 1);
    assert_eq!(rig.engine.tokens().next_expiry(), None, "its sign-in went with it");
    rig.restart().await;
    assert_eq!(ended(&rig), [GONE; 3]);
}

// SEC2: signing out ends that browser's sign-in and no other; a token has none to end. SEC21: both are on record.
#[tokio::test]
async fn sec21_signing_in_and_out_is_on_record() {
    let mut rig = Rig::new().await;
    let minted = mint(&rig, None).await;
    let code = offer(&rig, &minted.token.caller()).await.expect("makes");
    let (one, two) = (sign_in(&rig, by_token(&minted)).await, sign_in(&rig, by_code(&code)).await);
    let (one, two) = (one.expect("signs in"), two.expect("signs in"));
    let leaving = who(&rig, &one).expect("is signed in");
    rig.act_as(&leaving, sign_in::sign_out).await.expect("signs out");
    rig.act_as(&leaving, sign_in::sign_out).await.expect("is out already");
    assert_eq!((who(&rig, &one), who(&rig, &two).is_ok()), (GONE, true));
    let by_token = rig.act_as(&minted.token.caller(), sign_in::sign_out).await.expect_err("no sign-in");
    assert_eq!(by_token.code, Code::WrongState);
    rig.restart().await;
    assert_eq!((who(&rig, &one), who(&rig, &two).is_ok()), (GONE, true));
    let chain = rig.chain("system").await;
    let told = chain.iter().filter(|entry| entry.action.starts_with("auth.")).map(|entry| {
        let by = entry.detail.get("by").and_then(|by| by.as_str()).unwrap_or_default();
        (entry.action.as_str(), entry.actor.as_str(), by)
    });
    let story = [
        ("auth.signed_in", "ada", "token"),
        ("auth.signed_in", "ada", "code"),
        ("auth.signed_out", "ada", ""),
    ];
    assert_eq!(told.collect::<Vec<_>>(), story);
    assert!(chain.iter().all(|entry| !entry.line().contains(&one.text.expose()[4..])));
}

// SEC2: what stands for ADMIN_TOKEN is good for as long as the variable is what it was; where there is none, nobody
// needs to sign in.
#[tokio::test]
async fn sec2_a_sign_in_by_the_environment_ends_with_the_variable() {
    let mut rig = Rig::new().await;
    let nobody = Caller { owner: "admin".into(), ..Caller::system() };
    assert_eq!(offer(&rig, &nobody).await.expect_err("no token at all").code, Code::WrongState);
    rig.engine.tokens().take_admin("sixteen letters!").expect("long enough");
    let code = offer(&rig, &nobody).await.expect("makes");
    let made = sign_in(&rig, by_code(&code)).await.expect("signs in");
    assert_eq!(who(&rig, &made).map(|caller| (caller.owner, caller.token)), Ok(("admin".into(), None)));
    rig.restart().await;
    assert_eq!(who(&rig, &made), GONE, "the variable is not set");
    rig.engine.tokens().take_admin("another secret...").expect("long enough");
    assert_eq!(who(&rig, &made), GONE, "it is another one");
    rig.engine.tokens().take_admin("sixteen letters!").expect("long enough");
    assert!(who(&rig, &made).is_ok());
}

// SEC2: no table without a limit: one more of a token ends its oldest; what is over goes by itself.
#[tokio::test]
async fn sec2_there_are_only_so_many_of_a_token() {
    let rig = Rig::new().await;
    let (minted, other) = (mint(&rig, None).await, mint(&rig, None).await);
    let bystander = sign_in(&rig, by_token(&other)).await.expect("signs in");
    let first_code = offer(&rig, &minted.token.caller()).await.expect("makes");
    for _ in 0..MAX_CODES_PER_TOKEN {
        offer(&rig, &minted.token.caller()).await.expect("makes");
    }
    assert_eq!(sign_in(&rig, by_code(&first_code)).await.err(), Some(Code::Unauthenticated));
    let first = sign_in(&rig, by_token(&minted)).await.expect("signs in");
    for _ in 1..MAX_SIGN_INS_PER_TOKEN {
        sign_in(&rig, by_token(&minted)).await.expect("signs in");
    }
    assert!(who(&rig, &first).is_ok(), "so many are allowed");
    sign_in(&rig, by_token(&minted)).await.expect("signs in");
    assert_eq!((who(&rig, &first), who(&rig, &bystander).is_ok()), (GONE, true));
    rig.clock.advance(SIGN_IN_MS);
    assert_eq!(who(&rig, &bystander), GONE);
    let expired = rig.act(sign_in::expire_due).await.expect("expires");
    assert_eq!(expired, MAX_SIGN_INS_PER_TOKEN + MAX_CODES_PER_TOKEN + 1);
    assert_eq!(rig.engine.tokens().next_expiry(), None);
}
