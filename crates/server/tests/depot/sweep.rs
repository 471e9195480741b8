use crate::{Yard, claim, digest_of, download, put, submit};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tiltyard_engine::Engine;
use tiltyard_engine::clock::{Clock, VirtualClock};
use tiltyard_engine::service::all;
use tiltyard_model::time::{DAY_MS, HOUR_MS, TimeMs};

fn now() -> TimeMs {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
    TimeMs::try_from(since.as_millis()).unwrap()
}

fn has(engine: &Engine, sha256: &str) -> bool {
    tokio::task::block_in_place(|| engine.blobs().open_read(sha256).unwrap().is_some())
}

fn leave(engine: &Engine, bytes: &[u8]) -> String {
    let mut writer = engine.blobs().writer(100).unwrap();
    writer.write(bytes).unwrap();
    tokio::task::block_in_place(|| writer.finish(None).unwrap().sha256)
}

/// A whole round.
async fn sweep(engine: &Engine, clock: &VirtualClock) {
    let sweeper = all().into_iter().find(|service| service.name() == "sweep").unwrap();
    for step in 0..=256 {
        if step % 4 == 0 {
            engine.report().await.unwrap();
            assert!(engine.leads(), "nobody else is there");
        }
        sweeper.run_once(engine).await.unwrap();
        clock.advance(1_000);
    }
}

// D21, O16: a server that dies between the bytes and their row leaves something for whoever leads then, which a day later is no
// upload of anybody any more. What a row names stays.
#[tokio::test(flavor = "multi_thread")]
async fn o16_what_a_dead_server_left_is_swept_a_day_later() {
    let yard = Yard::new();
    let a = yard.server("a").await;
    submit(&a.client()).await;
    let held = claim(&a.client()).await;
    let named = put(&a.client(), &held, b"named").await;
    let left = leave(a.running().engine(), b"left");
    tokio::task::block_in_place(|| a.running().engine().logs().append(12_345, 1, 0, b"of nobody").unwrap());
    a.stop().await;

    let clock = VirtualClock::at(now() + HOUR_MS);
    let own = Arc::clone(&clock);
    let b = yard.server_with("b", |options| options.engine.clock = Clock::Virtual(own)).await.unwrap();
    let engine = b.running().engine();
    sweep(engine, &clock).await;
    assert!(has(engine, &left), "it might be somebody's");
    clock.advance(DAY_MS + HOUR_MS);
    sweep(engine, &clock).await;
    assert!(!has(engine, &left));
    assert_eq!(left, digest_of(b"left"));
    assert_eq!(download(&b.client(), &named).await, b"named");
    let length = || engine.logs().length(12_345, 1).unwrap();
    assert_eq!(tokio::task::block_in_place(length), None, "the log of no task");
}
