//! Dead letters, one at a time.

use crate::desk::{admin, caller};
use crate::rig::{Rig, report, spec};
use tiltyard_engine::dead_letter::list::{Page, filter_for, get, over, page, stats};
use tiltyard_engine::dead_letter::{delete, dismiss, reopen, retry};
use tiltyard_engine::queue::{Patch, patch};
use tiltyard_engine::task::retry::Edit;
use tiltyard_engine::task::settle::Report;
use tiltyard_engine::task::{cancel, list, retry as task_retry};
use tiltyard_model::dead_letter::{Letter, State};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Extras, Spec, State as TaskState};
use tiltyard_store::dead_letter::{Filter, Window};

pub(crate) const ALL: Window = Window { below: i64::MAX, offset: 0, limit: 100 };

/// A task that dies with its first failure.
pub(crate) fn mortal(title: &str) -> Spec {
    Spec { max_attempts: 1, payload: r#"{"secret":"s3cr3t-payload"}"#.into(), ..spec(title) }
}

/// The next task fails with this error.
pub(crate) async fn fail(rig: &Rig, error: &str) -> Id {
    let task = rig.claim("a").await.expect("a task to fail").found.task;
    let failed = Report { error: Some(error.into()), ..report(task.id, task.generation, Outcome::Failed) };
    rig.report(failed).await.expect("fails");
    task.id
}

pub(crate) async fn letters(rig: &Rig, filter: Filter) -> Page {
    rig.read(move |rows| page(rows, &filter, ALL)).await.expect("lists")
}

/// The letter of a fresh dead task.
pub(crate) async fn letter(rig: &Rig, title: &str) -> Letter {
    rig.submit(mortal(title)).await;
    let task = fail(rig, "it broke").await;
    let all = letters(rig, Filter::default()).await.items;
    all.into_iter().find(|letter| letter.task == task).expect("has a letter")
}

async fn look(rig: &Rig, id: Id) -> Letter {
    rig.read(move |rows| get(rows, &admin(), id)).await.expect("is there")
}

async fn retried(rig: &Rig, id: Id, edit: Edit) -> Result<Letter, Refusal> {
    rig.act_as(&admin(), move |act| retry(act, id, &edit)).await
}

// D10: a task that turns dead appears with what people need to know.
#[tokio::test]
async fn d10_a_dead_task_appears() {
    let mut rig = Rig::new().await;
    let extras = Extras { category: Some("docs".into()), labels: vec!["x".into()], ..Extras::default() };
    let id = rig.submit(Spec { extras, max_attempts: 2, ..mortal("one") }).await;
    fail(&rig, "first").await;
    assert_eq!(letters(&rig, Filter::default()).await.total, 0, "another attempt follows");
    rig.pass_ms(400_000).await;
    fail(&rig, "exit 1\nmore").await;
    rig.restart().await;
    let page = letters(&rig, Filter::default()).await;
    assert_eq!((page.total, page.next), (1, None));
    let letter = &page.items[0];
    assert_eq!((letter.task, letter.state, letter.error.as_str()), (id, State::Pending, "exit 1\nmore"));
    assert_eq!((letter.agent.as_deref(), letter.attempts, letter.retries), (Some("a"), 2, 0));
    assert_eq!((letter.category.as_deref(), &letter.labels[..]), (Some("docs"), &["x".to_owned()][..]));
    assert_eq!(letter.payload, r#"{"secret":"s3cr3t-payload"}"#);
    assert_eq!(letter.failed_at, crate::rig::START + 400_000);
    assert_eq!(rig.told_of("dead_letter").await, ["dead_letter.added@default"]);
}

// D10: retry, succeeds: resolved; the whole story is told, also when the server was restarted in between.
#[tokio::test]
async fn d10_a_retried_task_that_succeeds_resolves_its_letter() {
    let mut rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    let after = retried(&rig, one.id, Edit::default()).await.expect("retries");
    assert_eq!((after.state, after.retries), (State::Retrying, 1));
    assert_eq!(rig.state(one.task).await, TaskState::Ready);
    rig.restart().await;
    let task = rig.claim("b").await.expect("runs again").found.task;
    rig.settle(task.id, task.generation, Outcome::Succeeded).await.expect("succeeds");
    assert_eq!(look(&rig, one.id).await.state, State::Resolved);
    let story = ["added", "retried", "resolved"].map(|word| format!("dead_letter.{word}@default"));
    assert_eq!(rig.told_of("dead_letter").await, story);
    // SEC21: one entry for what a person did, none for what followed by itself.
    let entries = rig.chain("default").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].action.as_str(), entries[0].target.clone()),
        ("dead_letter.retried", one.id.to_string())
    );
    let again = retried(&rig, one.id, Edit::default()).await.expect_err("resolved");
    assert_eq!((again.code, &again.extra["state"]), (Code::WrongState, &"resolved".into()));
}

