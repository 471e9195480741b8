//! Gates of runs, opened as a run's stage opens them: who decides, when people are told, what of the past counts.

use crate::rig::{Rig, START};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tiltyard_engine::act::{Act, refusal_of};
use tiltyard_engine::artifact::Artifact;
use tiltyard_engine::gate::ask::{Ask, Asked, Subject, ask};
use tiltyard_engine::gate::decide::{Decide, Decided, decide};
use tiltyard_engine::gate::expire::expire_due;
use tiltyard_engine::gate::tell::tell_due;
use tiltyard_engine::gate::{cancelled, read};
use tiltyard_engine::token;
use tiltyard_model::gate::{End, MAX_QUESTION_BYTES, OnTimeout, SelfApproval, Side, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::{self, OnReject};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_model::run::{Item, Part, stage};
use tiltyard_model::token::Mint;
use tiltyard_store::gate::Found;

/// What the first stage of the run has made.
pub(crate) const PLAN: &str = r#"{"steps":["build","test"],"title":"a plan"}"#;

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

pub(crate) fn operator(owner: &str) -> Caller {
    Caller { owner: owner.to_owned(), role: Role::Operator, reach: Reach::All, ..Caller::system() }
}

fn labelled(owner: &str, group: &str) -> Caller {
    Caller { groups: vec![group.to_owned()], ..operator(owner) }
}

/// A gate as a definition has it.
pub(crate) fn definition(quorum: &str) -> pipeline::Gate {
    pipeline::Gate {
        subject: pipeline::Subject::Question,
        quorum: quorum.parse().expect("is a quorum"),
        self_approval: SelfApproval::Allowed,
        timeout_ms: None,
        on_timeout: OnTimeout::Nothing,
        on_reject: OnReject::Fail,
        remind_after_ms: Vec::new(),
        escalate: None,
    }
}

/// The part of the first attempt at the third stage.
pub(crate) const FIRST: Part = Part { stage: 2, attempt: 1, item: None };

/// Something to ask, of the run that a key names.
pub(crate) fn asking(act: &Act<'_>, gate: pipeline::Gate, subject: Subject) -> Ask {
    Ask {
        scope: act.scope_key("default").expect("is there"),
        run: act.id(Noun::Run, Id::key_at(START, 1)),
        stage: "approve_plan".to_owned(),
        part: FIRST,
        gate,
        subject,
        title: "go on with the plan?".to_owned(),
        submitter: Some("sam".to_owned()),
        weight: 3,
        past: stage::Past::Counts,
    }
}

pub(crate) fn opened(asked: Asked) -> Found {
    let was_open = matches!(asked, Asked::Opened(_));
    let (Asked::Opened(found) | Asked::Reused(found)) = asked;
    assert!(was_open, "{} was decided before", found.gate.id);
    *found
}

impl Rig {
    /// Stores bytes, as an attempt at a stage would, and names them.
    pub(crate) async fn artifact(&self, text: &str) -> Artifact {
        let mut writer = self.engine.blobs().writer(1 << 20).expect("begins");
        writer.write(text.as_bytes()).expect("writes");
        let kept = writer.finish(None).expect("is kept");
        let deed = move |act: &mut Act<'_>| {
            let key = act.next_key();
            let new = Artifact {
                id: act.id(Noun::Artifact, key),
                scope: act.scope_key("default")?,
                scope_name: "default".to_owned(),
                sha256: kept.sha256.clone(),
                size: kept.size,
                media_type: "application/json".to_owned(),
                name: Some("plan.json".to_owned()),
                attempt: None,
                run: Some(act.id(Noun::Run, Id::key_at(START, 1))),
                output: Some("plan".to_owned()),
            };
            tiltyard_store::artifact::insert(act.tx, &new).map_err(refusal_of)?;
            Ok(new)
        };
        self.act(deed).await.expect("is named")
    }

    /// Asks about an artifact.
    pub(crate) async fn asks(&self, gate: pipeline::Gate, artifact: Artifact) -> Asked {
        let deed = move |act: &mut Act<'_>| {
            let asking = asking(act, gate, Subject::Artifact(Box::new(artifact)));
            ask(act, asking)
        };
        self.act(deed).await.expect("asks")
    }

    async fn question(&self, gate: pipeline::Gate, text: &'static str) -> Found {
        let deed = move |act: &mut Act<'_>| {
            let asking = asking(act, gate, Subject::Question(text.to_owned()));
            ask(act, asking)
        };
        opened(self.act(deed).await.expect("asks"))
    }

    pub(crate) async fn decides(&self, who: &Caller, decision: Decide) -> Result<Decided, Refusal> {
        self.act_as(who, move |act| decide(act, &decision)).await
    }

    /// A token for each of these people, so that they count as human.
    pub(crate) async fn people(&self, owners: &[&str]) {
        for owner in owners {
            let mint = Mint {
                label: (*owner).to_owned(),
                role: Role::Operator,
                scopes: vec!["*".to_owned()],
                queues: None,
                owner: Some((*owner).to_owned()),
                groups: Vec::new(),
                expires: None,
            };
            let random = token::random().expect("randomness");
            self.act(move |act| token::mint(act, &mint, &random)).await.expect("is minted");
        }
    }

    async fn gate(&self, id: Id) -> Found {
        self.read(move |rows| read::get(rows, &operator("ada"), id)).await.expect("is there")
    }

    /// The data of the events of a type, oldest first.
    pub(crate) async fn data_of(&self, kind: &str) -> Vec<Value> {
        let events = self.events().await.into_iter().filter(|event| event.kind.as_str() == kind);
        events.map(|event| serde_json::from_str(&event.data).expect("is JSON")).collect()
    }
}

