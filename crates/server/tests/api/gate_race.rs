//! Many people at many gates at once (D24): each gate has one winner, and everybody else hears who it was.

use crate::support::{claim, complete, raw, server, submit, task};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tiltyard_client::{Client, Request};
use tiltyard_engine::act::Act;
use tiltyard_engine::artifact::{self, Artifact};
use tiltyard_engine::gate::ask::{Ask, Asked, Subject, ask};
use tiltyard_engine::readers::Rows;
use tiltyard_engine::{Pass, Urgency};
use tiltyard_model::gate::{OnTimeout, SelfApproval};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::{self, OnReject};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::run::{Part, stage};
use tiltyard_testkit::TestServer;
use tiltyard_wire::artifact::PutQuery;
use tiltyard_wire::audit::Filter as AuditFilter;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::{Approve, Filter, Reject, View};
use tiltyard_wire::token::Mint;
use tokio::task::JoinSet;

/// People who decide.
const PEOPLE: usize = 50;
/// What they decide on.
const GATES: usize = 200;

/// A document that an attempt has stored.
async fn stored(server: &TestServer, document: &str) -> Artifact {
    let client = server.client();
    submit(&client, task("draft")).await;
    let held = claim(&client, "author", 1).await.remove(0);
    let sha256: String = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect();
    let query = PutQuery { task: Some(held.id), generation: Some(held.generation), ..PutQuery::default() };
    let put = Request::<call::ArtifactPut>::new().place(sha256).query(query);
    let kept = client.call(put.bytes(document.to_owned(), "application/json")).await.unwrap();
    complete(&client, &held, Value::Null).await;
    let read = move |rows: &Rows| artifact::get(rows, &Caller::system(), kept.id);
    server.running().engine().read(read).await.unwrap()
}

/// Opens a gate of a run about a document of its own, as a stage of the run would.
pub(crate) async fn open(server: &TestServer, document: &str) -> Id {
    let artifact = stored(server, document).await;
    open_about(server, artifact).await
}

async fn open_about(server: &TestServer, artifact: Artifact) -> Id {
    let engine = server.running().engine();
    let deed = move |act: &mut Act<'_>| {
        let gate = pipeline::Gate {
            subject: pipeline::Subject::Question,
            quorum: "role:operator".parse().unwrap(),
            self_approval: SelfApproval::Allowed,
            timeout_ms: None,
            on_timeout: OnTimeout::Nothing,
            on_reject: OnReject::Fail,
            remind_after_ms: Vec::new(),
            escalate: None,
        };
        let run = act.next_key();
        let asking = Ask {
            scope: act.scope_key("default")?,
            run: act.id(Noun::Run, run),
            stage: "approve".to_owned(),
            part: Part { stage: 1, attempt: 1, item: None },
            gate,
            subject: Subject::Artifact(Box::new(artifact)),
            title: "publish?".to_owned(),
            submitter: Some("sam".to_owned()),
            weight: 1,
            past: stage::Past::Counts,
        };
        match ask(act, asking)? {
            Asked::Opened(found) => Ok(found.gate.id),
            Asked::Reused(found) => panic!("{} was decided before", found.gate.id),
        }
    };
    engine.enter(Pass::system(), Urgency::Normal, deed).await.unwrap()
}

/// A client of a person of their own.
async fn person(server: &TestServer, name: &str) -> Client {
    let mint = Mint {
        label: name.to_owned(),
        role: Role::Operator,
        scopes: vec!["default".to_owned()],
        queues: None,
        owner: Some(name.to_owned()),
        groups: Vec::new(),
        expires: None,
    };
    let minted = server.client().call(Request::<call::TokenMint>::new().body(mint)).await.unwrap();
    server.client_of(&minted.token)
}

/// What one decision came to: the identity that won, or whom the loser was told of, how and when.
#[derive(Debug)]
enum Told {
    Won(String),
    Lost { by: String, how: String, at: String },
}

async fn decide(client: Client, gate: (Id, String), name: String, says_no: bool) -> Told {
    let (id, digest) = gate;
    let subject_sha256 = Some(digest);
    let answer = if says_no {
        let body = Reject { subject_sha256, reason: Some("no".to_owned()), ..Reject::default() };
        client.call(Request::<call::GateReject>::new().place(id).body(body)).await
    } else {
        let body = Approve { subject_sha256, ..Approve::default() };
        client.call(Request::<call::GateApprove>::new().place(id).body(body)).await
    };
    match answer {
        Ok(decision) => {
            assert!(!decision.replayed && decision.gate.state != "open", "{decision:?}");
            Told::Won(name)
        }
        Err(error) => {
            let refused = error.refused().unwrap_or_else(|| panic!("no refusal: {error:?}"));
            let problem = &refused.problem;
            assert_eq!((problem.status, problem.code.as_str()), (409, "already_decided"));
            let word = |name: &str| problem.extra[name].as_str().unwrap().to_owned();
            Told::Lost { by: word("decided_by"), how: word("decision"), at: word("decided_at") }
        }
    }
}

