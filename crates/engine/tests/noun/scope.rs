//! Scopes.

use crate::desk::{admin, caller};
use crate::rig::{Rig, spec};
use tiltyard_engine::scope::{delete, get, list, put};
use tiltyard_engine::template;
use tiltyard_model::refusal::Code;
use tiltyard_model::role::Role;
use tiltyard_model::task::Spec;
use tiltyard_model::template::Template;

async fn make(rig: &Rig, name: &'static str) {
    rig.act_as(&admin(), move |act| put(act, name, "a team")).await.expect("makes");
}

async fn code(rig: &Rig, name: &'static str) -> Code {
    rig.act_as(&admin(), move |act| delete(act, name)).await.expect_err("refused").code
}

#[tokio::test]
async fn a_scope_is_made_described_and_deleted() {
    let mut rig = Rig::new().await;
    make(&rig, "team").await;
    rig.act_as(&admin(), |act| put(act, "team", "another")).await.expect("describes");
    rig.act_as(&admin(), |act| put(act, "team", "another")).await.expect("changes nothing");
    rig.restart().await;
    let found = rig.read(|rows| get(rows, &admin(), "team")).await.expect("is there");
    assert_eq!(found.description, "another");
    rig.act_as(&admin(), |act| delete(act, "team")).await.expect("deletes");
    assert_eq!(rig.read(|rows| get(rows, &admin(), "team")).await.expect_err("gone").code, Code::NotFound);
    // SEC21, D51: each act has its event and its entry, and what changed nothing has none.
    assert_eq!(rig.told_of("scope").await, ["scope.saved@team", "scope.saved@team", "scope.deleted@team"]);
    assert_eq!(rig.acts_of("system").await, ["scope.put", "scope.put", "scope.deleted"]);
}

// D50: the sequence of a scope is gap-free, also across its deletion, a restart and its return.
#[tokio::test]
async fn d50_a_scope_that_comes_back_goes_on_counting() {
    let mut rig = Rig::new().await;
    make(&rig, "team").await;
    rig.act_as(&admin(), |act| delete(act, "team")).await.expect("deletes");
    rig.restart().await;
    make(&rig, "team").await;
    let of_team = rig.events().await.into_iter().filter(|event| event.scope == "team");
    assert_eq!(of_team.map(|event| event.scope_seq).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_scope_in_use_stays() {
    let rig = Rig::new().await;
    make(&rig, "busy").await;
    make(&rig, "kept").await;
    rig.submit(Spec { scope: "busy".into(), ..spec("one") }).await;
    assert_eq!(code(&rig, "busy").await, Code::InUse);
    let docs = Template {
        scope: "kept".into(),
        name: "docs".into(),
        description: String::new(),
        task: serde_json::Map::new(),
    };
    rig.act_as(&admin(), move |act| template::put(act, docs)).await.expect("saves");
    assert_eq!(code(&rig, "kept").await, Code::InUse);
    assert_eq!(code(&rig, "default").await, Code::Invalid);
    assert_eq!(code(&rig, "nowhere").await, Code::NotFound);
}

// SEC4: a scope named without right is 403, and lists show the token's own only.
#[tokio::test]
async fn sec4_scopes_of_others_are_not_shown() {
    let rig = Rig::new().await;
    make(&rig, "a").await;
    make(&rig, "b").await;
    let of_a = caller(Role::Admin, &["a"]);
    let names = async |caller| {
        let found = rig.read(move |rows| list(rows, &caller)).await.expect("lists");
        found.into_iter().map(|scope| scope.name).collect::<Vec<_>>()
    };
    assert_eq!(names(of_a.clone()).await, ["a"]);
    assert_eq!(names(admin()).await, ["a", "b", "default"]);
    let foreign = of_a.clone();
    let named = rig.read(move |rows| get(rows, &foreign, "b")).await.expect_err("foreign");
    assert_eq!(named.code, Code::ScopeForbidden);
    let made = rig.act_as(&of_a, |act| put(act, "c", "")).await.expect_err("not its own");
    assert_eq!(made.code, Code::ScopeForbidden);
    let deleted = rig.act_as(&of_a, |act| delete(act, "b")).await.expect_err("not its own");
    assert_eq!(deleted.code, Code::ScopeForbidden);
}
