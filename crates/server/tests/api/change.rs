//! From a repository and an idea to a merge, over HTTP, with a smith who does the agent's part by hand.

use crate::support::{refusal, server, submit};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::agent::hello;
use tiltyard_testkit::{FakeAgent, TestServer};
use tiltyard_wire::artifact::PutQuery;
use tiltyard_wire::change::{Comment, SendBack, View as Change};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::frame::Hello;
use tiltyard_wire::gate::{Approve, Filter as GateFilter, Reject};
use tiltyard_wire::repository::{Put, View as Repository, Weigh};
use tiltyard_wire::task::work::{Claim, Complete};
use tiltyard_wire::task::{Submit, View as Task};
use tiltyard_wire::token::Mint;

const DIFF: &str =
    "diff --git a/src/main.rs b/src/main.rs\n--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1 +1 @@\n-a\n+b\n";

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object id of git, made of a word.
fn oid(word: &str) -> String {
    sha256(word)[..40].to_owned()
}

/// Takes the next task of a queue as the smith.
async fn take(client: &Client, queue: &str) -> Task {
    let claim = Claim {
        agent: "smith".into(),
        instance: Some("one".into()),
        queues: Some(vec![queue.into()]),
        wait_ms: Some(20_000),
        ..Claim::default()
    };
    client.call(Request::<call::TaskClaim>::new().body(claim)).await.unwrap().tasks.remove(0)
}

async fn done(client: &Client, task: &Task, result: Value) {
    let result = serde_json::value::to_raw_value(&result).unwrap();
    let body = Complete { generation: task.generation, result: Some(result) };
    client.call(Request::<call::TaskComplete>::new().place(task.id).body(body)).await.unwrap();
}

fn payload(task: &Task) -> Value {
    serde_json::from_str(task.payload.get()).unwrap()
}

async fn put(client: &Client) -> Result<Repository, Error> {
    let body = Put { path: Some("/srv/app".into()), agent: Some("smith".into()), ..Put::default() };
    client.call(Request::<call::RepositoryPut>::new().place("app").body(body)).await
}

/// Registers a repository whose smith finds it in order.
async fn register(client: &Client) -> Repository {
    // It connects, so that it counts as an agent, and takes its work over HTTP.
    let said = Hello { queues: vec!["none".into()], ..hello("smith", 1) };
    drop(FakeAgent::welcome(client, said).await.unwrap());
    let (registered, ()) = tokio::join!(put(client), async {
        let probe = take(client, "git").await;
        assert_eq!(probe.kind, "git.probe");
        let found = json!({"outcome": "found", "head": oid("base"), "tree": oid("tree"), "target": "bare", "rules": null});
        done(client, &probe, found).await;
    });
    registered.unwrap()
}

async fn upload(client: &Client, task: &Task, text: &str) -> Value {
    let query = PutQuery { task: Some(task.id), generation: Some(task.generation), ..PutQuery::default() };
    let request = Request::<call::ArtifactPut>::new().place(sha256(text)).query(query);
    let stored = client.call(request.bytes(text.to_owned(), "text/plain")).await.unwrap();
    json!({"sha256": stored.sha256, "bytes": stored.size})
}

/// An idea, its proposal, and green checks of a file that asks for a person.
async fn in_review(client: &Client) -> Change {
    let idea = json!({"repository": "app", "prompt": "do it", "criteria": ["it works"]});
    let payload = Some(serde_json::value::to_raw_value(&idea).unwrap());
    let task = Submit { kind: "change".into(), title: "fix it".into(), payload, ..Submit::default() };
    let submitted = submit(client, task).await;
    propose(client).await;
    let task = crate::support::get(client, &submitted).await;
    let change = change(client, task.change.unwrap()).await;
    assert_eq!((&*change.state, change.tier), ("review", Some(2)));
    change
}

