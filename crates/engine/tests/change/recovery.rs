//! The program ends between any two steps, and goes on as if it had not.

use crate::yard::{SMITH, Yard, green, green_of, landed, operator, red, sha256};
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::change::send_back::{SendBack, send_back};
use tiltyard_model::change::State;
use tiltyard_model::change::comment::Comment;
use tiltyard_model::event::Type;
use tiltyard_model::task::State as TaskState;

impl Yard {
    async fn restart(&mut self) {
        self.rig.restart().await;
        self.hello(SMITH).await;
    }
}

// Promise 1: the whole way, with a restart between any two steps.
#[tokio::test]
async fn a_change_survives_a_restart_between_any_two_steps() {
    let mut yard = Yard::new().await;
    let task = yard.idea("one").await;
    yard.restart().await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    yard.restart().await;
    yard.check(red).await;
    yard.restart().await;
    yard.propose("one, better").await;
    yard.restart().await;
    yard.check(|asked| green_of(asked, &["src/main.rs"], "one, better")).await;
    yard.restart().await;
    let back = SendBack {
        change: id,
        subject_sha256: Some(sha256("one, better")),
        comments: vec![Comment { path: None, line: None, text: "shorter".into() }],
    };
    yard.act_as(&operator("zoe"), move |act| send_back(act, &back).map(drop)).await.expect("goes back");
    yard.restart().await;
    yard.propose("one").await;
    yard.restart().await;
    yard.check(|asked| green(asked, &["src/main.rs"])).await;
    yard.restart().await;
    yard.approve("zoe", id).await.expect("is counted");
    yard.restart().await;
    let taken = yard.take_git("git.merge").await;
    yard.restart().await;
    assert_eq!(yard.state(id).await, State::Queued, "its agent came back without it");
    let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    let late = yard.succeed(&taken, Some(serde_json::to_string(&landed(&asked)).expect("writes"))).await;
    // The agent came back and named nothing, so its attempt was given back; the merge is found again.
    assert!(late.is_err());
    yard.merge(landed).await;
    yard.restart().await;
    assert_eq!((yard.state(id).await, yard.rig.state(task).await), (State::Merged, TaskState::Succeeded));
}

// D50, D51: the log is gap-free, each change of state has its event, and ids are unique after restarts.
#[tokio::test]
async fn d51_the_log_has_no_gap_and_no_state_without_its_event() {
    let mut yard = Yard::new().await;
    for title in ["one", "two", "three"] {
        let id = yard.in_review(title).await.change.id;
        yard.approve("zoe", id).await.expect("is counted");
        yard.merge(landed).await;
        yard.restart().await;
    }
    let events = yard.rig.events().await;
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>());
    let changes = yard.rig.read(|rows| {
        let window = tiltyard_store::task::list::Window { below: i64::MAX, offset: 0, limit: 50 };
        tiltyard_store::change::page(rows, &Default::default(), window).map_err(refusal_of)
    });
    for found in changes.await.expect("reads") {
        let of = events.iter().filter(|event| event.subject == found.change.id.into());
        let kinds: Vec<Type> = of.map(|event| event.kind).collect();
        let whole = [
            Type::ChangeOpened,
            Type::ChangeChecking,
            Type::ChangeReview,
            Type::ChangeQueued,
            Type::ChangeMerging,
            Type::ChangeMerged,
        ];
        assert_eq!(kinds, whole);
        assert_eq!(found.change.state, State::Merged);
    }
}