pub(crate) fn yes(found: &Found) -> Decide {
    let subject_sha256 = Some(found.gate.subject_sha256.clone());
    Decide { subject_sha256, ..Decide::on(found.gate.id, Side::Approve) }
}

pub(crate) fn no(found: &Found) -> Decide {
    let comment = Some("not like this".to_owned());
    Decide { side: Side::Reject, comment, ..yes(found) }
}

// D23, D24: a gate of a run asks about an artifact or a question; a decision names the digest of its bytes or its text.
#[tokio::test]
async fn d24_a_run_asks_about_an_artifact_or_a_question() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(definition("role:operator"), plan.clone()).await);
    assert_eq!(found.gate.subject_sha256, sha256(PLAN));
    let place = found.run.expect("is one of a run");
    assert_eq!((place.part, place.artifact), (FIRST, Some(plan.id)));
    let question = rig.question(definition("role:operator"), "shall we?").await;
    assert_eq!(question.gate.subject_sha256, sha256("shall we?"));
    assert_eq!(question.about.text.as_deref(), Some("shall we?"));
    let opened = rig.data_of("gate.opened").await;
    assert_eq!(opened[0]["stage"], "approve_plan");
    assert!(opened[0]["about"].as_str().is_some_and(|about| about.starts_with("run_")), "{opened:?}");

    let of_run = |event: &tiltyard_store::event::Event| event.run == Some(place.run);
    assert_eq!(rig.events().await.iter().filter(|event| of_run(event)).count(), 2, "they belong to the run");

    let wrong = Decide { subject_sha256: Some(sha256("another")), ..yes(&found) };
    let refusal = rig.decides(&operator("zoe"), wrong).await.expect_err("is refused");
    assert_eq!(
        (refusal.code, &refusal.extra["subject_sha256"]),
        (Code::SubjectChanged, &sha256(PLAN).into())
    );
    let done = rig.decides(&operator("zoe"), yes(&found)).await.expect("decides");
    assert_eq!(done.gate.gate.state, State::Approved);
    let again = rig.decides(&operator("zoe"), yes(&found)).await.expect("is a replay");
    assert!(again.replayed);
    let late = rig.decides(&operator("bob"), no(&found)).await.expect_err("is late");
    assert_eq!((late.code, &late.extra["decided_by"]), (Code::AlreadyDecided, &"zoe".into()));
    let refused = rig.decides(&operator("bob"), no(&question)).await.expect("decides");
    assert_eq!(refused.gate.gate.state, State::Rejected);
    assert_eq!(rig.acts_of("default").await, ["gate.approved", "gate.rejected"]);
}