async fn propose(client: &Client) {
    let taken = take(client, "default").await;
    let (diff, bundle) = (upload(client, &taken, DIFF).await, upload(client, &taken, "a bundle").await);
    let file = json!({"path": "src/main.rs", "status": "modified", "added": 1, "removed": 1});
    let files = json!({"listed": [file], "more": 0});
    let proposal = json!({"base": oid("base"), "merge_base": oid("base"), "head": oid("head"), "tree": oid("head tree"),
        "diff": diff, "bundle": bundle, "files": files, "commits": [], "secrets": []});
    done(client, &taken, proposal).await;
    let check = take(client, "git").await;
    assert_eq!(check.kind, "git.check");
    let checked = json!({"outcome": "checked", "base": oid("base"), "merge_base": oid("base"), "head": oid("head"),
        "commit": oid("commit"), "tree": oid("merged"), "diff_sha256": sha256(DIFF), "files": files, "secrets": [],
        "checks": [], "green": {"tree": oid("merged"), "checks_sha256": sha256("checks")}});
    done(client, &check, checked).await;
}

async fn change(client: &Client, id: tiltyard_model::id::Id) -> Change {
    client.call(Request::<call::ChangeGet>::new().place(id)).await.unwrap()
}

/// A second identity that may decide.
async fn somebody(server: &TestServer, owner: &str) -> Client {
    let body = Mint {
        label: owner.into(),
        role: Role::Operator,
        scopes: vec!["default".into()],
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    };
    let minted = server.client().call(Request::<call::TokenMint>::new().body(body)).await.unwrap();
    server.client_of(&minted.token)
}

// C19: a repository is registered once its agent has looked; without one it is 503.
#[tokio::test]
async fn c19_a_repository_is_registered_after_its_agent_has_looked() {
    let server = server().await;
    let client = server.client();
    assert_eq!(refusal(put_once(&client).await), (503, "no_agent_for_repository".into()));
    let registered = register(&client).await;
    assert_eq!(
        (&*registered.state, &*registered.branch, registered.head),
        ("ready", "main", Some(oid("base")))
    );
    let listed = client.call(Request::<call::RepositoryList>::new()).await.unwrap();
    assert_eq!((listed.total, &*listed.items[0].name), (1, "app"));
    let rules = client.call(Request::<call::RepositoryRules>::new().place("app")).await.unwrap();
    assert!(rules.rules.iter().any(|rule| rule.tier == 3), "the built-in rules are there");
    let weigh =
        Request::<call::RepositoryWeigh>::new().place("app").body(Weigh { scope: None, diff: DIFF.into() });
    let weight = client.call(weigh).await.unwrap();
    assert_eq!((weight.tier, &*weight.name), (2, "review"));
    for text in ["", "nonsense"] {
        let body = Weigh { scope: None, diff: text.into() };
        let odd = client.call(Request::<call::RepositoryWeigh>::new().place("app").body(body)).await;
        assert_eq!(refusal(odd), (422, "invalid".into()), "{text}");
    }
    client.call(Request::<call::RepositoryDelete>::new().place("app")).await.unwrap();
    let gone = client.call(Request::<call::RepositoryGet>::new().place("app")).await;
    assert_eq!(refusal(gone), (404, "not_found".into()));
}

/// One try without the client's patience.
async fn put_once(client: &Client) -> Result<Repository, Error> {
    let body = Put { path: Some("/srv/app".into()), ..Put::default() };
    client.call(Request::<call::RepositoryPut>::new().place("app").body(body).request_id("once")).await
}

