//! The audit record: refused calls, and whether it is whole.

use crate::desk::admin;
use crate::rig::Rig;
use tiltyard_engine::audit::refused::{Call, On, refused, write_counts};
use tiltyard_engine::audit::verify;
use tiltyard_engine::scope;
use tiltyard_model::audit::Entry;
use tiltyard_model::refusal::Code;
use tiltyard_model::role::Reach;

fn call(code: Code, scope: Option<&str>) -> Call {
    Call {
        client: "192.0.2.9".into(),
        code,
        endpoint: "POST /gates/{id}/approve".into(),
        on: On::Decision,
        named: None,
        reach: scope.map(|scope| Reach::Only(vec![scope.to_owned()])),
        actor: Some("eve".into()),
        request_id: "r7".into(),
    }
}

async fn refuse(rig: &Rig, call: Call) {
    if let Some(written) = refused(&rig.engine, call) {
        written.await;
    }
}

/// The refused calls of a chain.
async fn on_record(rig: &Rig, chain: &'static str) -> Vec<Entry> {
    let entries = rig.chain(chain).await.into_iter();
    entries.filter(|entry| entry.action == "call.refused").collect()
}

// SEC21: a refused call is an entry with who, whence, where and why; the eleventh and later ones of a minute are one.
#[tokio::test]
async fn sec21_refused_calls_are_on_record() {
    let rig = Rig::new().await;
    for _ in 0..14 {
        refuse(&rig, call(Code::AlreadyDecided, Some("default"))).await;
    }
    let entries = on_record(&rig, "default").await;
    let first = &entries[0];
    assert_eq!(
        (first.actor.as_str(), first.target.as_str(), first.result.as_str()),
        ("eve", "POST /gates/{id}/approve", "refused")
    );
    assert_eq!((first.client.as_deref(), first.request_id.as_deref()), (Some("192.0.2.9"), Some("r7")));
    assert_eq!(first.detail["code"], "already_decided");
    assert_eq!(write_counts(&rig.engine).await, Ok(0), "the minute is not over");
    rig.clock.advance(60_000);
    assert_eq!(write_counts(&rig.engine).await, Ok(1));
    let entries = on_record(&rig, "default").await;
    let last = &entries[10];
    assert_eq!((entries.len(), &last.detail["count"], last.request_id.as_deref()), (11, &4.into(), None));
    assert_eq!((last.actor.as_str(), last.client.as_deref()), ("eve", Some("192.0.2.9")));
    assert_eq!(write_counts(&rig.engine).await, Ok(0));
}

// A stranger makes no chains: what names no scope that is there belongs to the store's own.
#[tokio::test]
async fn sec21_strangers_are_on_the_store_s_own_record() {
    let rig = Rig::new().await;
    let stranger = Call { actor: None, ..call(Code::Unauthenticated, Some("no-such-scope")) };
    refuse(&rig, stranger).await;
    refuse(&rig, call(Code::NotFound, None)).await;
    let entries = on_record(&rig, "system").await;
    assert_eq!((entries.len(), entries[0].actor.as_str()), (1, "anonymous"));
    assert!(rig.chain("no-such-scope").await.is_empty());
}

// SEC21: what is counted and not written is written when the server ends.
#[tokio::test]
async fn sec21_counts_are_written_at_the_end() {
    let mut rig = Rig::new().await;
    for _ in 0..12 {
        refuse(&rig, call(Code::Forbidden, None)).await;
    }
    assert_eq!(on_record(&rig, "system").await.len(), 10);
    rig.restart().await;
    let entries = on_record(&rig, "system").await;
    assert_eq!(entries[10].detail["count"], 2);
}

async fn forge(rig: &mut Rig, statement: &str) {
    rig.engine.close().await.expect("closes");
    let file = rusqlite::Connection::open(rig.folder.path().join("tiltyard.db")).expect("opens");
    assert_eq!(file.execute(statement, []).expect("forges"), 1);
    drop(file);
    rig.restart().await;
}

async fn verified(rig: &Rig) -> Option<u64> {
    let found = rig.read(|rows| verify::chain(rows, "system")).await.expect("reads");
    assert_eq!(found.ok, found.seq.is_none());
    found.seq
}

async fn fill(rig: &Rig) {
    for name in ["a", "b", "c", "d"] {
        rig.act_as(&admin(), move |act| scope::put(act, name, "made")).await.expect("makes");
    }
}

// D52: a whole record verifies, at start and on demand, across restarts.
#[tokio::test]
async fn d52_a_whole_record_verifies() {
    let mut rig = Rig::new().await;
    fill(&rig).await;
    rig.restart().await;
    fill(&rig).await;
    rig.act_as(&admin(), |act| scope::put(act, "e", "made")).await.expect("makes");
    assert_eq!((verified(&rig).await, rig.engine.broken_chains()), (None, &[][..]));
    assert_eq!(rig.chain("system").await.len(), 5);
}

// D52: what was changed, taken out or made unreadable shows; at the end of a chain already at start.
#[tokio::test]
async fn d52_a_changed_record_shows_embedded() {
    for (statement, seq, at_start) in [
        ("UPDATE audit SET actor = 'eve' WHERE chain = 'system' AND seq = 2", 2, false),
        ("DELETE FROM audit WHERE chain = 'system' AND seq = 2", 3, false),
        ("UPDATE audit SET actor = 'eve' WHERE chain = 'system' AND seq = 4", 4, true),
        ("UPDATE audit SET prev_hash = hash WHERE chain = 'system' AND seq = 4", 4, true),
        ("UPDATE audit SET detail = '{' WHERE chain = 'system' AND seq = 4", 4, true),
        ("UPDATE audit SET time = time + 1 WHERE chain = 'system' AND seq = 3", 3, true),
    ] {
        let mut rig = Rig::new().await;
        fill(&rig).await;
        forge(&mut rig, statement).await;
        assert_eq!(verified(&rig).await, Some(seq), "{statement}");
        let found: Vec<&str> =
            rig.engine.broken_chains().iter().map(|broken| broken.chain.as_str()).collect();
        assert_eq!(found, if at_start { vec!["system"] } else { vec![] }, "{statement}");
    }
}
