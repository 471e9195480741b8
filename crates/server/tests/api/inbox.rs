//! What waits for a person.

use crate::gate_race::open;
use crate::support::{client_with, die, raw, refusal, server, task, token};
use tiltyard_client::Request;
use tiltyard_model::role::Role;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::{Approve, Filter as GateFilter};
use tiltyard_wire::inbox::{Filter, View};
use tiltyard_wire::task::Submit;

// D27: gates and letters in one list, with the command that helps; page by page; what is decided is not there any more.
#[tokio::test]
async fn d27_everything_that_waits_is_one_list() {
    let server = server().await;
    let (client, gate) = (server.client(), open(&server, r#"{"a":1}"#).await);
    let dead = die(&client, Submit { max_attempts: Some(1), ..task("make release") }, "boom").await;
    let all = client.call(Request::<call::InboxGet>::new()).await.unwrap();
    assert_eq!((all.total, all.next_cursor), (2, None));
    let kinds: Vec<&str> = all.items.iter().map(|item| item.kind.as_str()).collect();
    assert_eq!(kinds, ["gate", "dead_letter"]);
    let [first, second]: &[View; 2] = all.items.as_slice().try_into().unwrap();
    assert_eq!((first.id, first.blocked, &first.next), (gate, 1, &format!("tiltyard approve {gate}")));
    assert!(first.may_decide && first.run.is_some() && first.stage.as_deref() == Some("approve"));
    assert_eq!((second.task, second.missing[0].as_str()), (Some(dead.id), "boom"));
    let viewer = client_with(&server, token(Role::Viewer, &["*"])).await;
    let seen = viewer.call(Request::<call::InboxGet>::new()).await.unwrap();
    assert!(seen.items.iter().all(|item| !item.may_decide), "a viewer decides nothing");

    let one = |cursor| Filter { limit: Some(1), cursor, ..Filter::default() };
    let page = client.call(Request::<call::InboxGet>::new().query(one(None))).await.unwrap();
    assert_eq!((page.items[0].id, page.total), (gate, 2));
    let page = client.call(Request::<call::InboxGet>::new().query(one(page.next_cursor))).await.unwrap();
    assert_eq!((page.items[0].id, page.next_cursor), (second.id, None));
    for odd in ["x", "1", "-1.gate_01h2xcejqtf2nbrexx3vqjhp41", "1.task_01h2xcejqtf2nbrexx3vqjhp41"] {
        let answer = client.call(Request::<call::InboxGet>::new().query(one(Some(odd.to_owned())))).await;
        assert_eq!(refusal(answer), (400, "bad_parameter".to_owned()), "{odd}");
    }
    let only = Filter { kind: Some("dead_letter".to_owned()), ..Filter::default() };
    assert_eq!(client.call(Request::<call::InboxGet>::new().query(only)).await.unwrap().total, 1);
    assert_eq!(raw(&server, "GET /api/v1/inbox?kind=fleet", &[], "").await.status, 400);

    let seen = client.call(Request::<call::GateGet>::new().place(gate)).await.unwrap();
    let of_run = GateFilter { run: seen.run.map(|run| run.to_string()), ..GateFilter::default() };
    assert_eq!(client.call(Request::<call::GateList>::new().query(of_run)).await.unwrap().total, 1);
    let body = Approve { subject_sha256: Some(seen.subject_sha256), ..Approve::default() };
    client.call(Request::<call::GateApprove>::new().place(gate).body(body)).await.unwrap();
    assert_eq!(client.call(Request::<call::InboxGet>::new()).await.unwrap().total, 1);
}
