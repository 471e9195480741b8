//! The board, as it is and as it was.

use crate::support::{claim, client_with, complete, die, make_scope, refusal, server, submit, task, token};
use serde_json::json;
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_model::task::State;
use tiltyard_wire::board::{Query, View};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::Submit;

async fn board(client: &Client, query: Query) -> View {
    client.call(Request::<call::BoardGet>::new().query(query)).await.unwrap()
}

/// The board, once it is later than now: what is told of a millisecond tells of all of it.
async fn later(client: &Client, query: Query) -> View {
    let now = board(client, query.clone()).await;
    loop {
        let then = board(client, query.clone()).await;
        if then.at > now.at {
            return then;
        }
    }
}

fn column(board: &View, state: State) -> (u64, Vec<&str>) {
    let column = board.columns.iter().find(|column| column.state == state).unwrap();
    (column.total, column.tasks.iter().map(|task| &*task.title).collect())
}

#[tokio::test]
async fn the_board_shows_each_state() {
    let server = server().await;
    let client = server.client();
    die(&client, task("dies"), "no").await;
    submit(&client, task("done")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    complete(&client, &held, json!(null)).await;
    submit(&client, task("runs")).await;
    claim(&client, "me", 1).await;
    for number in 0..3 {
        submit(&client, task(&format!("ready {number}"))).await;
    }
    let other = Submit { queue: Some("other".into()), ..task("elsewhere") };
    submit(&client, other).await;
    let all = board(&client, Query::default()).await;
    let counts = all.counts;
    assert_eq!((counts.dead, counts.succeeded, counts.running, counts.ready), (1, 1, 1, 4));
    let order: Vec<State> = all.columns.iter().map(|column| column.state).collect();
    assert_eq!(order, State::ALL);
    assert_eq!(column(&all, State::Running), (1, vec!["runs"]));
    assert_eq!(column(&all, State::Ready), (4, vec!["elsewhere", "ready 2", "ready 1", "ready 0"]));
    let narrow = Query { window: Some(1), queue: Some("default".into()), ..Query::default() };
    assert_eq!(column(&board(&client, narrow).await, State::Ready), (3, vec!["ready 2"]));
    let counts = board(&client, Query { window: Some(0), ..Query::default() }).await;
    assert_eq!(column(&counts, State::Ready), (4, vec![]));
}

// A past moment is told from the log: the board that was seen then is the board that is told of then.
#[tokio::test]
async fn a_past_board_is_what_was_seen_then() {
    let server = server().await;
    let client = server.client();
    for number in 0..3 {
        submit(&client, task(&format!("number {number}"))).await;
    }
    let held = claim(&client, "me", 1).await.remove(0);
    let then = later(&client, Query::default()).await;
    later(&client, Query::default()).await;
    complete(&client, &held, json!(null)).await;
    assert_eq!(board(&client, Query::default()).await.counts.succeeded, 1);
    let query = || Query { at: Some(then.at.to_string()), ..Query::default() };
    let told = board(&client, query()).await;
    assert_eq!((told.at, told.counts), (then.at, then.counts));
    for state in State::ALL {
        assert_eq!(column(&told, state), column(&then, state));
    }
    let window = Query { window: Some(1), ..query() };
    assert_eq!(column(&board(&client, window).await, State::Ready), (2, vec!["number 2"]));
    let before = Query { at: Some("2001-01-01T00:00:00Z".into()), ..Query::default() };
    assert_eq!(board(&client, before).await.counts.ready, 0);
}

// SEC4: counts and columns show the token's scopes only, present and past.
#[tokio::test]
async fn sec4_a_board_keeps_to_its_scopes() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    submit(&client, Submit { scope: Some("web".into()), ..task("theirs") }).await;
    submit(&client, task("ours")).await;
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    let seen = later(&viewer, Query::default()).await;
    assert_eq!((seen.counts.ready, column(&seen, State::Ready)), (1, (1, vec!["ours"])));
    later(&viewer, Query::default()).await;
    let then = Query { at: Some(seen.at.to_string()), ..Query::default() };
    assert_eq!(column(&board(&viewer, then.clone()).await, State::Ready), (1, vec!["ours"]));
    assert_eq!(board(&client, then).await.counts.ready, 2);
    let named = |scope: &str| Query { scope: Some(scope.into()), ..Query::default() };
    let refused = viewer.call(Request::<call::BoardGet>::new().query(named("web"))).await;
    assert_eq!(refusal(refused), (403, "scope_forbidden".into()));
    assert_eq!(board(&client, named("web")).await.counts.ready, 1);
    let worker = client_with(&server, token(Role::Worker, &["default"])).await;
    assert_eq!(refusal(worker.call(Request::<call::BoardGet>::new()).await), (403, "forbidden".into()));
    let bad = Query { at: Some("yesterday".into()), ..Query::default() };
    let bad = client.call(Request::<call::BoardGet>::new().query(bad)).await;
    assert_eq!(refusal(bad), (400, "bad_parameter".into()));
}
