//! Gates of runs: what is approved is handed on, a reject sends the run back, and what was decided counts again (D22, D23).

use crate::rig::{Rig, report};
use serde_json::{Value, json};
use tiltyard_engine::Pass;
use tiltyard_engine::gate::amend;
use tiltyard_engine::gate::decide::{Decide, decide};
use tiltyard_model::gate::Side;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Failed, Pending, Ready, Skipped, Succeeded, Waiting};
use tiltyard_model::task::attempt::Outcome;

const NOTES: &str = "\
stages:
  - id: draft
    uses: command
    with: {argv: [draft, \"${{ default(feedback.reason, '') }}\", \"${{ json(default(feedback.subject, null)) }}\"]}
    outputs: {result: {schema: {type: object, required: [title]}}}
  - id: review
    uses: gate
    needs: draft
    with: {subject: \"${{ stages.draft.outputs.result }}\", on_reject: {to_stage: draft, max_rounds: 2}}
  - id: write
    uses: command
    needs: review
    with: {argv: [write, \"${{ stages.review.outputs.subject.title }}\", \"${{ join(stages.review.outputs.result.by, ',') }}\"]}
";

fn operator(owner: &str) -> Caller {
    Caller { owner: owner.to_owned(), role: Role::Operator, reach: Reach::All, ..Caller::system() }
}

fn pass(owner: &str) -> Pass {
    Pass { caller: operator(owner), ..Pass::system() }
}

/// The gate that a stage waits for, and the digest of what it asks about.
async fn gate_of(rig: &Rig, run: Id, stage: usize) -> (Id, String) {
    let key = rig.whole(run).await.stages[stage].thing.expect("a gate is open");
    let get = move |rows: &tiltyard_store::Rows| {
        let id = rows.id(Noun::Gate, key);
        let found = tiltyard_store::gate::get(rows, id).map_err(tiltyard_engine::act::refusal_of)?;
        Ok((id, found.expect("is there").gate.subject_sha256))
    };
    rig.read(get).await
}

async fn decides(rig: &Rig, who: &str, decision: Decide) -> Result<(), Refusal> {
    let deed = move |act: &mut tiltyard_engine::Act<'_>| decide(act, &decision).map(drop);
    let done = rig.engine.enter(pass(who), tiltyard_engine::Urgency::Normal, deed).await;
    rig.is_as_rows_say().await;
    done
}

async fn drafts(rig: &Rig, title: &str) -> Value {
    rig.begin().await;
    let claimed = rig.claim().await.expect("is ready");
    let payload = serde_json::from_str(&claimed.found.task.spec.payload).expect("is JSON");
    let done = report(&claimed, Outcome::Succeeded, Some(json!({"title": title}).to_string()), None);
    rig.engine.settle(Pass::system(), done).await.expect("is taken");
    rig.begin().await;
    payload
}

// D22, D23: what people approve, with what they patch, is handed on; the run waits for them meanwhile.
#[tokio::test]
async fn d23_what_is_approved_is_handed_on() {
    let mut rig = Rig::new().await;
    let run = rig.start(NOTES, json!({})).await;
    drafts(&rig, "first").await;
    assert_eq!(
        (rig.state(run).await, rig.stages(run).await),
        (State::Waiting, vec![Succeeded, Waiting, Pending])
    );
    rig.restart().await;
    rig.is_as_rows_say().await;
    let (gate, seen) = gate_of(&rig, run, 1).await;
    let patch = json!([{"op": "replace", "path": "/title", "value": "better"}]);
    let who = operator("ann");
    let bad = json!([{"op": "remove", "path": "/title"}]);
    let refused =
        amend::prepare(&rig.engine, &who, gate, (Some(&seen), bad)).await.expect_err("breaks the schema");
    assert_eq!((refused.code, refused.faults[0].field.as_str()), (Code::Invalid, "/patch"));
    let prepared = amend::prepare(&rig.engine, &who, gate, (Some(&seen), patch)).await.expect("fits");
    let approve =
        Decide { subject_sha256: Some(seen), patch: Some(prepared), ..Decide::on(gate, Side::Approve) };
    decides(&rig, "ann", approve).await.expect("counts");
    rig.begin().await;
    let claimed = rig.claim().await.expect("is ready");
    let payload: Value = serde_json::from_str(&claimed.found.task.spec.payload).expect("is JSON");
    assert_eq!(payload, json!({"argv": ["write", "better", "ann"]}));
    rig.report(report(&claimed, Outcome::Succeeded, None, None)).await.expect("is taken");
    assert_eq!(rig.state(run).await, State::Succeeded);
}

// D23: a reject sends the run back with its reason; after so many rounds the gate has failed.
#[tokio::test]
async fn d23_a_reject_sends_the_run_back() {
    let rig = Rig::new().await;
    let run = rig.start(NOTES, json!({})).await;
    assert_eq!(drafts(&rig, "first").await["argv"], json!(["draft", "", "null"]));
    for round in 1..=3 {
        let (gate, seen) = gate_of(&rig, run, 1).await;
        let reject = Decide {
            subject_sha256: Some(seen),
            comment: Some(format!("too long {round}")),
            ..Decide::on(gate, Side::Reject)
        };
        decides(&rig, "ann", reject).await.expect("counts");
        if round < 3 {
            assert_eq!(rig.stages(run).await, [Ready, Pending, Pending], "round {round}");
            let payload = drafts(&rig, "again").await;
            assert_eq!(payload["argv"][1], format!("too long {round}"));
            let title = if round == 1 { "first" } else { "again" };
            assert_eq!(payload["argv"][2], json!({"title": title}).to_string());
        }
    }
    assert_eq!(
        (rig.state(run).await, rig.stages(run).await),
        (State::Failed, vec![Succeeded, Failed, Skipped])
    );
    assert_eq!(rig.error(run).await.as_deref(), Some("review: ann rejected: too long 3"));
    let back = rig.story(run).await.iter().filter(|told| *told == "stage.sent_back draft").count();
    assert_eq!(back, 2);
}

// D22: a rerun does not ask again about what was approved and stayed the same; the stage that is named is asked anew.
#[tokio::test]
async fn d22_a_decision_counts_for_the_same_artifact() {
    let rig = Rig::new().await;
    let run = rig.start(NOTES, json!({})).await;
    drafts(&rig, "first").await;
    let (gate, seen) = gate_of(&rig, run, 1).await;
    let approve = Decide { subject_sha256: Some(seen), ..Decide::on(gate, Side::Approve) };
    decides(&rig, "ann", approve).await.expect("counts");
    rig.begin().await;
    rig.fails("no").await;
    rig.rerun(run, Some("review")).await.expect("goes on");
    rig.begin().await;
    assert_eq!(rig.stages(run).await, [Succeeded, Waiting, Pending], "asked anew, for it was named");
    rig.cancel(run).await.expect("is cancelled");
    let (gate, seen) = gate_of(&rig, run, 1).await;
    let late = Decide { subject_sha256: Some(seen), ..Decide::on(gate, Side::Approve) };
    assert_eq!(decides(&rig, "bob", late).await.map_err(|refusal| refusal.code), Err(Code::AlreadyDecided));
}
