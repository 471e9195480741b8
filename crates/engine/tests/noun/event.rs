//! Events, read page by page.

use crate::desk::{admin, caller};
use crate::rig::{Rig, spec};
use tiltyard_engine::event::{Filter, MAX_LOOKED_EVENTS, Page, filter_for, page};
use tiltyard_engine::task::submit::submit_batch;
use tiltyard_model::event::cursor::Cursor;
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Role;
use tiltyard_model::task::Spec;
use tiltyard_model::task::attempt::Outcome;

async fn read(rig: &Rig, after: Option<&str>, filter: Filter, limit: usize) -> Result<Page, Refusal> {
    let after = after.map(Cursor::parse).transpose()?;
    let epoch = rig.engine.store().epoch();
    rig.read(move |rows| page(rows, epoch, after, &filter, limit)).await
}

async fn code(rig: &Rig, after: &str) -> Code {
    read(rig, Some(after), Filter::default(), 10).await.expect_err("refused").code
}

fn seqs(page: &Page) -> Vec<i64> {
    page.items.iter().map(|event| event.seq).collect()
}

async fn submit_many(rig: &Rig, count: usize) {
    let specs: Vec<Spec> = (0..count).map(|number| spec(&format!("task {number}"))).collect();
    rig.act(move |act| submit_batch(act, &specs)).await.expect("are taken in");
}

// API20, E5: pages follow each other without gap or repeat, from the oldest kept on; the cursor is the last id.
#[tokio::test]
async fn api20_pages_follow_each_other() {
    let rig = Rig::new().await;
    submit_many(&rig, 7).await;
    let first = read(&rig, None, Filter::default(), 5).await.expect("reads");
    assert_eq!((seqs(&first), first.next.as_str()), (vec![1, 2, 3, 4, 5], "1-5"));
    assert_eq!(first.latest, "1-7", "there is more");
    let second = read(&rig, Some(&first.next), Filter::default(), 5).await.expect("reads");
    assert_eq!((seqs(&second), second.next.as_str()), (vec![6, 7], "1-7"));
    assert_eq!(second.latest, second.next, "this is the last page");
    let end = read(&rig, Some(&second.next), Filter::default(), 5).await.expect("reads");
    assert_eq!((seqs(&end), end.next.as_str()), (vec![], "1-7"));
    let bare = read(&rig, Some("5"), Filter::default(), 5).await.expect("reads");
    assert_eq!(seqs(&bare), [6, 7]);
    let oldest = read(&rig, Some("0"), Filter::default(), 1).await.expect("reads");
    assert_eq!(seqs(&oldest), [1]);
}

#[tokio::test]
async fn an_empty_log_has_a_cursor_too() {
    let rig = Rig::new().await;
    let empty = read(&rig, None, Filter::default(), 5).await.expect("reads");
    assert_eq!((seqs(&empty), empty.next.as_str()), (vec![], "1-0"));
    submit_many(&rig, 1).await;
    let after = read(&rig, Some(&empty.next), Filter::default(), 5).await.expect("reads");
    assert_eq!(seqs(&after), [1]);
}

// API20: a filter that finds nothing for long moves the cursor on all the same.
#[tokio::test]
async fn api20_a_page_makes_progress_where_nothing_matches() {
    let rig = Rig::new().await;
    let stretch = MAX_LOOKED_EVENTS as usize;
    submit_many(&rig, stretch).await;
    rig.submit(spec("one more")).await;
    rig.claim("a").await.expect("takes one");
    let leased = Filter { types: Some(vec![Type::TaskLeased]), ..Filter::default() };
    // The agent's name was registered in between. One page looks past the stretch without any.
    let page = read(&rig, None, leased, 5).await.expect("reads");
    assert_eq!((seqs(&page), page.next.as_str()), (vec![10_003], "1-10003"));
    assert_eq!(page.latest, page.next, "this is the last page");
}

