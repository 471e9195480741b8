//! Random walks: agents that do, fail, fall silent and lie, people who decide at the wrong moment, restarts between any
//! two steps. Whatever happens, a change, its task, its gate, its internal task and the record agree.

use crate::chance::Chance;
use crate::yard::{SMITH, Yard, decision, green, landed, oid, operator, red, rules_file, run};
use std::collections::HashMap;
use tiltyard_engine::act::{Act, refusal_of};
use tiltyard_engine::change::send_back::{SendBack, send_back};
use tiltyard_engine::task::cancel::cancel;
use tiltyard_engine::task::claim::Claimed;
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_model::change::State;
use tiltyard_model::change::comment::Comment;
use tiltyard_model::change::work::{CheckResult, CheckStatus, Fit, MergeResult, Refused};
use tiltyard_model::event::Type;
use tiltyard_model::gate::{Side, State as GateState};
use tiltyard_model::id::Id;
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_store::change::Found;
use tiltyard_store::task::list::Window;

/// `WALKS` in the environment walks more.
const WALKS: u64 = 5;
const STEPS: usize = 100;

struct Walk {
    yard: Yard,
    chance: Chance,
    /// Taken and not yet settled.
    held: Vec<Claimed>,
    ideas: Vec<Id>,
}

impl Walk {
    async fn step(&mut self) {
        match self.chance.below(18) {
            0 | 17 if self.ideas.len() < 6 => {
                let title = format!("idea {}", self.ideas.len());
                self.ideas.push(self.yard.idea(&title).await);
            }
            0 | 1 => self.held.extend(self.yard.take("default").await),
            2..=4 => self.held.extend(self.yard.take("git").await),
            5..=10 => self.settle().await,
            11..=15 => self.decide().await,
            16 => self.meddle().await,
            _ if self.chance.once_in(2) => self.time().await,
            _ => {}
        }
    }

    async fn settle(&mut self) {
        if self.held.is_empty() {
            let queue = if self.chance.once_in(2) { "git" } else { "default" };
            self.held.extend(self.yard.take(queue).await);
            return;
        }
        let place = self.chance.below(self.held.len());
        let taken = self.held.swap_remove(place);
        if self.chance.once_in(10) {
            let outcome = *[Outcome::Failed, Outcome::Released].get(self.chance.below(2)).expect("two");
            drop(self.yard.settle(&taken, outcome, None).await);
            return;
        }
        let result = self.answer(&taken).await;
        // Refused when the attempt is over by now; then it changes nothing.
        drop(self.yard.succeed(&taken, result).await);
    }

    async fn answer(&mut self, taken: &Claimed) -> Option<String> {
        let task = &taken.found.task;
        let payload = task.spec.payload.as_str();
        match task.spec.kind.as_str() {
            "change" => {
                let live = self.yard.upload(taken, "probe").await.is_ok();
                if !live {
                    return None;
                }
                Some(self.yard.proposal(taken, &task.spec.title).await.to_text())
            }
            "git.check" => {
                let asked = serde_json::from_str(payload).expect("a payload");
                Some(self.checks(&asked).to_text())
            }
            "git.merge" => {
                let asked = serde_json::from_str(payload).expect("a payload");
                Some(self.merges(&asked).to_text())
            }
            _ => None,
        }
    }

    fn checks(&mut self, asked: &tiltyard_model::change::work::CheckPayload) -> CheckResult {
        let file = self.chance.of(&["README.md", "src/main.rs", "deploy/auth.rs"]).expect("three");
        match self.chance.below(12) {
            0 => red(asked),
            1 => CheckResult::Conflict { base: oid("newer"), files: vec!["a.rs".into()] },
            2 => CheckResult::RulesChanged {
                base: oid("newer"),
                rules: self.chance.once_in(2).then(|| rules_file(crate::yard::RULES)),
            },
            3 => CheckResult::Refused(Refused { code: "bad_bundle".into(), reason: "cut off".into() }),
            _ => green(asked, &[file]),
        }
    }