#[tokio::test]
async fn a_question_that_is_too_long_is_not_asked() {
    let rig = Rig::new().await;
    let deed = |act: &mut Act<'_>| {
        let text = "x".repeat(MAX_QUESTION_BYTES + 1);
        let asking = asking(act, definition("role:operator"), Subject::Question(text));
        ask(act, asking)
    };
    let refusal = rig.act(deed).await.expect_err("is refused");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/with/subject"));
}

// D23: reminders and an escalation at stated times, across a restart, each once; who it is escalated to decides from then on.
#[tokio::test]
async fn d23_people_are_reminded_and_others_are_asked() {
    let mut rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let gate = pipeline::Gate {
        timeout_ms: Some(1_000),
        on_timeout: OnTimeout::Reject,
        remind_after_ms: vec![100, 300],
        escalate: Some(pipeline::Escalation {
            after_ms: 200,
            who: vec!["group:security".parse().expect("is one")],
        }),
        ..definition("identity:zoe")
    };
    let found = opened(rig.asks(gate, plan).await);
    assert_eq!(rig.act(tell_due).await, Ok(0));
    rig.clock.advance(100);
    assert_eq!(rig.act(tell_due).await, Ok(1));
    assert_eq!(rig.act(tell_due).await, Ok(0), "once");
    let gus = labelled("gus", "security");
    let early = rig.decides(&gus, yes(&found)).await.expect_err("was not asked");
    assert_eq!(early.code, Code::NotADecider);
    rig.restart().await;
    rig.clock.advance(100);
    // The clock lets them decide, also before anybody was told.
    let voted = rig.decides(&gus, no(&found)).await.expect("was asked by now");
    assert_eq!(voted.gate.gate.state, State::Rejected);
    assert_eq!(rig.act(tell_due).await, Ok(0), "nobody is asked about what has ended");

    let other = rig.artifact("{}").await;
    let gate = pipeline::Gate {
        remind_after_ms: vec![300],
        escalate: Some(pipeline::Escalation {
            after_ms: 200,
            who: vec!["group:security".parse().expect("is one"), "role:admin".parse().expect("is one")],
        }),
        ..definition("identity:zoe")
    };
    let found = opened(rig.asks(gate, other).await);
    rig.clock.advance(900);
    assert_eq!(rig.act(tell_due).await, Ok(1));
    assert_eq!(
        rig.gate(found.gate.id).await.gate.quorum.to_string(),
        "1 of identity:zoe",
        "as it is written"
    );
    let told = rig.data_of("gate.reminded").await;
    assert_eq!(told.iter().map(|told| told["number"].clone()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(rig.data_of("gate.escalated").await[0]["who"], "group:security or role:admin");
    assert_eq!(rig.acts_of("default").await, ["gate.rejected", "gate.escalated"]);
}

// D23: its time runs out; nobody is reminded in the moment in which it does.
#[tokio::test]
async fn d23_the_time_of_a_gate_of_a_run_runs_out() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let gate = pipeline::Gate {
        timeout_ms: Some(500),
        on_timeout: OnTimeout::Approve,
        remind_after_ms: vec![500],
        ..definition("role:operator")
    };
    let found = opened(rig.asks(gate, plan).await);
    rig.clock.advance(500);
    assert_eq!((rig.act(expire_due).await, rig.act(tell_due).await), (Ok(1), Ok(0)));
    assert_eq!(rig.gate(found.gate.id).await.gate.state, State::AutoApproved);
    assert_eq!(rig.data_of("gate.reminded").await.len(), 0);
}

// D26: nobody decides on what they started; where only one person is there, that one is asked twice.
#[tokio::test]
async fn d26_nobody_approves_alone_what_they_started_unless_they_are_alone() {
    let rig = Rig::new().await;
    rig.people(&["sam", "zoe"]).await;
    let gate = || pipeline::Gate { self_approval: SelfApproval::Forbidden, ..definition("role:operator") };
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(gate(), plan.clone()).await);
    let own = rig.decides(&operator("sam"), yes(&found)).await.expect_err("is their own");
    assert_eq!(own.code, Code::SelfApproval);
    let done = rig.decides(&operator("zoe"), yes(&found)).await.expect("decides");
    assert_eq!((done.gate.gate.state, done.gate.about.reduced), (State::Approved, false));

    let rig = Rig::new().await;
    rig.people(&["sam"]).await;
    let plan = rig.artifact(PLAN).await;
    let found = opened(rig.asks(gate(), plan).await);
    let first = rig.decides(&operator("sam"), yes(&found)).await.expect("is counted");
    assert!(first.gate.gate.state == State::Open && first.waits.confirm.is_some());
    let typed = Decide { confirm: Some(found.gate.id.to_string()), ..yes(&found) };
    let second = rig.decides(&operator("sam"), typed).await.expect("is counted");
    assert_eq!((second.gate.gate.state, second.gate.about.reduced), (State::Approved, true));
    assert_eq!(rig.data_of("gate.approved").await[0]["quorum"], "reduced");
}

