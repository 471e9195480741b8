//! What a deleted task had on disk: its logs, and the artifacts that nobody else names.

use crate::dead_letter::{fail, letters, mortal};
use crate::desk::admin;
use crate::rig::Rig;
use tiltyard_engine::artifact::{Put, put};
use tiltyard_engine::dead_letter::delete;
use tiltyard_engine::service::{Service, all};
use tiltyard_model::id::Id;
use tiltyard_store::blob::Kept;
use tiltyard_store::dead_letter::Filter;

fn sweeper() -> Box<dyn Service> {
    all().into_iter().find(|service| service.name() == "sweep").expect("is there")
}

impl Rig {
    pub(crate) fn kept(&self, text: &str) -> Kept {
        let mut writer = self.engine.blobs().writer(100).expect("begins");
        writer.write(text.as_bytes()).expect("writes");
        writer.finish(None).expect("is whole")
    }

    pub(crate) fn has(&self, kept: &str) -> bool {
        self.engine.blobs().open_read(kept).expect("looks").is_some()
    }

    fn has_log(&self, task: Id) -> bool {
        self.engine.logs().length(task.key(), 1).expect("looks").is_some()
    }

    /// A task that stored these and logged something, and died.
    async fn died_with(&self, texts: &[&str]) -> Id {
        let id = self.submit(mortal("one")).await;
        let taken = self.claim("a").await.expect("is taken").found.task;
        for text in texts {
            let kept = self.kept(text);
            let put_it = Put {
                task: id,
                generation: taken.generation,
                kept,
                media_type: None,
                name: None,
                output: None,
            };
            self.act(move |act| put(act, &put_it)).await.expect("is named");
        }
        self.engine.logs().append(id.key(), 1, 0, b"it said").expect("is written");
        self.settle(id, taken.generation, tiltyard_model::task::attempt::Outcome::Failed)
            .await
            .expect("dies");
        id
    }

    async fn delete_letter_of(&self, task: Id) {
        let all = letters(self, Filter::default()).await.items;
        let id = all.into_iter().find(|letter| letter.task == task).expect("has a letter").id;
        self.act_as(&admin(), move |act| delete(act, id)).await.expect("deletes");
        // The door answers before it tells; with the next answer it has told.
        self.act(|_| Ok(())).await.expect("answers");
    }
}

// D10: what is deleted goes for good, also from the disk: logs and artifacts, but nothing that another task names. A server
// that dies between the commit and the removal finds it after its next start.
#[tokio::test]
async fn d10_a_deleted_task_leaves_no_bytes() {
    let mut rig = Rig::new().await;
    let sweep = sweeper();
    sweep.run_once(&rig.engine).await.expect("listens");
    let (first, second) = (rig.died_with(&["own", "both"]).await, rig.died_with(&["both", "late"]).await);
    let [own, both, late] = ["own", "both", "late"].map(|text| rig.kept(text).sha256);
    rig.delete_letter_of(first).await;
    sweep.run_once(&rig.engine).await.expect("removes");
    assert_eq!([rig.has(&own), rig.has(&both), rig.has(&late)], [false, true, true]);
    assert_eq!([rig.has_log(first), rig.has_log(second)], [false, true]);

    let third = rig.submit(mortal("stays")).await;
    fail(&rig, "it broke").await;
    rig.engine.logs().append(third.key(), 1, 0, b"it said").expect("is written");
    rig.delete_letter_of(second).await;
    rig.restart().await;
    assert!(rig.has(&late) && rig.has_log(second), "it died before it removed anything");
    let sweep = sweeper();
    for _ in 0..256 {
        sweep.run_once(&rig.engine).await.expect("looks around");
        rig.clock.advance(1_000);
    }
    assert_eq!([rig.has(&both), rig.has(&late), rig.has_log(second)], [false; 3]);
    assert!(rig.has_log(third), "its task is there");
}