    fn merges(&mut self, asked: &tiltyard_model::change::work::MergePayload) -> MergeResult {
        match self.chance.below(12) {
            0 => MergeResult::BaseMoved { was: oid("base"), now: oid("newer") },
            1 => MergeResult::Conflict { base: oid("newer"), files: vec!["a.rs".into()] },
            2 => MergeResult::DirtyTarget { files: vec!["x".into()] },
            3 => MergeResult::RulesChanged { base: oid("newer"), rules: None },
            4 => MergeResult::SubjectChanged { diff_sha256: "0".repeat(64) },
            5 => {
                let checks = vec![run(CheckStatus::Failed)];
                MergeResult::ChecksFailed { base: oid("newer"), tree: oid("broken"), checks }
            }
            _ => landed(asked),
        }
    }

    async fn decide(&mut self) {
        let mut changes = self.changes().await;
        if !self.chance.once_in(5) {
            changes.retain(|found| matches!(found.change.state, State::Review | State::Conflicted));
        }
        if changes.is_empty() {
            return;
        }
        let change = &changes[self.chance.below(changes.len())].change;
        let subject = change.subject_sha256.clone().unwrap_or_default();
        let who = self.chance.of(&["zoe", "yan", "sam"]).expect("three");
        if self.chance.once_in(6) {
            let comments = vec![Comment { path: None, line: None, text: "again".into() }];
            let back = SendBack { change: change.id, subject_sha256: Some(subject), comments };
            let deed = move |act: &mut Act<'_>| send_back(act, &back).map(drop);
            drop(self.yard.act_as(&operator(who), deed).await);
            return;
        }
        let side = if self.chance.once_in(6) { Side::Reject } else { Side::Approve };
        drop(self.yard.decide_as(&operator(who), decision(change.id, side, &subject)).await);
    }

