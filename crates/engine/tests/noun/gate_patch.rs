//! Votes with a patch for what a gate asks about.

use crate::gate::{PLAN, definition, no, opened, operator, sha256, yes};
use crate::rig::Rig;
use serde_json::{Value, json};
use tiltyard_engine::gate::amend::{Prepared, look, prepare};
use tiltyard_engine::gate::ask::Asked;
use tiltyard_engine::gate::decide::Decide;
use tiltyard_engine::gate::read;
use tiltyard_model::gate::State;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_store::gate::Found;

fn shorter() -> Value {
    json!([{"op": "remove", "path": "/steps/1"}])
}

/// The plan without its second step.
const SHORT: &str = r#"{"steps":["build"],"title":"a plan"}"#;

impl Rig {
    async fn prepares(&self, who: &Caller, found: &Found, patch: Value) -> Result<Prepared, Refusal> {
        let seen = found.gate.subject_sha256.as_str();
        prepare(&self.engine, who, found.gate.id, (Some(seen), patch)).await
    }

    async fn whole(&self, found: &Found) -> Found {
        let id = found.gate.id;
        self.read(move |rows| read::get(rows, &operator("ada"), id)).await.expect("is there")
    }
}

// D23, D24: what a patch makes is a new version and what is approved; who had voted before is asked again.
#[tokio::test]
async fn d24_an_approval_with_a_patch_makes_a_new_subject() {
    let mut rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("2 of role:operator"), plan.clone()).await);
    rig.decides(&operator("bob"), yes(&found)).await.expect("is counted");
    let patch = rig.prepares(&operator("ann"), &found, shorter()).await.expect("fits");
    let with = Decide { patch: Some(patch), ..yes(&found) };
    let done = rig.decides(&operator("ann"), with.clone()).await.expect("is counted");
    assert_eq!(done.gate.gate.state, State::Open);
    let now = rig.whole(&found).await;
    assert_eq!((now.gate.subject_sha256.as_str(), now.gate.votes.len()), (sha256(SHORT).as_str(), 1));
    assert_eq!(now.gate.earlier_sha256, [sha256(PLAN)]);
    let version = now.run.expect("is one of a run").artifact.expect("has one");
    assert!(version != plan.id, "a new artifact");
    assert_eq!(now.gate.votes[0].patch, Some(shorter()));
    let id = found.gate.id;
    let (_, void) = rig.read(move |rows| read::whole(rows, &operator("ada"), id)).await.expect("reads");
    assert_eq!(void.iter().map(|vote| vote.voter.identity.as_str()).collect::<Vec<_>>(), ["bob"]);

    let replayed = rig.decides(&operator("ann"), with).await.expect("is a replay");
    assert!(replayed.replayed);
    let old = rig.decides(&operator("bob"), yes(&found)).await.expect_err("saw another one");
    assert_eq!((old.code, &old.extra["subject_sha256"]), (Code::SubjectChanged, &sha256(SHORT).into()));
    rig.restart().await;
    let last = rig.decides(&operator("bob"), yes(&now)).await.expect("decides");
    assert_eq!(last.gate.gate.state, State::Approved);
    let told = rig.told_of("gate").await;
    let story: Vec<&str> = told.iter().filter_map(|told| told.strip_suffix("@default")).collect();
    assert_eq!(story, ["gate.opened", "gate.voted", "gate.amended", "gate.voted", "gate.approved"]);
    let amended = &rig.data_of("gate.amended").await[0];
    assert_eq!((&amended["before_sha256"], &amended["by"]), (&sha256(PLAN).into(), &"ann".into()));
    assert_eq!(rig.chain("default").await[1].detail["patched"], true);

    // The same artifact once more: what was approved is what counts, with the patch.
    let again = rig.asks(definition("2 of role:operator"), plan).await;
    assert!(
        matches!(&again, Asked::Reused(found) if found.run.is_some_and(|place| place.artifact == Some(version)))
    );
}

