//! The board, now and then.

use crate::rig::{Rig, START, spec};
use tiltyard_engine::board::{Part, at, counts};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State};

// `GET /board?at`: the board as it stood, told by the log; and the counts of today from memory.
#[tokio::test]
async fn the_board_is_told_for_now_and_for_then() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("one")).await;
    rig.clock.advance(1_000);
    rig.submit(Spec { queue: "other".into(), ..spec("two") }).await;
    rig.claim("a").await.expect("is ready");
    rig.clock.advance(1_000);
    rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    let then = |time: i64, part: Part| {
        let read = move |rows: &tiltyard_store::Rows| at(rows, &Caller::system(), &part, time, 10);
        rig.engine.read(read)
    };
    let first = then(START, Part::default()).await.expect("tells");
    assert_eq!((first.counts[State::Ready as usize], first.counts.iter().sum::<u64>()), (1, 1));
    let second = then(START + 1_000, Part::default()).await.expect("tells");
    assert_eq!((second.counts[State::Ready as usize], second.counts[State::Running as usize]), (1, 1));
    assert_eq!(second.columns[State::Running as usize].1[0].task.id, id);
    let other = Part { queue: Some("other".into()), ..Part::default() };
    assert_eq!(then(START + 1_000, other.clone()).await.expect("tells").counts.iter().sum::<u64>(), 1);
    let now = rig.act(|act| counts(act, &Part::default())).await.expect("counts");
    assert_eq!((now[State::Succeeded as usize], now[State::Ready as usize]), (1, 1));
    assert_eq!(rig.act(move |act| counts(act, &other)).await.expect("counts").iter().sum::<u64>(), 1);
}

// SEC4: counts and columns of other scopes are not told.
#[tokio::test]
async fn sec4_a_board_shows_only_the_caller_s_scopes() {
    let rig = Rig::new().await;
    rig.submit(spec("one")).await;
    let stranger = Caller { reach: Reach::Only(vec!["elsewhere".into()]), ..Caller::system() };
    for window in [0, 10] {
        let stranger = stranger.clone();
        let read = move |rows: &tiltyard_store::Rows| at(rows, &stranger, &Part::default(), i64::MAX, window);
        assert_eq!(rig.engine.read(read).await.expect("tells").counts.iter().sum::<u64>(), 0);
    }
}