// D24, D26, C30: a decision names what was seen; an approval lets the change merge.
#[tokio::test]
async fn d26_an_approval_binds_what_was_seen_and_merges() {
    let server = server().await;
    let client = server.client();
    let ada = somebody(&server, "ada").await;
    register(&client).await;
    let change = in_review(&client).await;
    let approve = |subject: Option<&str>| {
        let body = Approve { subject_sha256: subject.map(str::to_owned), ..Approve::default() };
        ada.call(Request::<call::ChangeApprove>::new().place(change.id).body(body))
    };
    assert_eq!(refusal(approve(None).await), (422, "subject_required".into()));
    assert_eq!(refusal(approve(Some(&sha256("another"))).await), (409, "subject_changed".into()));
    // SEC21: a refused decision is on record.
    let told = crate::record::refused(&server.client(), 1).await.remove(0);
    let on = change.id.to_string();
    assert_eq!((&*told.target, &told.detail["code"]), (on.as_str(), &json!("subject_changed")));
    let seen = change.subject_sha256.clone().unwrap();
    let text = client.text(Request::<call::ChangeDiff>::new().place(change.id)).await.unwrap();
    assert_eq!((&*text, sha256(&text)), (DIFF, seen.clone()));
    let decided = approve(Some(&seen)).await.unwrap();
    assert_eq!(
        (&*decided.gate.state, decided.replayed, &*decided.gate.votes[0].identity),
        ("approved", false, "ada")
    );
    assert!(approve(Some(&seen)).await.unwrap().replayed);
    let merge = take(&client, "git").await;
    let asked = payload(&merge);
    assert_eq!((&*merge.kind, &asked["subject_sha256"]), ("git.merge", &json!(seen)));
    let landed = json!({"outcome": "merged", "commit": oid("commit"), "tree": oid("merged"), "checked_tree": oid("merged"),
        "base": oid("base"), "target": oid("commit"), "how": "moved", "checks": []});
    done(&client, &merge, landed).await;
    let merged = self::change(&client, change.id).await;
    assert_eq!((&*merged.state, merged.merge.unwrap().commit), ("merged", oid("commit")));
}

// C23: rejected, the task is cancelled; D23: the gate is found among the gates.
#[tokio::test]
async fn c23_a_reject_ends_the_change() {
    let server = server().await;
    let client = server.client();
    register(&client).await;
    let change = in_review(&client).await;
    let open = GateFilter { state: Some("open".into()), ..GateFilter::default() };
    let gates = client.call(Request::<call::GateList>::new().query(open)).await.unwrap();
    assert_eq!((gates.total, gates.items[0].subject.id.clone()), (1, change.id.to_string()));
    let gate = &gates.items[0];
    let reject = |reason: Option<&str>| {
        let subject_sha256 = Some(gate.subject_sha256.clone());
        let body = Reject { subject_sha256, reason: reason.map(str::to_owned), ..Reject::default() };
        client.call(Request::<call::GateReject>::new().place(gate.id).body(body))
    };
    assert_eq!(refusal(reject(None).await), (422, "invalid".into()));
    assert_eq!(reject(Some("not like this")).await.unwrap().gate.state, "rejected");
    assert_eq!(self::change(&client, change.id).await.state, "rejected");
    let task = client.call(Request::<call::TaskGet>::new().place(change.task)).await.unwrap();
    assert_eq!(task.state, tiltyard_model::task::State::Cancelled);
}

// C23: comments send it back; its agent gets them with the next attempt.
#[tokio::test]
async fn c23_comments_send_a_change_back() {
    let server = server().await;
    let client = server.client();
    register(&client).await;
    let change = in_review(&client).await;
    let comment = Comment { path: Some("src/main.rs".into()), line: Some(1), text: "name it better".into() };
    let body = SendBack { subject_sha256: change.subject_sha256.clone(), comments: vec![comment] };
    let sent = client.call(Request::<call::ChangeSendBack>::new().place(change.id).body(body)).await.unwrap();
    assert_eq!((&*sent.change.state, &*sent.gate.state), ("open", "superseded"));
    let again = take(&client, "default").await;
    assert_eq!(payload(&again)["given"]["feedback"][0]["comments"][0]["text"], "name it better");
    let listed = client.call(Request::<call::ChangeList>::new()).await.unwrap();
    assert_eq!((listed.total, listed.items[0].id), (1, change.id));
}

// SEC21, D52: a refused decision is on the record of the change's scope, and says what was to be decided.
#[tokio::test]
async fn sec21_a_refused_decision_names_its_subject() {
    let server = server().await;
    let client = server.client();
    register(&client).await;
    let change = in_review(&client).await;
    let wrong = Approve { subject_sha256: Some(sha256("something else")), ..Approve::default() };
    let decided = client.call(Request::<call::ChangeApprove>::new().place(change.id).body(wrong)).await;
    assert_eq!(refusal(decided).0, 409);
    let entry = crate::record::refused(&client, 1).await.remove(0);
    assert_eq!((&*entry.scope, entry.target), ("default", change.id.to_string()));
    assert_eq!(entry.detail["call"], "POST /changes/{id}/approve");
}
