//! Dead letters, many at a time.

use crate::dead_letter::{fail, letters, mortal};
use crate::desk::{admin, caller};
use crate::rig::{Rig, spec};
use tiltyard_engine::Pass;
use tiltyard_engine::dead_letter::bulk::{Bulked, Started, Thing, Which, bulk, retry_group};
use tiltyard_engine::dead_letter::list::{filter_for, groups};
use tiltyard_engine::task::cancel;
use tiltyard_engine::task::submit::submit;
use tiltyard_model::dead_letter::{Group, GroupRetry, State};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State as TaskState};
use tiltyard_store::dead_letter::Filter;

fn pass(caller: Caller) -> Pass {
    Pass { caller, ..Pass::system() }
}

async fn all_groups(rig: &Rig) -> Vec<Group> {
    rig.read(|rows| groups(rows, &admin(), None)).await.expect("groups")
}

async fn retry(rig: &Rig, group: &Group, first: Option<u32>, rate_per_minute: Option<u32>) -> Started {
    let plan = GroupRetry { first, rate_per_minute };
    retry_group(&rig.engine, pass(admin()), Filter::default(), &group.fingerprint, plan)
        .await
        .expect("retries")
}

async fn count(rig: &Rig, state: State) -> u64 {
    letters(rig, Filter { state: Some(state), ..Filter::default() }).await.total
}

async fn many(rig: &Rig, count: usize, error: &str) {
    for number in 0..count {
        rig.submit(mortal(&format!("task {number}"))).await;
        fail(rig, &format!("{error} after {number} ms")).await;
    }
}

// D12: letters are grouped by the fingerprint of their error, the group with the most pending first.
#[tokio::test]
async fn d12_letters_are_grouped() {
    let rig = Rig::new().await;
    many(&rig, 2, "disk full").await;
    rig.clock.advance(1_000);
    many(&rig, 3, "timeout").await;
    let found = all_groups(&rig).await;
    assert_eq!(found.iter().map(|group| (group.pending, group.total)).collect::<Vec<_>>(), [(3, 3), (2, 2)]);
    assert!(found[0].error.starts_with("timeout after"));
    assert_eq!((found[0].kind.as_str(), found[0].scope.as_str()), ("work", "default"));
    assert_eq!(found[1].first_at, crate::rig::START);
    let of_group = Filter { fingerprint: Some(found[1].fingerprint.clone()), ..Filter::default() };
    assert_eq!(letters(&rig, of_group).await.total, 2);
    let other = caller(Role::Viewer, &["team"]);
    assert_eq!(rig.read(move |rows| groups(rows, &other, None)).await.expect("groups"), []);
}

// D12: a group is retried as one: first one, then N, then the rest at a stated rate.
#[tokio::test]
async fn d12_a_group_is_retried_one_then_some_then_the_rest() {
    let rig = Rig::new().await;
    many(&rig, 6, "timeout").await;
    let group = all_groups(&rig).await.remove(0);
    let started = retry(&rig, &group, Some(1), None).await;
    assert_eq!(started, Started { matched: 6, started: 1, scheduled: 0 });
    let probe = rig.claim("a").await.expect("one runs").found.task;
    assert!(rig.claim("a").await.is_none());
    rig.settle(probe.id, probe.generation, Outcome::Succeeded).await.expect("succeeds");
    let started = retry(&rig, &group, Some(2), Some(2)).await;
    assert_eq!(started, Started { matched: 5, started: 2, scheduled: 3 });
    assert_eq!((count(&rig, State::Retrying).await, count(&rig, State::Pending).await), (5, 0));
    for ready in [2, 1, 1, 1] {
        for _ in 0..ready {
            let task = rig.claim("a").await.expect("its turn").found.task;
            rig.settle(task.id, task.generation, Outcome::Succeeded).await.expect("succeeds");
        }
        assert!(rig.claim("a").await.is_none(), "no faster than two a minute");
        rig.pass_ms(30_000).await;
    }
    assert_eq!(count(&rig, State::Resolved).await, 6);
    let told = rig.acts_of("default").await;
    assert_eq!(told, ["dead_letter.retried"; 6], "SEC21: one entry an act");
}

// D12: one whose turn would come after its deadline is left as it is, and the others have theirs.
#[tokio::test]
async fn d12_one_that_cannot_wait_so_long_does_not_end_a_group() {
    let rig = Rig::new().await;
    for (title, deadline) in [("one", None), ("two", Some(crate::rig::START + 20_000)), ("three", None)] {
        rig.submit(Spec { deadline, ..mortal(title) }).await;
        fail(&rig, "timeout").await;
    }
    let group = all_groups(&rig).await.remove(0);
    let started = retry(&rig, &group, Some(1), Some(2)).await;
    assert_eq!(started, Started { matched: 3, started: 1, scheduled: 1 });
    assert_eq!((count(&rig, State::Retrying).await, count(&rig, State::Pending).await), (2, 1));
}

