//! Searching: names, titles, errors and ids, within the scopes of the token.

use crate::support::{client_with, die, make_scope, refusal, server, submit, task, token};
use tiltyard_client::{Client, Request};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::role::Role;
use tiltyard_model::search::Kind;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::TotalIs;
use tiltyard_wire::search::{Answer, Query};
use tiltyard_wire::task::{Submit, SubmitBatch};
use tiltyard_wire::template;

fn query(words: &str) -> Query {
    Query { q: Some(words.into()), ..Query::default() }
}

async fn ask(client: &Client, query: Query) -> Answer {
    client.call(Request::<call::SearchGet>::new().query(query)).await.unwrap()
}

async fn found(client: &Client, words: &str) -> Vec<(Kind, String)> {
    let answer = ask(client, query(words)).await;
    assert!(!answer.more && answer.next_cursor.is_none() && answer.total == answer.items.len() as u64);
    answer.items.into_iter().map(|hit| (hit.kind, hit.title)).collect()
}

// The words of what people see: names first, then what has ids, newest first.
#[tokio::test]
async fn what_has_the_words_is_found() {
    let server = server().await;
    let client = server.client();
    die(&client, task("upload"), "connection refused by login.example").await;
    let first = submit(&client, task("Mend the LOGIN page")).await;
    submit(&client, Submit { queue: Some("login".into()), ..task("other") }).await;
    let put = template::Put { description: "for login".into(), ..template::Put::default() };
    client.call(Request::<call::TemplatePut>::new().place("t").body(put)).await.unwrap();
    let expected = [
        (Kind::Queue, "login".to_owned()),
        (Kind::Template, "t".into()),
        (Kind::Task, "Mend the LOGIN page".into()),
        (Kind::DeadLetter, "upload".into()),
    ];
    assert_eq!(found(&client, "login").await, expected);
    assert_eq!(found(&client, "page mend").await, expected[2..3]);
    assert_eq!(found(&client, "no%such").await, []);
    let only = Query { kind: Some("task".into()), ..query("login") };
    let hit = ask(&client, only).await.items.remove(0);
    assert_eq!((hit.id, hit.state.as_deref()), (first.id.to_string(), Some("ready")));
}

// A whole id finds its thing, and nothing else.
#[tokio::test]
async fn an_id_finds_its_thing() {
    let server = server().await;
    let client = server.client();
    let task = submit(&client, task("it")).await;
    assert_eq!(found(&client, &format!(" {} ", task.id)).await, [(Kind::Task, "it".to_owned())]);
    let none = Id::from_parts(Noun::Task, 5, 5).to_string();
    assert_eq!(found(&client, &none).await, []);
}

// SEC4: a search tells nothing of other scopes: no task, no name, no id, no agent that works for others.
#[tokio::test]
async fn sec4_a_search_stays_in_the_scopes_of_its_token() {
    let server = server().await;
    let admin = server.client();
    make_scope(&admin, "red").await;
    make_scope(&admin, "needle-scope").await;
    let theirs = submit(&admin, Submit { queue: Some("needle".into()), ..task("a needle") }).await;
    crate::support::claim(&client_with(&server, token(Role::Worker, &["default"])).await, "needle-bot", 1)
        .await;
    let red = client_with(&server, token(Role::Viewer, &["red"])).await;
    let own = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(found(&red, "needle").await, []);
    assert_eq!(found(&red, &theirs.id.to_string()).await, []);
    let kinds: Vec<Kind> = found(&own, "needle").await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Queue, Kind::Agent, Kind::Task]);
    assert_eq!(found(&admin, "needle").await.len(), 4);
    let named = Query { scope: Some("default".into()), ..query("needle") };
    let refused = red.call(Request::<call::SearchGet>::new().query(named)).await;
    assert_eq!(refusal(refused), (403, "scope_forbidden".into()));
}

// API3: one page after the other, each hit once, and the total of what was found up to there.
#[tokio::test]
async fn api3_a_search_has_pages() {
    let server = server().await;
    let client = server.client();
    for place in 0..3 {
        let queue = Some(format!("needle-{place}"));
        submit(&client, Submit { queue, ..task(&format!("needle {place}")) }).await;
    }
    let mut asked = Query { limit: Some(2), ..query("needle") };
    let mut seen = Vec::new();
    loop {
        let answer = ask(&client, asked.clone()).await;
        seen.extend(answer.items.into_iter().map(|hit| hit.title));
        assert_eq!(answer.total, seen.len() as u64);
        assert_eq!(
            (answer.more, answer.total_is),
            (answer.next_cursor.is_some(), answer.more.then_some(TotalIs::AtLeast))
        );
        asked.cursor = answer.next_cursor;
        if asked.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["needle-0", "needle-1", "needle-2", "needle 2", "needle 1", "needle 0"]);
    let bad = [
        query(""),
        query(&"x".repeat(201)),
        Query { kind: Some("hay".into()), ..query("x") },
        Query { cursor: Some("task_x".into()), ..query("x") },
    ];
    for bad in bad {
        let refused = client.call(Request::<call::SearchGet>::new().query(bad)).await;
        assert_eq!(refusal(refused), (400, "bad_parameter".into()));
    }
}

// What was not looked at is not said to be absent: an answer that found nothing says where to go on.
#[tokio::test]
async fn a_search_says_what_it_has_not_looked_at() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("the needle")).await;
    let hay = (0..5_001).map(|_| task("hay")).collect();
    let batch = SubmitBatch { scope: None, tasks: hay };
    client.call(Request::<call::TaskSubmitBatch>::new().body(batch)).await.unwrap();
    let first = ask(&client, query("needle")).await;
    assert_eq!((first.items.len(), first.more, first.total), (0, true, 0));
    let rest = ask(&client, Query { cursor: first.next_cursor, ..query("needle") }).await;
    assert_eq!((rest.items.len(), rest.more, rest.total, rest.total_is), (1, false, 1, None));
}
