//! Keeps artifacts and tells about tasks, as far as an executor asks for it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tiltyard_wire::artifact::{GetQuery, PutQuery};
use tiltyard_wire::work::Stored;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The shelf.
pub(crate) struct Shelf {
    url: String,
    kept: Kept,
    task: JoinHandle<()>,
}

type Kept = Arc<Keeping>;

#[derive(Default)]
struct Keeping {
    /// By id, in the order in which they came.
    things: Mutex<Vec<Thing>>,
    /// Ids of those that are of another scope than any task here.
    elsewhere: Mutex<HashSet<String>>,
    /// What tasks are said to be.
    tasks: Mutex<HashMap<String, Value>>,
    /// How many uploads are turned away first.
    busy: AtomicU32,
}

/// An artifact.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) sha256: String,
    pub(crate) bytes: Bytes,
    pub(crate) task: String,
    pub(crate) generation: i64,
    pub(crate) name: String,
    pub(crate) output: Option<String>,
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shelf {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Kept::default();
        let routes = Router::new()
            .route("/api/v1/artifacts/sha256/{hex}", put(keep))
            .route("/api/v1/artifacts/{id}", get(fetch))
            .route("/api/v1/tasks/{id}", get(task))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&kept));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { url, kept, task }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&Destination { url: self.url.clone(), ..Destination::default() }).expect("is an address")
    }

    pub(crate) fn things(&self) -> Vec<Thing> {
        self.kept.things.lock().expect("is whole").clone()
    }

    /// What was told of as uploaded, with the id that the server would add.
    pub(crate) fn stored(&self, told: &Stored) -> Stored {
        let things = self.things();
        let place = things.iter().position(|thing| thing.sha256 == told.sha256).expect("was uploaded");
        assert_eq!(things[place].bytes.len() as u64, told.bytes);
        Stored { id: Some(id_of(place).parse().expect("is an id")), ..told.clone() }
    }

    /// Lays bytes on the shelf that somebody else has stored; their id, and their digest.
    pub(crate) fn lay(&self, bytes: &'static [u8]) -> (String, String) {
        let mut things = self.kept.things.lock().expect("is whole");
        let (name, output, sha256) = (String::new(), None, hex_of(bytes));
        let bytes = Bytes::from_static(bytes);
        things.push(Thing {
            sha256: sha256.clone(),
            bytes,
            task: String::new(),
            generation: 0,
            name,
            output,
        });
        (id_of(things.len() - 1), sha256)
    }

    /// The same, of another scope, which the agent's token reaches too.
    pub(crate) fn lay_elsewhere(&self, bytes: &'static [u8]) -> (String, String) {
        let (id, sha256) = self.lay(bytes);
        self.kept.elsewhere.lock().expect("is whole").insert(id.clone());
        (id, sha256)
    }

    /// Has other bytes under each digest than it should.
    pub(crate) fn spoil(&self) {
        for thing in self.kept.things.lock().expect("is whole").iter_mut() {
            thing.bytes = Bytes::from_static(b"spoiled");
        }
    }

    /// Has nothing any more.
    pub(crate) fn burn(&self) {
        self.kept.things.lock().expect("is whole").clear();
    }

    /// Turns the next uploads away, as a server does that is being restarted.
    pub(crate) fn turn_away(&self, count: u32) {
        self.kept.busy.store(count, Ordering::SeqCst);
    }

    /// Says that a task is in that state, with that generation.
    pub(crate) fn say(&self, task: &str, state: &str, generation: i64) {
        let view = json!({
            "id": task, "generation": generation, "state": state, "scope": "default", "queue": "default",
            "kind": "change", "title": "A change", "payload": {}, "priority": 5, "labels": [], "capabilities": [],
            "depends_on": [], "timeout_ms": 1, "max_attempts": 1, "attempts": 0, "on_dependency_failure": "cancel",
            "backoff": { "kind": "fixed", "base_ms": 1, "max_ms": 1, "jitter": "none" },
            "created_at": "2026-01-01T00:00:00.000Z",
        });
        self.kept.tasks.lock().expect("is whole").insert(task.to_owned(), view);
    }
}

fn hex_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(place: usize) -> String {
    format!("art_01h2xcejqtf2nbrexx3vqj{place:04}")
}

async fn keep(
    State(kept): State<Kept>,
    Path(sha256): Path<String>,
    Query(query): Query<PutQuery>,
    bytes: Bytes,
) -> Response {
    if kept.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok() {
        return problem(503, "shutting_down");
    }
    assert_eq!(hex_of(&bytes), sha256, "the digest is that of the bytes");
    let (task, generation) = (query.task.expect("names its task"), query.generation.expect("and generation"));
    let mut things = kept.things.lock().expect("is whole");
    let (name, output) = (query.name.unwrap_or_default(), query.output);
    things.push(Thing {
        sha256: sha256.clone(),
        bytes: bytes.clone(),
        task: task.to_string(),
        generation,
        name,
        output,
    });
    let view = json!({ "id": id_of(things.len() - 1), "sha256": sha256, "size": bytes.len(), "media_type": "x/y", "name": null });
    (StatusCode::CREATED, view.to_string()).into_response()
}

async fn fetch(State(kept): State<Kept>, Path(id): Path<String>, Query(query): Query<GetQuery>) -> Response {
    if query.task.is_some() && kept.elsewhere.lock().expect("is whole").contains(&id) {
        return problem(404, "not_found");
    }
    let things = kept.things.lock().expect("is whole");
    match things.iter().enumerate().find(|(place, _)| id_of(*place) == id) {
        Some((_, thing)) => {
            ([("etag", format!("\"{}\"", thing.sha256))], thing.bytes.clone()).into_response()
        }
        None => problem(404, "not_found"),
    }
}

async fn task(State(kept): State<Kept>, Path(id): Path<String>) -> Response {
    match kept.tasks.lock().expect("is whole").get(&id) {
        Some(view) => view.to_string().into_response(),
        None => problem(404, "not_found"),
    }
}

fn problem(status: u16, code: &str) -> Response {
    let body = json!({ "type": "x", "title": "x", "status": status, "detail": code, "error": code, "code": code, "request_id": "r" });
    let status = StatusCode::from_u16(status).expect("is a status");
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}