#[tokio::test]
async fn a_group_that_is_none_is_missing() {
    let rig = Rig::new().await;
    let code = async |fingerprint: &str, plan: GroupRetry, caller: Caller| {
        let filter = filter_for(&caller, None).expect("its own");
        let done = retry_group(&rig.engine, pass(caller), filter, fingerprint, plan).await;
        done.map_err(|refusal| refusal.code)
    };
    many(&rig, 1, "timeout").await;
    let group = all_groups(&rig).await.remove(0);
    let plan = GroupRetry::default();
    assert_eq!(code("nothing", plan, admin()).await, Err(Code::NotFound));
    let other = caller(Role::Operator, &["team"]);
    assert_eq!(code(&group.fingerprint, plan, other).await, Err(Code::NotFound), "SEC4");
    let wild = GroupRetry { first: Some(0), ..plan };
    assert_eq!(code(&group.fingerprint, wild, admin()).await, Err(Code::Invalid));
    assert_eq!(code(&group.fingerprint, plan, admin()).await.map(|done| done.started), Ok(1));
    assert_eq!(code(&group.fingerprint, plan, admin()).await, Ok(Started::default()));
}

async fn do_all(rig: &Rig, which: Which, thing: Thing) -> Bulked {
    bulk(&rig.engine, pass(admin()), which, thing).await.expect("is done")
}

fn everything() -> Which {
    Which::Filter(Filter::default())
}

// D10: retry, dismiss, reopen and delete also by filter and by ids; what does not fit is left as it is.
#[tokio::test]
async fn d10_many_letters_are_done_at_once() {
    let rig = Rig::new().await;
    many(&rig, 230, "timeout").await;
    let one = letters(&rig, Filter::default()).await.items.remove(0).id;
    let dismiss = Thing::Dismiss("known".into());
    let ids = Which::Ids(vec![one, one, rig.submit(spec("no letter")).await]);
    assert_eq!(do_all(&rig, ids, dismiss.clone()).await, Bulked { matched: 1, changed: 1 });
    assert_eq!(do_all(&rig, everything(), dismiss).await, Bulked { matched: 230, changed: 229 });
    assert_eq!(do_all(&rig, everything(), Thing::Retry).await, Bulked { matched: 230, changed: 0 });
    let dismissed = Which::Filter(Filter { state: Some(State::Dismissed), ..Filter::default() });
    assert_eq!(do_all(&rig, dismissed, Thing::Reopen).await, Bulked { matched: 230, changed: 230 });
    assert_eq!(do_all(&rig, Which::Ids(vec![one]), Thing::Retry).await, Bulked { matched: 1, changed: 1 });
    assert_eq!(do_all(&rig, everything(), Thing::Delete).await, Bulked { matched: 230, changed: 229 });
    let left = letters(&rig, Filter::default()).await.items;
    assert_eq!(left.iter().map(|letter| letter.id).collect::<Vec<Id>>(), [one]);
}

// A part that is refused is taken back alone: rows, memory, events and effects of the rest stand.
#[tokio::test]
async fn a_part_that_is_refused_is_taken_back_alone() {
    let mut rig = Rig::new().await;
    let running = rig.submit(spec("running")).await;
    rig.claim("a").await.expect("runs");
    let mut effects = rig.engine.door().effects();
    let (one, two) = rig
        .act(move |act| {
            let one = submit(act, &spec("one"))?.id;
            let refused = act.part(|act| {
                submit(act, &Spec { queue: "fresh".into(), ..spec("lost") })?;
                cancel::cancel(act, running, "lost")?;
                Err::<(), _>(Refusal::new(Code::WrongState, "after writing"))
            })?;
            assert_eq!(refused.expect_err("refused").code, Code::WrongState);
            let two = act.part(|act| submit(act, &spec("two")))??.id;
            Ok((one, two))
        })
        .await
        .expect("the rest stands");
    assert!(effects.try_recv().is_err(), "nobody is told to stop");
    for _ in 0..2 {
        assert_eq!(rig.state(running).await, TaskState::Running);
        let titles: Vec<Id> = rig.events().await.iter().filter_map(|event| event.task).collect();
        assert_eq!(titles, [running, running, one, two], "and the log has no gap");
        let seqs: Vec<i64> = rig.events().await.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>());
        let queues = rig.act(|act| tiltyard_engine::queue::list(act, None)).await.expect("lists");
        assert_eq!(queues.len(), 1);
        rig.restart().await;
    }
}