// D50: the filters: types, the thing, and for a task what belongs to it.
#[tokio::test]
async fn d50_events_are_found_by_type_and_subject() {
    let rig = Rig::new().await;
    let (one, _) = (rig.submit(Spec { max_attempts: 1, ..spec("one") }).await, rig.submit(spec("two")).await);
    let claimed = rig.claim("a").await.expect("takes one").found.task;
    assert_eq!(claimed.id, one);
    rig.settle(one, 1, Outcome::Failed).await.expect("settles");
    let words = |page: Page| page.items.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>();
    let of_one = Filter { subject: Some(Subject::Id(one)), ..Filter::default() };
    let story = words(read(&rig, None, of_one, 10).await.expect("reads"));
    assert!(story.starts_with(&["task.submitted", "task.leased", "task.dead"]), "{story:?}");
    let of_agent = Filter { subject: Some(Subject::from("a")), ..Filter::default() };
    assert_eq!(words(read(&rig, None, of_agent, 10).await.expect("reads"))[0], "agent.registered");
    let types = Filter { types: Some(Type::matching("task.submitted")), ..Filter::default() };
    assert_eq!(words(read(&rig, None, types, 10).await.expect("reads")), ["task.submitted"; 2]);
}

// SEC4: a token reads the events of its scopes only, numbered without a gap in each.
#[tokio::test]
async fn sec4_events_of_other_scopes_are_not_read() {
    let rig = Rig::new().await;
    for scope in ["a", "b"] {
        rig.act(move |act| tiltyard_engine::scope::put(act, scope, "")).await.expect("makes");
        rig.submit(Spec { scope: scope.into(), ..spec("one") }).await;
        rig.submit(spec("elsewhere")).await;
    }
    let of_b = caller(Role::Viewer, &["b"]);
    let own = filter_for(&of_b, None).expect("its own");
    let page = read(&rig, None, own, 100).await.expect("reads");
    assert!(page.items.iter().all(|event| event.scope == "b"));
    assert_eq!(page.items.iter().map(|event| event.scope_seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(filter_for(&of_b, Some("a")).expect_err("foreign").code, Code::ScopeForbidden);
    assert_eq!(filter_for(&admin(), Some("a")).expect("any").scopes, Some(vec!["a".to_owned()]));
}

// API20, E9: a cursor of a lost time line is 410 `epoch_changed` and says how to go on; one from before is good.
#[tokio::test]
async fn api20_a_cursor_of_a_lost_time_line_is_refused() {
    let mut rig = Rig::new().await;
    submit_many(&rig, 3).await;
    rig.act(|act| tiltyard_store::meta::put(act.tx, "epoch", "2").map_err(tiltyard_engine::act::refusal_of))
        .await
        .expect("a restore raises the epoch");
    rig.restart().await;
    submit_many(&rig, 2).await;
    let events = rig.events().await;
    assert_eq!(events.iter().map(|event| event.epoch).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
    for (after, next) in [("1-2", 3), ("1-3", 4), ("2-3", 4), ("2-4", 5), ("4", 5)] {
        let page = read(&rig, Some(after), Filter::default(), 10).await.expect(after);
        assert_eq!(page.items[0].seq, next, "after {after}");
    }
    for lost in ["1-4", "1-9", "2-6", "3-1", "6"] {
        assert_eq!(code(&rig, lost).await, Code::EpochChanged, "{lost}");
    }
    let refused = read(&rig, Some("1-9"), Filter::default(), 10).await.expect_err("lost");
    assert_eq!((&refused.extra["latest"], &refused.extra["resync"]), (&"2-5".into(), &"after=0".into()));
}

// API20: older than what is kept is 410 `cursor_compacted`; 0 never is.
#[tokio::test]
async fn api20_what_is_no_longer_kept_is_said_so_embedded() {
    let mut rig = Rig::new().await;
    submit_many(&rig, 9).await;
    rig.engine.close().await.expect("closes");
    let file = rusqlite::Connection::open(rig.folder.path().join("tiltyard.db")).expect("opens");
    assert_eq!(file.execute("DELETE FROM event WHERE seq <= 5", []).expect("forgets"), 5);
    drop(file);
    rig.restart().await;
    for gone in ["1-4", "4", "1-0"] {
        assert_eq!(code(&rig, gone).await, Code::CursorCompacted, "{gone}");
    }
    for (after, next) in [(None, 6), (Some("0"), 6), (Some("1-5"), 6), (Some("1-6"), 7)] {
        let page = read(&rig, after, Filter::default(), 10).await.expect("reads");
        assert_eq!(page.items[0].seq, next);
    }
}