// D24, D26: 50 people decide on 200 gates at once. Each gate is decided once, the other 49 hear by whom, how and when, and
// the record has one entry a gate.
#[tokio::test(flavor = "multi_thread")]
async fn d24_each_gate_has_one_winner_and_the_others_hear_of_it() {
    let server = server().await;
    let mut gates = Vec::new();
    let artifact = stored(&server, r#"{"title":"the same for all"}"#).await;
    for _ in 0..GATES {
        let id = open_about(&server, artifact.clone()).await;
        let gate = server.client().call(Request::<call::GateGet>::new().place(id)).await.unwrap();
        gates.push((id, gate.subject_sha256));
    }
    let gates = Arc::new(gates);
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let name = format!("person-{number}");
        let (client, gates) = (person(&server, &name).await, Arc::clone(&gates));
        people.spawn(async move {
            let mut told = Vec::new();
            // Each begins elsewhere, so that every gate is met by many at once; every third person says no.
            for step in 0..GATES {
                let place = (number * GATES / PEOPLE + step) % GATES;
                let gate = gates[place].clone();
                told.push((place, decide(client.clone(), gate, name.clone(), number % 3 == 0).await));
            }
            told
        });
    }
    let told: Vec<_> = people.join_all().await.into_iter().flatten().collect();
    let mut winners = BTreeMap::new();
    for (place, told) in &told {
        if let Told::Won(name) = told {
            assert_eq!(winners.insert(*place, name.clone()), None, "a gate has one winner");
        }
    }
    assert_eq!((told.len(), winners.len()), (PEOPLE * GATES, GATES));
    let mut kept: BTreeMap<usize, View> = BTreeMap::new();
    for (place, (id, _)) in gates.iter().enumerate() {
        let gate = server.client().call(Request::<call::GateGet>::new().place(*id)).await.unwrap();
        assert_eq!((gate.votes.len(), &gate.votes[0].identity), (1, &winners[&place]));
        kept.insert(place, gate);
    }
    for (place, told) in &told {
        let Told::Lost { by, how, at } = told else { continue };
        let gate = &kept[place];
        assert_eq!((by, how), (&winners[place], &gate.state));
        assert_eq!(Some(at.clone()), gate.decided_at.map(|at| at.to_string()));
    }
    let mut decided = 0;
    for action in ["gate.approved", "gate.rejected"] {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let page = server.client().call(Request::<call::AuditList>::new().query(filter)).await.unwrap();
        decided += page.total;
    }
    assert_eq!(decided as usize, GATES, "one entry a gate");
    let open = Filter { state: Some("open".to_owned()), ..Filter::default() };
    assert_eq!(server.client().call(Request::<call::GateList>::new().query(open)).await.unwrap().total, 0);
}

// D24, D26: whoever saw another version is told of the present one; an approval of the old one counts for nothing.
#[tokio::test]
async fn d24_an_approval_of_an_old_digest_is_refused() {
    let server = server().await;
    let id = open(&server, r#"{"title":"old"}"#).await;
    let seen = server.client().call(Request::<call::GateGet>::new().place(id)).await.unwrap();
    let (ann, bob) = (person(&server, "ann").await, person(&server, "bob").await);
    let path = format!("/api/v1/gates/{id}/approve");
    let digest = &seen.subject_sha256;
    let patch = r#"[{"op":"replace","path":"/title","value":"new"}]"#;
    let body = format!(r#"{{"subject_sha256":"{digest}","patch":{patch}}}"#);
    let looked = raw(&server, &format!("POST {path}?dry_run=true"), &[], &body).await;
    let looked: Value = serde_json::from_str(&looked.body).unwrap();
    assert_eq!(
        (&looked["preview"]["subject"]["title"], &looked["gate"]["state"]),
        (&"new".into(), &"open".into())
    );

    let patch = Some(serde_json::from_str(patch).unwrap());
    let body = Approve { subject_sha256: Some(digest.clone()), patch, ..Approve::default() };
    let done = ann.call(Request::<call::GateApprove>::new().place(id).body(body)).await.unwrap();
    assert_eq!((done.gate.state.as_str(), &done.gate.earlier_sha256), ("approved", &vec![digest.clone()]));
    assert_eq!(Value::from(done.gate.subject_sha256), looked["preview"]["subject_sha256"]);
    let document = done.gate.artifact.unwrap();
    let bytes = ann.text(Request::<call::ArtifactGet>::new().place(document.id)).await.unwrap();
    assert_eq!(bytes, r#"{"title":"new"}"#);

    let late = Approve { subject_sha256: Some(digest.clone()), ..Approve::default() };
    let refusal = bob.call(Request::<call::GateApprove>::new().place(id).body(late)).await;
    assert_eq!(crate::support::refusal(refusal), (409, "already_decided".to_owned()));

    let id = open(&server, r#"{"title":"another"}"#).await;
    let stale = Approve { subject_sha256: Some(digest.clone()), ..Approve::default() };
    let refusal = bob.call(Request::<call::GateApprove>::new().place(id).body(stale)).await;
    assert_eq!(crate::support::refusal(refusal), (409, "subject_changed".to_owned()));
    let none = bob.call(Request::<call::GateApprove>::new().place(id).body(Approve::default())).await;
    assert_eq!(crate::support::refusal(none), (422, "subject_required".to_owned()));
}