// D22, D26: a decision counts again for the very same artifact, and for nothing else.
#[tokio::test]
async fn d22_what_was_decided_about_the_same_artifact_is_not_asked_again() {
    let rig = Rig::new().await;
    let plan = rig.artifact(PLAN).await;
    let gate = definition("role:operator");
    let first = opened(rig.asks(gate.clone(), plan.clone()).await);
    rig.decides(&operator("zoe"), yes(&first)).await.expect("decides");
    let again = rig.asks(gate.clone(), plan.clone()).await;
    assert!(matches!(&again, Asked::Reused(found) if found.gate.id == first.gate.id), "{again:?}");
    assert_eq!(rig.told_of("gate").await.len(), 2, "nobody was asked");

    let equal = rig.artifact(PLAN).await;
    let asked = opened(rig.asks(gate.clone(), equal).await);
    let by = rig.act(move |act| cancelled(act, asked.gate.id)).await;
    by.expect("is called off");
    let more = rig.asks(definition("2 of role:operator"), plan.clone()).await;
    assert!(matches!(more, Asked::Opened(_)), "the rules ask for more by now");
    let anew = |change: fn(&mut Ask)| {
        let (gate, plan) = (gate.clone(), plan.clone());
        rig.act(move |act| {
            let mut asking = asking(act, gate, Subject::Artifact(Box::new(plan)));
            change(&mut asking);
            ask(act, asking)
        })
    };
    let wished = anew(|ask| ask.past = stage::Past::AskAnew).await.expect("asks");
    assert!(matches!(wished, Asked::Opened(_)), "somebody wants it asked again");
    let item = anew(|ask| ask.part.item = Some(Item { index: 0, attempt: 1 })).await.expect("asks");
    assert!(matches!(item, Asked::Opened(_)), "an item is another one each time");
    let elsewhere = anew(|ask| ask.part.stage = 3).await.expect("asks");
    assert!(matches!(elsewhere, Asked::Opened(_)), "another stage");
}

// D23: what has ended asks nobody any more.
#[tokio::test]
async fn d23_a_gate_whose_run_has_ended_is_cancelled() {
    let rig = Rig::new().await;
    let found = rig.question(definition("role:operator"), "shall we?").await;
    let id = found.gate.id;
    let ends = rig.act_as(&operator("bob"), move |act| cancelled(act, id)).await.expect("is cancelled");
    assert_eq!(ends, Some(End::Cancel));
    assert_eq!(rig.act(move |act| cancelled(act, id)).await, Ok(None), "once");
    let late = rig.decides(&operator("zoe"), yes(&found)).await.expect_err("is late");
    assert_eq!((late.code, &late.extra["decision"]), (Code::AlreadyDecided, &"cancelled".into()));
}

// D23: an item of a list fails by itself; a change is sent back by other means: neither takes a stage to go back to.
#[tokio::test]
async fn d23_a_reject_names_a_stage_only_where_there_is_a_way_back() {
    let rig = Rig::new().await;
    let deed = |act: &mut Act<'_>| {
        let mut asking = asking(act, definition("role:operator"), Subject::Question("this one?".to_owned()));
        asking.part.item = Some(Item { index: 4, attempt: 1 });
        ask(act, asking)
    };
    let found = opened(rig.act(deed).await.expect("asks"));
    let back = Decide { to_stage: Some("plan".to_owned()), ..no(&found) };
    let refusal = rig.decides(&operator("zoe"), back).await.expect_err("is refused");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/to_stage"));
    assert_eq!(rig.gate(found.gate.id).await.gate.state, State::Open, "nothing was counted");
}
