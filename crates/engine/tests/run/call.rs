//! Calls of `http` stages (D20): who makes them, what becomes of their answers, and what a server leaves that ends meanwhile.

use crate::rig::Rig;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::blob::Blobs;
use tiltyard_engine::outgoing::{Answer, Body, CallError, Calling, Outgoing, Request};
use tiltyard_engine::service::{Ran, Service, all};
use tiltyard_model::id::Id;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;
use tiltyard_store::run::call::{self, State as CallState};
use tiltyard_store::run::output::{self, Of, Output};

const PAGE: &str = r#"
stages:
  - id: page
    uses: http
    with: {url: "https://a.example/x", method: METHOD, headers: {X-Mine: "1", traceparent: null}, body: {a: 1}}
  - id: after
    uses: command
    needs: page
    with: {argv: [echo, "${{ stages.page.outputs.result.body.name }}"]}
"#;

/// What happens to a call.
#[derive(Clone)]
enum Does {
    Answers(u16, &'static str, Vec<u8>),
    /// A body that is too long for memory.
    Stores(usize),
    Fails(CallError),
    Hangs,
}

/// Answers as it is told, one after the other, and the last one for ever.
#[derive(Default)]
struct Other {
    does: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Other {
    fn that(does: impl IntoIterator<Item = Does>) -> Arc<Self> {
        Arc::new(Self { does: Mutex::new(does.into_iter().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("is whole").clone()
    }

    fn next(&self) -> Does {
        let mut does = self.does.lock().expect("is whole");
        if does.len() > 1 { does.pop_front().expect("works") } else { does.front().expect("works").clone() }
    }

    async fn was_asked(&self, times: usize) {
        while self.asked.lock().expect("is whole").len() < times {
            tokio::task::yield_now().await;
        }
    }
}

impl Outgoing for Other {
    fn call<'a>(&'a self, request: Request, blobs: &'a Blobs) -> Calling<'a> {
        self.asked.lock().expect("is whole").push(request);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let does = self.next();
        Box::pin(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let (status, media_type, body) = match does {
                Does::Answers(status, media_type, bytes) => (status, media_type, Body::Short(bytes)),
                Does::Stores(size) => {
                    let mut writer = blobs.writer(size as u64).expect("works");
                    writer.write(&vec![b'x'; size]).expect("works");
                    (200, "text/plain", Body::Stored(writer.finish(None).expect("works")))
                }
                Does::Fails(error) => return Err(error),
                Does::Hangs => std::future::pending().await,
            };
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let (called, media_type) = ("GET https://a.example/x".to_owned(), Some(media_type.to_owned()));
            Ok(Answer { called, status, headers: BTreeMap::new(), media_type, body })
        })
    }
}

fn json_of(value: &Value) -> Does {
    Does::Answers(200, "application/json", value.to_string().into_bytes())
}

fn service() -> Box<dyn Service> {
    all().into_iter().find(|service| service.name() == "call").expect("is there")
}

/// A rig whose run of one call and a command has come as far as the call.
async fn at_call(other: &Arc<Other>, method: &str) -> (Rig, Id) {
    let rig = Rig::calling(Arc::<Other>::clone(other)).await;
    rig.engine.report().await.expect("works");
    let run = rig.start(&PAGE.replace("METHOD", method), json!({})).await;
    assert_eq!(rig.begin().await, 1);
    (rig, run)
}

impl Rig {
    /// Makes calls until none is left.
    async fn call_all(&self) {
        assert_eq!(service().run_once(&self.engine).await, Ok(Ran::Done));
        self.is_as_rows_say().await;
    }

    /// A server begins to make a call and ends before it is answered.
    async fn break_off(&mut self, other: &Other, times: usize) {
        let calls = service();
        tokio::select! {
            done = calls.run_once(&self.engine) => unreachable!("nobody answered, and it is {done:?}"),
            () = other.was_asked(times) => {}
        }
        drop(calls);
        self.restart().await;
        self.engine.report().await.expect("works");
    }

    async fn result(&self, run: Id) -> Option<Output> {
        let of = Of { run: run.key(), stage: 0, attempt: 1, item: None };
        self.read(move |rows| output::one(rows, of, "result").map_err(refusal_of)).await
    }

    async fn open_calls(&self) -> usize {
        let count = |rows: &tiltyard_store::Rows| {
            let open = |state| call::open(rows, state, 0, 100).map(|calls| calls.len());
            Ok(open(CallState::ToCall)? + open(CallState::Calling)?)
        };
        self.read(move |rows| count(rows).map_err(refusal_of)).await
    }
}

// D20: a call is made as the stage says, and what was answered is what later stages look up.
#[tokio::test]
async fn d20_a_call_is_made_and_its_answer_kept() {
    let other = Other::that([json_of(&json!({"name": "ada"}))]);
    let (rig, run) = at_call(&other, "POST").await;
    assert_eq!(rig.stages(run).await, [StageState::Running, StageState::Pending]);
    rig.call_all().await;
    let asked = other.asked().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.url.as_str(), asked.timeout_ms),
        ("POST", "https://a.example/x", 30_000)
    );
    assert_eq!(asked.body, Some((br#"{"a":1}"#.to_vec(), "application/json")));
    let key = format!("{run}.page.1");
    let headers = [("idempotency-key", key.as_str()), ("x-mine", "1")];
    assert_eq!(asked.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(rig.stages(run).await, [StageState::Succeeded, StageState::Ready]);
    let value = rig.result(run).await.expect("is kept").value.expect("is short");
    let value: Value = serde_json::from_str(&value).unwrap();
    assert_eq!(value, json!({"status": 200, "headers": {}, "body": {"name": "ada"}}));
    rig.begin().await;
    let claimed = rig.claim().await.expect("the next stage");
    assert!(
        claimed.found.task.spec.payload.contains(r#"["echo","ada"]"#),
        "{}",
        claimed.found.task.spec.payload
    );
    assert_eq!((rig.open_calls().await, other.asked().len()), (0, 1));
}

// D22: a call that failed says what a person can act on, and keeps what it was answered.
#[tokio::test]
async fn d22_a_failed_call_keeps_its_answer() {
    let other = Other::that([Does::Answers(503, "text/plain", b"come back later".to_vec())]);
    let (rig, run) = at_call(&other, "GET").await;
    rig.call_all().await;
    assert_eq!(rig.state(run).await, State::Failed);
    let error = rig.error(run).await.expect("says why");
    assert!(error.contains("answered 503 (any from 200 to 299 was expected): come back later"), "{error}");
    let attempt = rig.whole(run).await.ended.remove(0);
    assert_eq!(attempt.context.as_deref(), Some(r#"{"status":503}"#));
    assert!(rig.result(run).await.expect("is kept").value.expect("is short").contains("come back later"));

    let other = Other::that([Does::Fails(CallError::lasting("10.0.0.1 is not called"))]);
    let (rig, run) = at_call(&other, "GET").await;
    rig.call_all().await;
    assert!(rig.error(run).await.expect("says why").contains("10.0.0.1 is not called"));
    assert_eq!((rig.result(run).await, rig.open_calls().await), (None, 0));
}

// D21: a body that is too long for a result is an artifact of the run, and the result says where it is.
#[tokio::test]
async fn d21_a_long_body_is_an_artifact() {
    let other = Other::that([Does::Stores(700_000)]);
    let (rig, run) = at_call(&other, "GET").await;
    rig.call_all().await;
    let of_run = move |rows: &tiltyard_store::Rows| tiltyard_store::artifact::of_run(rows, run.key(), 0, 10);
    let stored = rig.read(move |rows| of_run(rows).map_err(refusal_of)).await;
    assert_eq!((stored.len(), stored[0].size, stored[0].output.as_deref()), (1, 700_000, Some("body")));
    let value = rig.result(run).await.expect("is kept").value.expect("is short");
    let value: Value = serde_json::from_str(&value).unwrap();
    let body = &value["body"];
    assert_eq!(
        (&body["artifact"], &body["sha256"]),
        (&json!(stored[0].id.to_string()), &json!(stored[0].sha256))
    );
    assert!(rig.engine.blobs().open_read(&stored[0].sha256).unwrap().is_some());
}

// D20: a call whose server ended while it was under way is made again where that does no harm, and not for ever.
#[tokio::test]
async fn d20_a_harmless_call_is_made_again_after_a_restart() {
    let other = Other::that([Does::Hangs]);
    let (mut rig, run) = at_call(&other, "GET").await;
    for times in 1..=4 {
        rig.break_off(&other, times).await;
    }
    rig.call_all().await;
    assert_eq!((other.asked().len(), rig.state(run).await), (4, State::Failed));
    assert!(rig.error(run).await.expect("says why").contains("the server ended 4 times"));

    let other = Other::that([Does::Hangs, json_of(&json!({"name": "ada"}))]);
    let (mut rig, run) = at_call(&other, "PUT").await;
    rig.break_off(&other, 1).await;
    rig.call_all().await;
    assert_eq!((other.asked().len(), rig.stages(run).await[0]), (2, StageState::Succeeded));
    let keys: Vec<String> =
        other.asked().into_iter().map(|asked| asked.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys[0], keys[1], "a receiver sees that it is the same call");
}

// D20: whether a call that does something in the world arrived nobody knows: it is not sent twice unasked.
#[tokio::test]
async fn d20_a_call_that_may_do_harm_is_not_made_again() {
    let other = Other::that([Does::Hangs]);
    let (mut rig, run) = at_call(&other, "POST").await;
    rig.break_off(&other, 1).await;
    rig.call_all().await;
    assert_eq!((other.asked().len(), rig.state(run).await), (1, State::Failed));
    let error = rig.error(run).await.expect("says why");
    assert!(error.contains("nobody knows whether it arrived") && error.contains("`retry`"), "{error}");
}

// D20: an answer that comes after its run was called off changes nothing.
#[tokio::test]
async fn d20_an_answer_for_a_run_that_was_called_off_comes_too_late() {
    let other = Other::that([json_of(&json!({"name": "ada"}))]);
    let (rig, run) = at_call(&other, "GET").await;
    let calls = service();
    let cancel = async {
        other.was_asked(1).await;
        rig.cancel(run).await.unwrap();
    };
    let (done, ()) = tokio::join!(calls.run_once(&rig.engine), cancel);
    assert_eq!((done, rig.state(run).await, rig.open_calls().await), (Ok(Ran::Done), State::Cancelled, 0));
    rig.is_as_rows_say().await;
}

// E7: calls to one machine have a limit, and all are made in the end.
#[tokio::test]
async fn e7_not_too_many_calls_go_to_one_machine() {
    let other = Other::that([json_of(&json!({"name": "ada"}))]);
    let rig = Rig::calling(Arc::<Other>::clone(&other)).await;
    rig.engine.report().await.unwrap();
    let text = r#"
input: {type: object}
stages:
  - id: pages
    uses: foreach
    with:
      in: ${{ input.list }}
      concurrency: 30
      do:
        uses: http
        with: {url: "https://a.example/${{ item }}"}
"#;
    let run = rig.start(text, json!({"list": (0..30).collect::<Vec<u32>>()})).await;
    rig.begin().await;
    rig.begin().await;
    rig.call_all().await;
    assert_eq!((other.asked().len(), other.most.load(Ordering::SeqCst)), (30, 8));
    assert_eq!(rig.state(run).await, State::Succeeded);
}