// D23: a patch is checked before anything is kept: what it does, and what it is for.
#[tokio::test]
async fn d23_a_patch_that_does_not_fit_is_refused_with_its_place() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("role:operator"), plan).await);
    let odd = json!([{"op": "remove", "path": "/nothing"}]);
    let refusal = rig.prepares(&operator("ann"), &found, odd.clone()).await.expect_err("does not fit");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/patch/0/path"));
    let id = found.gate.id;
    let nobody = Caller { reach: tiltyard_model::role::Reach::Only(Vec::new()), ..operator("eve") };
    assert_eq!(
        rig.prepares(&nobody, &found, shorter()).await.map_err(|refusal| refusal.code),
        Err(Code::NotFound)
    );

    // Whoever patches what the gate does not ask about hears that, and not what is wrong with the patch.
    let other = sha256("another");
    let patch = prepare(&rig.engine, &operator("ann"), id, (Some(other.as_str()), odd.clone())).await;
    let with =
        Decide { patch: Some(patch.expect("is not applied")), subject_sha256: Some(other), ..yes(&found) };
    let refusal = rig.decides(&operator("ann"), with).await.expect_err("is another one");
    assert_eq!(refusal.code, Code::SubjectChanged);
    rig.decides(&operator("zoe"), yes(&found)).await.expect("decides");
    let patch = rig.prepares(&operator("ann"), &found, odd).await.expect("is not asked any more");
    let with = Decide { patch: Some(patch), ..yes(&found) };
    let refusal = rig.decides(&operator("ann"), with).await.expect_err("is late");
    assert_eq!((refusal.code, &refusal.extra["decided_by"]), (Code::AlreadyDecided, &"zoe".into()));
}

// D23: the result is shown before it is sent, and nothing is decided by looking.
#[tokio::test]
async fn d23_a_patch_can_be_looked_at_first() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("role:operator"), plan).await);
    let seen = Some(found.gate.subject_sha256.as_str());
    let looked = look(&rig.engine, &operator("ann"), found.gate.id, (seen, shorter())).await;
    let (_, looked) = looked.expect("fits");
    assert_eq!((looked.sha256, looked.document["steps"].clone()), (sha256(SHORT), json!(["build"])));
    assert_eq!(rig.whole(&found).await, found);
    assert!(rig.engine.blobs().open_read(&sha256(SHORT)).expect("looks").is_none(), "nothing is kept");
    let code = |seen: Option<&'static str>| {
        let (rig, id) = (&rig, found.gate.id);
        async move {
            look(&rig.engine, &operator("ann"), id, (seen, shorter())).await.expect_err("is refused").code
        }
    };
    assert_eq!(code(None).await, Code::SubjectRequired);
    assert_eq!(code(Some("aa")).await, Code::SubjectChanged);
}

// D23: a reject may carry a patch for the stage that it names; both go back with the reason.
#[tokio::test]
async fn d23_a_reject_sends_back_with_reason_and_patch() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("role:operator"), plan.clone()).await);
    let patch = rig.prepares(&operator("ann"), &found, shorter()).await.expect("fits");
    let nowhere = Decide { patch: Some(patch.clone()), ..no(&found) };
    let refusal = rig.decides(&operator("ann"), nowhere).await.expect_err("goes nowhere");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/patch"));
    let with = Decide { patch: Some(patch), to_stage: Some("plan".to_owned()), ..no(&found) };
    let done = rig.decides(&operator("ann"), with).await.expect("decides");
    assert_eq!(done.gate.gate.state, State::Rejected);
    let now = rig.whole(&found).await;
    let heard = tiltyard_model::gate::back::feedback(&now.gate);
    assert_eq!((heard.by, heard.reason, heard.patch), (Some("ann"), Some("not like this"), Some(&shorter())));
    let back = now.gate.ended.as_ref().and_then(|ended| ended.back.as_ref()).expect("goes back");
    assert_eq!(back.to_stage.as_deref(), Some("plan"));
    let id = back.artifact.expect("has one");
    let kept = rig.read(move |rows| tiltyard_engine::artifact::get(rows, &operator("ada"), id)).await;
    assert_eq!(kept.expect("is there").sha256, sha256(SHORT));
    assert_eq!(
        now.gate.subject_sha256, found.gate.subject_sha256,
        "what was rejected is what was asked about"
    );
    assert_eq!(rig.data_of("gate.rejected").await[0]["to_stage"], "plan");
}

// D24, D26: the door judges against what is there: of two patches of the same subject one wins.
#[tokio::test]
async fn d24_of_two_patches_of_one_subject_one_is_told_to_look_again() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("2 of role:operator"), plan).await);
    let first = rig.prepares(&operator("ann"), &found, shorter()).await.expect("fits");
    let other = json!([{"op": "replace", "path": "/title", "value": "mine"}]);
    let second = rig.prepares(&operator("bob"), &found, other).await.expect("fits");
    let first = Decide { patch: Some(first), ..yes(&found) };
    rig.decides(&operator("ann"), first).await.expect("is counted");
    let second = Decide { patch: Some(second), ..yes(&found) };
    let refusal = rig.decides(&operator("bob"), second).await.expect_err("is too late");
    assert_eq!(
        (refusal.code, &refusal.extra["subject_sha256"]),
        (Code::SubjectChanged, &sha256(SHORT).into())
    );
}
