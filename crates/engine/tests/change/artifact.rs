//! Artifacts: bytes that an attempt names (D21).

use crate::yard::{SMITH, Yard, agent, operator, person, sha256};
use tiltyard_engine::artifact::{Put, by_digest, get, may_write, put};
use tiltyard_engine::task::claim::Claimed;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_store::artifact::Artifact;

fn wanted(yard: &Yard, taken: &Claimed) -> Put {
    Put {
        task: taken.found.task.id,
        generation: taken.found.task.generation,
        kept: yard.kept("bytes"),
        media_type: Some("text/plain".into()),
        name: Some("out.txt".into()),
        output: None,
    }
}

impl Yard {
    async fn keep(&self, who: &Caller, wanted: Put) -> Result<Artifact, Refusal> {
        self.act_as(who, move |act| put(act, &wanted)).await
    }
}

// D21, D1: only the live generation of its own attempt names bytes; the same again is the same artifact.
#[tokio::test]
async fn d1_only_the_live_generation_stores_artifacts() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let first = yard.keep(&agent(SMITH), wanted(&yard, &taken)).await.expect("is kept");
    let again = yard.keep(&agent(SMITH), wanted(&yard, &taken)).await.expect("is the same");
    assert_eq!((first.id, first.size), (again.id, 5));
    let other = yard.keep(&agent("other"), wanted(&yard, &taken)).await.expect_err("is not its attempt");
    assert_eq!(other.code, Code::NotFound);
    let wrong = Put { generation: 2, ..wanted(&yard, &taken) };
    assert_eq!(yard.keep(&agent(SMITH), wrong).await.expect_err("is stale").code, Code::StaleGeneration);
    yard.settle(&taken, Outcome::Released, None).await.expect("is given back");
    assert_eq!(
        yard.keep(&agent(SMITH), wanted(&yard, &taken)).await.expect_err("is over").code,
        Code::StaleGeneration
    );
    let (task, generation) = (taken.found.task.id, taken.found.task.generation);
    let log = yard.act_as(&agent(SMITH), move |act| may_write(act, task, generation).map(drop)).await;
    assert_eq!(log.expect_err("is over").code, Code::StaleGeneration);
    let stored = yard.rig.told_of("artifact").await;
    assert_eq!(stored, ["artifact.stored@default"], "one row, one event");
}

// SEC4: an artifact is found by its id and by its digest, in the caller's scopes only.
#[tokio::test]
async fn sec4_artifacts_are_read_in_ones_own_scopes() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let kept = yard.keep(&agent(SMITH), wanted(&yard, &taken)).await.expect("is kept");
    let id = kept.id;
    assert_eq!(yard.rig.read(move |rows| get(rows, &operator("ada"), id)).await, Ok(kept.clone()));
    assert_eq!(yard.rig.read(|rows| by_digest(rows, &operator("ada"), &sha256("bytes"))).await, Ok(kept));
    let stranger = person("eve", Role::Admin, &["other"]);
    let seen = stranger.clone();
    let found = yard.rig.read(move |rows| get(rows, &seen, id)).await;
    assert_eq!(found.expect_err("is not there").code, Code::NotFound);
    let found = yard.rig.read(move |rows| by_digest(rows, &stranger, &sha256("bytes"))).await;
    assert_eq!(found.expect_err("is not there").code, Code::NotFound);
}

// SEC16: names that would leave their folder, or that cannot be shown, are refused.
#[tokio::test]
async fn sec16_a_name_has_no_folder() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    for name in ["", "..", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
        let bad = Put { name: Some(name.to_owned()), ..wanted(&yard, &taken) };
        let refusal = yard.keep(&agent(SMITH), bad).await.expect_err(name);
        assert_eq!(refusal.faults[0].field, "/name");
    }
    for media_type in ["", "text", "text/\u{e9}", "a/b\n"] {
        let bad = Put { media_type: Some(media_type.to_owned()), ..wanted(&yard, &taken) };
        let refusal = yard.keep(&agent(SMITH), bad).await.expect_err(media_type);
        assert_eq!(refusal.faults[0].field, "/media_type");
    }
    assert!(yard.rig.told_of("artifact").await.is_empty());
}
