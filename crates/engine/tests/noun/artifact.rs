//! Artifacts that were stored for work to come, and what becomes of them when it does not (D21).

use crate::desk::caller;
use crate::rig::Rig;
use tiltyard_engine::artifact::{LOOSE_FOR_MS, Post, get, post};
use tiltyard_engine::service::{Ran, Service, all};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Role;
use tiltyard_store::artifact::{Artifact, refer};

fn retain() -> Box<dyn Service> {
    all().into_iter().find(|service| service.name() == "retain").expect("is there")
}

impl Rig {
    async fn post(&self, scope: &str, text: &str) -> Result<Artifact, Refusal> {
        let (media_type, name) = (Some("text/plain".to_owned()), Some("in.txt".to_owned()));
        let new = Post { scope: scope.to_owned(), kept: self.kept(text), media_type, name };
        self.act_as(&caller(Role::Operator, &["*"]), move |act| post(act, &new)).await
    }

    async fn is_there(&self, id: Id) -> bool {
        let found = self.read(move |rows| get(rows, &caller(Role::Viewer, &["*"]), id)).await;
        found.is_ok()
    }
}

// D21: what is stored for work to come has its row and its event, once its bytes are on disk.
#[tokio::test]
async fn d21_bytes_are_stored_for_work_to_come() {
    let rig = Rig::new().await;
    let (one, same) = (rig.post("default", "one").await.expect("is named"), rig.post("default", "one").await);
    let same = same.expect("is named again");
    assert_eq!((one.sha256.as_str(), one.size), (same.sha256.as_str(), 3));
    assert_ne!(one.id, same.id, "each has its own day");
    assert_eq!((one.attempt, one.run, one.output.as_deref()), (None, None, None));
    assert_eq!(rig.told_of("artifact").await, ["artifact.stored@default"; 2]);
    assert_eq!(rig.post("nowhere", "x").await.expect_err("is no scope").code, Code::UnknownScope);
    let (kept, scope) = (rig.kept("y"), "default".to_owned());
    let odd = Post { scope, kept, media_type: None, name: Some("../y".to_owned()) };
    let refused = rig.act(move |act| post(act, &odd)).await.expect_err("is no name");
    assert_eq!((refused.code, refused.faults[0].field.as_str()), (Code::Invalid, "/name"));
}

// D21: a day after it came, what nothing refers to is gone, rows and bytes; what a run names stays.
#[tokio::test]
async fn d21_loose_artifacts_go_after_a_day() {
    let rig = Rig::new().await;
    let (gone, named) =
        (rig.post("default", "gone").await.unwrap(), rig.post("default", "named").await.unwrap());
    let (half, run) = (rig.post("default", "named").await.unwrap(), 1);
    let key = named.id.key();
    rig.act(move |act| refer(act.tx, key, run).map_err(tiltyard_engine::act::refusal_of)).await.unwrap();
    let service = retain();
    rig.clock.advance(LOOSE_FOR_MS);
    let late = rig.post("default", "late").await.unwrap();
    assert_eq!(service.run_once(&rig.engine).await, Ok(Ran::Done));
    assert!(rig.is_there(gone.id).await, "its day is not over before it is");
    rig.clock.advance(1_000);
    assert_eq!(service.run_once(&rig.engine).await, Ok(Ran::Done));
    let mut there = Vec::new();
    for id in [gone.id, half.id, named.id, late.id] {
        there.push(rig.is_there(id).await);
    }
    assert_eq!(there, [false, false, true, true]);
    assert_eq!([rig.has(&gone.sha256), rig.has(&named.sha256)], [false, true], "another row names these");
    let told = rig.told_of("artifact").await;
    assert_eq!(told.iter().filter(|told| *told == "artifact.deleted@default").count(), 2);
}

// D21: many of them go in small deeds, and rows that are named do not keep others from being looked at.
#[tokio::test]
async fn d21_the_round_goes_past_what_is_named() {
    let rig = Rig::new().await;
    let mut keys = Vec::new();
    for _ in 0..250 {
        keys.push(rig.post("default", "many").await.unwrap().id.key());
    }
    let last = rig.post("default", "last").await.unwrap();
    let named = keys.clone();
    let say = move |act: &mut tiltyard_engine::Act<'_>| {
        named.iter().try_for_each(|key| refer(act.tx, *key, 1)).map_err(tiltyard_engine::act::refusal_of)
    };
    rig.act(say).await.unwrap();
    rig.clock.advance(LOOSE_FOR_MS + 1_000);
    let service = retain();
    assert_eq!(service.run_once(&rig.engine).await, Ok(Ran::More));
    assert!(rig.is_there(last.id).await);
    assert_eq!(service.run_once(&rig.engine).await, Ok(Ran::Done));
    assert!(!rig.is_there(last.id).await);
}