    /// A person cancels or retries something, internal tasks included.
    async fn meddle(&mut self) {
        let mut tasks = self.ideas.clone();
        tasks.extend(self.changes().await.iter().filter_map(|found| found.change.record.git));
        let Some(task) = self.chance.of(&tasks) else { return };
        let cancels = self.chance.once_in(3);
        let deed = move |act: &mut Act<'_>| match cancels {
            true => cancel(act, task, "no longer wanted").map(drop),
            false => retry(act, task, &Edit::default()).map(drop),
        };
        drop(self.yard.act_as(&operator("ada"), deed).await);
    }

    async fn time(&mut self) {
        match self.chance.below(3) {
            0 => {
                // No restart is over within the millisecond in which it began.
                self.yard.rig.clock.advance(5);
                self.yard.rig.restart().await;
            }
            1 => self.yard.rig.pass_ms(31_000).await,
            _ => self.yard.rig.pass_ms(301_000).await,
        }
        self.held.clear();
        self.yard.hello(SMITH).await;
    }

    async fn changes(&self) -> Vec<Found> {
        let read = |rows: &tiltyard_store::Rows| {
            let window = Window { below: i64::MAX, offset: 0, limit: 100 };
            tiltyard_store::change::page(rows, &Default::default(), window).map_err(refusal_of)
        };
        self.yard.rig.read(read).await.expect("reads")
    }

    async fn examine(&self) {
        let mut merging = 0;
        for found in self.changes().await {
            merging += usize::from(found.change.state == State::Merging);
            self.examine_one(&found).await;
        }
        assert!(merging <= 1, "C30: one merge at a time, not {merging}");
        self.examine_log().await;
    }

    async fn examine_one(&self, found: &Found) {
        let change = &found.change;
        let (id, state) = (change.id, change.state);
        let task = self.yard.rig.get(change.task).await.task;
        let current = task.change == Some(id);
        let closing = change.record.closing.is_some();
        let fits = match state {
            State::Open => matches!(task.state, TaskState::Ready | TaskState::Running | TaskState::Scheduled),
            State::Merging if closing => task.state.is_final(),
            State::Checking | State::Review | State::Queued | State::Merging | State::Conflicted => {
                task.state == TaskState::Waiting
            }
            State::Merged => !current || task.state == TaskState::Succeeded || closing,
            State::Rejected | State::Closed => !current || task.state != TaskState::Waiting,
        };
        assert!(fits, "C18: {id} is {state:?}, its task {:?}", task.state);
        assert_eq!(state == State::Merged, change.record.merge.is_some(), "C34: merged only with its proof");
        let asks = matches!(state, State::Review | State::Conflicted);
        let open = match change.gate {
            Some(_) => self.yard.gate(id).await.gate.state == GateState::Open,
            None => false,
        };
        assert_eq!(asks, open, "D23: {id} is {state:?}, and its gate is open: {open}");
        self.examine_git(found).await;
    }

    async fn examine_git(&self, found: &Found) {
        let change = &found.change;
        let awaited = match change.state {
            State::Checking => "git.check",
            State::Queued | State::Merging => "git.merge",
            _ => return,
        };
        let git = self.yard.rig.get(change.record.git.expect("is at work")).await.task;
        assert_eq!(git.spec.kind, awaited, "{:?}", change.state);
        assert!(!git.state.is_final(), "{} waits for {} that is {:?}", change.id, git.id, git.state);
        let runs = git.state == TaskState::Running;
        assert_eq!(change.state == State::Merging, awaited == "git.merge" && runs, "{:?}", git.state);
        assert_eq!(change.record.act.is_some(), change.state == State::Merging, "D52: an intent is open");
    }

    /// The last event of each change tells where it stands, and each intent has one outcome at most.
    async fn examine_log(&self) {
        let mut told: HashMap<Id, State> = HashMap::new();
        for event in self.yard.rig.events().await {
            if let (Some(state), tiltyard_model::event::Subject::Id(id)) = (after(event.kind), event.subject)
            {
                told.insert(id, state);
            }
        }
        for found in self.changes().await {
            assert_eq!(told.get(&found.change.id), Some(&found.change.state), "D51: {}", found.change.id);
        }
        let mut acts: HashMap<String, Vec<String>> = HashMap::new();
        for entry in self.yard.rig.chain("default").await.into_iter().filter(|e| e.action == "change.merged")
        {
            let act = entry.detail["act_id"].as_str().expect("an id").to_owned();
            acts.entry(act).or_default().push(entry.detail["phase"].as_str().expect("a word").to_owned());
        }
        for phases in acts.values() {
            assert!(phases == &["intent"] || phases == &["intent", "outcome"], "D52: {phases:?}");
        }
    }
}

fn after(kind: Type) -> Option<State> {
    Some(match kind {
        Type::ChangeOpened => State::Open,
        Type::ChangeChecking => State::Checking,
        Type::ChangeReview => State::Review,
        Type::ChangeQueued => State::Queued,
        Type::ChangeMerging => State::Merging,
        Type::ChangeMerged => State::Merged,
        Type::ChangeRejected => State::Rejected,
        Type::ChangeConflicted => State::Conflicted,
        Type::ChangeClosed => State::Closed,
        _ => return None,
    })
}

// C18, C30, C34, D23, D51, D52 in every walk; the seed is in the message of the failure.
#[tokio::test]
async fn c18_c30_d51_d52_every_walk_keeps_its_word() {
    let first = std::env::var("WALK_SEED").ok().and_then(|text| text.parse().ok());
    let walks = std::env::var("WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(WALKS);
    let seeds = first.map_or(0..walks, |seed| seed..seed + 1);
    let mut merged = 0;
    for seed in seeds {
        let yard = Yard::new().await;
        yard.people(&["zoe", "yan", "sam"]).await;
        let mut walk = Walk { yard, chance: Chance(seed), held: Vec::new(), ideas: Vec::new() };
        for step in 0..STEPS {
            println!("seed {seed}, step {step}: WALK_SEED={seed} walks it again");
            walk.step().await;
            walk.examine().await;
        }
        merged += walk.changes().await.iter().filter(|found| found.change.state == State::Merged).count();
    }
    assert!(merged > 0, "a walk on which nothing ever merges proves little");
}