// D10: dies again: pending again, with the new error.
#[tokio::test]
async fn d10_a_retried_task_that_dies_again_is_pending_again() {
    let rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    retried(&rig, one.id, Edit::default()).await.expect("retries");
    rig.clock.advance(1_000);
    fail(&rig, "something else").await;
    let after = look(&rig, one.id).await;
    assert_eq!((after.state, after.retries, after.error.as_str()), (State::Pending, 1, "something else"));
    assert_eq!(after.failed_at, one.failed_at + 1_000);
    assert_ne!(after.fingerprint, one.fingerprint);
    assert_eq!(letters(&rig, Filter::default()).await.total, 1);
    assert_eq!(rig.told_of("dead_letter").await.len(), 3);
}

// D10, D12: assign_to, priority and an edited payload; both payloads stay visible, whichever door the edit came by.
#[tokio::test]
async fn d12_both_payloads_of_an_edit_stay_visible() {
    let rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    let edit = Edit { priority: Some(9), assign_to: Some("b".into()), payload: Some(r#"{"n":2}"#.into()) };
    let after = retried(&rig, one.id, edit).await.expect("retries");
    assert_eq!(
        (after.payload.as_str(), after.original_payload.as_deref()),
        (r#"{"n":2}"#, Some(one.payload.as_str()))
    );
    assert_eq!(after.priority, 9);
    assert!(rig.claim("a").await.is_none(), "it is assigned to another agent");
    let task = rig.claim("b").await.expect("is assigned").found.task;
    assert_eq!(task.spec.payload, r#"{"n":2}"#);
    rig.settle(task.id, task.generation, Outcome::Failed).await.expect("fails");
    let edit = Edit { payload: Some(r#"{"n":3}"#.into()), assign_to: Some("a".into()), ..Edit::default() };
    let id = one.task;
    rig.act_as(&admin(), move |act| task_retry::retry(act, id, &edit))
        .await
        .expect("retries the task itself");
    let after = look(&rig, one.id).await;
    assert_eq!((after.state, after.payload.as_str()), (State::Retrying, r#"{"n":3}"#));
    assert_eq!(after.original_payload, Some(one.payload), "the first one");
    let attempts = rig.read(move |rows| list::attempts(rows, &admin(), id)).await.expect("lists");
    assert_eq!(attempts.len(), 2, "each with what it ran with");
    assert!(attempts[0].payload.as_deref().is_some_and(|payload| payload.contains("s3cr3t")));
}

#[tokio::test]
async fn a_bad_edit_changes_nothing() {
    let rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    let refused = retried(&rig, one.id, Edit { priority: Some(11), ..Edit::default() }).await;
    assert_eq!(refused.expect_err("refused").code, Code::Invalid);
    assert_eq!(look(&rig, one.id).await, one);
    assert_eq!(rig.told_of("dead_letter").await.len(), 1);
}

// D10: dismiss, reopen; the moves that are none are 409.
#[tokio::test]
async fn d10_a_letter_is_dismissed_and_reopened() {
    let rig = Rig::new().await;
    let id = letter(&rig, "one").await.id;
    let dismissed = rig.act_as(&admin(), move |act| dismiss(act, id, "known")).await.expect("dismisses");
    assert_eq!((dismissed.state, dismissed.reason.as_deref()), (State::Dismissed, Some("known")));
    let code = |result: Result<Letter, Refusal>| result.expect_err("refused").code;
    assert_eq!(code(retried(&rig, id, Edit::default()).await), Code::WrongState);
    assert_eq!(code(rig.act(move |act| dismiss(act, id, "again")).await), Code::WrongState);
    assert_eq!(code(rig.act(move |act| dismiss(act, id, " ")).await), Code::Invalid);
    let reopened = rig.act_as(&admin(), move |act| reopen(act, id)).await.expect("reopens");
    assert_eq!((reopened.state, reopened.reason), (State::Pending, None));
    assert_eq!(code(rig.act(move |act| reopen(act, id)).await), Code::WrongState);
    assert_eq!(rig.acts_of("default").await, ["dead_letter.dismissed", "dead_letter.reopened"]);
    let story = ["added", "dismissed", "reopened"].map(|word| format!("dead_letter.{word}@default"));
    assert_eq!(rig.told_of("dead_letter").await, story);
}

// D10: delete removes letter and payload for good, from the file too.
#[tokio::test]
async fn d10_a_deleted_letter_leaves_no_payload_embedded() {
    let rig = Rig::new().await;
    let (gone, done) = (letter(&rig, "one").await, letter(&rig, "two").await);
    retried(&rig, done.id, Edit { payload: Some(r#"{"new":"s3cr3t-payload"}"#.into()), ..Edit::default() })
        .await
        .expect("retries");
    let id = done.id;
    let running = rig.act(move |act| delete(act, id)).await.expect_err("runs again on it");
    assert_eq!(running.code, Code::WrongState);
    let task = rig.claim("a").await.expect("runs again").found.task;
    rig.settle(task.id, task.generation, Outcome::Succeeded).await.expect("succeeds");
    for id in [gone.id, done.id] {
        rig.act_as(&admin(), move |act| delete(act, id)).await.expect("deletes");
        let again = rig.act(move |act| delete(act, id)).await.expect_err("gone");
        assert_eq!(again.code, Code::NotFound);
    }
    let id = gone.task;
    assert_eq!(rig.act(move |act| act.task(id)).await.expect_err("gone with it").code, Code::NotFound);
    let kept = rig.get(done.task).await.task;
    assert_eq!((kept.state, kept.spec.payload.as_str()), (TaskState::Succeeded, "{}"));
    let story = rig.story(gone.task).await;
    assert_eq!(story, ["submitted", "leased", "dead", "added", "deleted", "deleted"]);
    assert_eq!(
        rig.acts_of("default").await,
        ["dead_letter.retried", "dead_letter.deleted", "dead_letter.deleted"]
    );
    rig.engine.close().await.expect("closes");
    let file = rusqlite::Connection::open(rig.folder.path().join("tiltyard.db")).expect("opens");
    for table in ["task", "attempt", "dead_letter", "event", "audit"] {
        let columns = columns(&file, table);
        let query = format!("SELECT count(*) FROM {table} t WHERE json_array({columns}) LIKE '%s3cr3t%'");
        let rows: i64 = file.query_row(&query, [], |row| row.get(0)).expect("counts");
        assert_eq!(rows, 0, "{table} still holds a payload");
    }
}

// D7, D10: a task that others depend on is still known once its letter is deleted, empty; it runs again with another
// payload only.
#[tokio::test]
async fn d7_a_deleted_letter_frees_no_dependent() {
    let rig = Rig::new().await;
    let base = rig.submit(mortal("base")).await;
    let child = rig.submit(Spec { depends_on: vec![base], ..spec("child") }).await;
    assert_eq!(fail(&rig, "it broke").await, base);
    let id = letters(&rig, Filter::default()).await.items.remove(0).id;
    rig.act_as(&admin(), move |act| delete(act, id)).await.expect("deletes");
    let retry_of = |id: Id, payload: Option<&str>| {
        let edit = Edit { payload: payload.map(str::to_owned), ..Edit::default() };
        move |act: &mut tiltyard_engine::Act<'_>| {
            tiltyard_engine::task::retry::retry(act, id, &edit).map(drop)
        }
    };
    let early = rig.act(retry_of(child, None)).await.expect_err("base has never succeeded");
    assert_eq!(early.code, Code::DependencyFailed);
    let kept = rig.get(base).await.task;
    assert_eq!((kept.state, kept.spec.payload.as_str()), (TaskState::Dead, "{}"));
    assert_eq!(rig.act(retry_of(base, None)).await.expect_err("is empty").code, Code::WrongState);
    rig.act(retry_of(base, Some("{\"new\":1}"))).await.expect("runs again");
    assert_eq!(rig.state(child).await, TaskState::Pending);
}

// D4: nor does it free the slot of an attempt that is still stopping.
#[tokio::test]
async fn d4_a_deleted_letter_frees_no_slot() {
    let mut rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    let (id, task) = (one.id, one.task);
    retried(&rig, id, Edit::default()).await.expect("retries");
    rig.claim("a").await.expect("runs again");
    rig.act(move |act| cancel::cancel(act, task, "requested")).await.expect("is cancelled");
    rig.act_as(&admin(), move |act| delete(act, id)).await.expect("deletes");
    rig.restart().await;
    assert_eq!(rig.act(|act| Ok(act.memory.leases.len())).await, Ok(1), "it may still run");
}

/// The text of every column of a table, put together.
fn columns(file: &rusqlite::Connection, table: &str) -> String {
    let mut statement =
        file.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).expect("prepares");
    let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("asks");
    names.map(|name| format!("t.\"{}\"", name.expect("a name"))).collect::<Vec<_>>().join(", ")
}

// Who cancels the second try has given the letter up; who revives the task revives it.
#[tokio::test]
async fn a_cancelled_retry_sets_the_letter_aside() {
    let rig = Rig::new().await;
    let one = letter(&rig, "one").await;
    retried(&rig, one.id, Edit::default()).await.expect("retries");
    let task = one.task;
    rig.act_as(&admin(), move |act| cancel::cancel(act, task, "enough")).await.expect("cancels");
    assert_eq!(look(&rig, one.id).await.state, State::Dismissed);
    rig.act_as(&admin(), move |act| task_retry::retry(act, task, &Edit::default())).await.expect("revives");
    assert_eq!(look(&rig, one.id).await.state, State::Retrying);
    fail(&rig, "still broken").await;
    assert_eq!(look(&rig, one.id).await.state, State::Pending);
}

// A retried task that falls with its dependency, and comes back with it.
#[tokio::test]
async fn a_letter_follows_its_task_through_dependencies() {
    let rig = Rig::new().await;
    let base = letter(&rig, "base").await;
    let on = base.task;
    retried(&rig, base.id, Edit::default()).await.expect("retries");
    let waiting = Spec { depends_on: vec![on], ..mortal("waits") };
    let task = rig.submit(waiting).await;
    let done = rig.claim("a").await.expect("runs").found.task;
    rig.settle(done.id, done.generation, Outcome::Succeeded).await.expect("succeeds");
    assert_eq!(fail(&rig, "it broke").await, task);
    let own =
        letters(&rig, Filter { state: Some(State::Pending), ..Filter::default() }).await.items.remove(0);
    let id = own.id;
    rig.act(move |act| tiltyard_engine::dead_letter::retry(act, id, &Edit::default()))
        .await
        .expect("retries");
    assert_eq!(rig.state(task).await, TaskState::Ready);
    assert_eq!(
        (look(&rig, own.id).await.state, look(&rig, base.id).await.state),
        (State::Retrying, State::Resolved)
    );
}

// D10: a queue may keep none.
#[tokio::test]
async fn d10_a_queue_may_keep_no_letters() {
    let rig = Rig::new().await;
    let none = Patch { dead_letters: Some(false), ..Patch::default() };
    rig.act(move |act| patch(act, "default", "default", &none)).await.expect("changes");
    rig.submit(mortal("one")).await;
    let id = fail(&rig, "it broke").await;
    assert_eq!((rig.state(id).await, letters(&rig, Filter::default()).await.total), (TaskState::Dead, 0));
    rig.act(move |act| task_retry::retry(act, id, &Edit::default())).await.expect("a task without a letter");
    assert!(rig.told_of("dead_letter").await.is_empty());
}

// D11: the oldest that somebody has dealt with go first; pending ones stay, are told of, and degrade health.
#[tokio::test]
async fn d11_room_is_made_by_those_that_are_dealt_with() {
    let rig = Rig::new().await;
    rig.engine.letters().set(3);
    let mut made = Vec::new();
    for title in ["one", "two", "three"] {
        made.push(letter(&rig, title).await);
    }
    // The second is dealt with before the first.
    for index in [1, 0] {
        let id = made[index].id;
        rig.clock.advance(1_000);
        rig.act(move |act| dismiss(act, id, "known")).await.expect("dismisses");
    }
    made.push(letter(&rig, "four").await);
    let titles = async || {
        let items = letters(&rig, Filter::default()).await.items;
        items.into_iter().map(|letter| letter.title).collect::<Vec<_>>()
    };
    assert_eq!(titles().await, ["four", "three", "one"]);
    made.push(letter(&rig, "five").await);
    assert_eq!(titles().await, ["five", "four", "three"]);
    assert_eq!(rig.state(made[0].task).await, TaskState::Dead, "the tasks of evicted letters stay");
    let exceeded = |told: Vec<String>| {
        told.iter().filter(|event| event.as_str() == "dead_letter.limit_exceeded@default").count()
    };
    let degraded = async || rig.read(|rows| over(rows, 3)).await.expect("reads");
    assert_eq!((exceeded(rig.told_of("dead_letter").await), degraded().await), (0, Vec::new()));
    letter(&rig, "six").await;
    letter(&rig, "seven").await;
    assert_eq!(titles().await, ["seven", "six", "five", "four", "three"], "pending ones are never evicted");
    assert_eq!(exceeded(rig.told_of("dead_letter").await), 1, "told when it is crossed");
    assert_eq!(degraded().await, [("default".to_owned(), 5)]);
    let ids: Vec<Id> = letters(&rig, Filter::default()).await.items.iter().map(|letter| letter.id).collect();
    for id in &ids[..2] {
        let id = *id;
        rig.act(move |act| delete(act, id)).await.expect("deletes");
    }
    assert_eq!(degraded().await, Vec::new());
}

// D11: what is counted is counted after a restart too, and per scope.
#[tokio::test]
async fn d11_the_limit_is_a_scope_s_own() {
    let mut rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "team", "")).await.expect("makes");
    letter(&rig, "one").await;
    rig.submit(Spec { scope: "team".into(), ..mortal("other") }).await;
    fail(&rig, "it broke").await;
    rig.restart().await;
    rig.engine.letters().set(1);
    assert_eq!(rig.read(|rows| over(rows, 1)).await.expect("reads"), []);
    letter(&rig, "two").await;
    let exceeded: Vec<String> =
        rig.told_of("dead_letter").await.into_iter().filter(|told| told.contains("limit")).collect();
    assert_eq!(exceeded, ["dead_letter.limit_exceeded@default"]);
}

// SEC4: letters of other scopes are not seen, counted or moved.
#[tokio::test]
async fn sec4_letters_of_others_are_not_seen() {
    let rig = Rig::new().await;
    let id = letter(&rig, "one").await.id;
    rig.act(|act| tiltyard_engine::scope::put(act, "team", "")).await.expect("makes");
    let other = caller(Role::Operator, &["team"]);
    let filter = filter_for(&other, None).expect("its own");
    assert_eq!(letters(&rig, filter).await.total, 0);
    assert_eq!(filter_for(&other, Some("default")).expect_err("foreign").code, Code::ScopeForbidden);
    let counted = |caller: Caller| rig.read(move |rows| stats(rows, &caller, None));
    assert_eq!(counted(other.clone()).await.expect("counts"), [0, 0, 0, 0]);
    assert_eq!(counted(admin()).await.expect("counts"), [1, 0, 0, 0]);
    let code = |refusal: Refusal| refusal.code;
    let reader = other.clone();
    assert_eq!(rig.read(move |rows| get(rows, &reader, id)).await.map_err(code), Err(Code::NotFound));
    let none = rig.act_as(&other, move |act| retry(act, id, &Edit::default())).await.map_err(code);
    assert_eq!(none.err(), Some(Code::NotFound));
    assert_eq!(rig.act_as(&other, move |act| delete(act, id)).await.map_err(code), Err(Code::NotFound));
}

// API3: filters and pages.
#[tokio::test]
async fn api3_letters_are_listed_newest_first() {
    let rig = Rig::new().await;
    for title in ["one", "two", "three"] {
        letter(&rig, title).await;
    }
    let first =
        rig.read(|rows| page(rows, &Filter::default(), Window { limit: 2, ..ALL })).await.expect("lists");
    let titles = |page: &Page| page.items.iter().map(|letter| letter.title.clone()).collect::<Vec<_>>();
    assert_eq!((titles(&first), first.total), (vec!["three".into(), "two".into()], 3));
    let below = first.next.expect("another page");
    let window = Window { below, limit: 2, ..ALL };
    let second = rig.read(move |rows| page(rows, &Filter::default(), window)).await.expect("lists");
    assert_eq!((titles(&second), second.next), (vec!["one".to_owned()], None));
    let none = Filter { category: Some("docs".into()), ..Filter::default() };
    assert_eq!(letters(&rig, none).await.total, 0);
}
