//! A yard: one engine, one agent, one registered repository, and short words for what happens there.

use crate::rig::{Rig, request, spec};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use tiltyard_engine::act::{Act, refusal_of};
use tiltyard_engine::agent::{Hello, hello};
use tiltyard_engine::artifact;
use tiltyard_engine::gate::decide::{Decide, Decided, decide};
use tiltyard_engine::memory::boot::rebuild;
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::repository::{Pending, Put, put};
use tiltyard_engine::task::claim::{Claimed, Request, claim};
use tiltyard_engine::task::settle::{Report, Verdict, settle};
use tiltyard_engine::token;
use tiltyard_model::agent::Profile;
use tiltyard_model::change::State;
use tiltyard_model::change::diff::{Content, FileDiff, Status};
use tiltyard_model::change::work::{
    ChangePayload, ChangeResult, CheckPayload, CheckResult, CheckRun, CheckStatus, Checked, Files, Fit,
    Green, How, MergePayload, MergeResult, Merged, ProbeResult, RulesFile, Stored, TargetKind,
};
use tiltyard_model::gate::Side;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::settings::Settings;
use tiltyard_model::repository::{Repository, Source};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_model::task::Spec;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::token::Mint;
use tiltyard_store::blob::Kept;
use tiltyard_store::change::Found;
use tiltyard_store::gate::Found as FoundGate;

/// The agent of the yard.
pub(crate) const SMITH: &str = "smith";
/// Rules under which tier 1 merges by itself, with one check.
pub(crate) const RULES: &str = "auto_merge = \"safe\"\n[[checks]]\nname = \"test\"\nargv = [\"true\"]\n";

pub(crate) struct Yard {
    pub(crate) rig: Rig,
}

/// A caller of the yard.
pub(crate) fn person(owner: &str, role: Role, scopes: &[&str]) -> Caller {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Caller { owner: owner.to_owned(), role, reach: Reach::from_list(&scopes), ..Caller::system() }
}

pub(crate) fn operator(owner: &str) -> Caller {
    person(owner, Role::Operator, &["*"])
}

pub(crate) fn agent(name: &str) -> Caller {
    Caller { agent: Some(name.to_owned()), ..person(&format!("agent:{name}"), Role::Agent, &["*"]) }
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// An object id of git, made of a word.
pub(crate) fn oid(word: &str) -> String {
    sha256(word)[..40].to_owned()
}

pub(crate) fn rules_file(text: &str) -> RulesFile {
    RulesFile { sha256: sha256(text), text: Some(text.to_owned()) }
}

pub(crate) fn file(path: &str) -> FileDiff {
    FileDiff {
        path: path.to_owned(),
        from: None,
        status: Status::Modified,
        added: 1,
        removed: 1,
        content: Content::Text,
        old_mode: None,
        new_mode: None,
    }
}

pub(crate) fn files(paths: &[&str]) -> Files {
    Files { listed: paths.iter().map(|path| file(path)).collect(), more: 0 }
}

pub(crate) fn run(status: CheckStatus) -> CheckRun {
    let exit = (status == CheckStatus::Passed).then_some(0).or(Some(1));
    CheckRun { name: "test".into(), status, exit, duration_ms: 40, log_tail: "the end of the log\n".into() }
}

impl Yard {
    /// An engine with an agent and the repository `app`, whose base has [`RULES`].
    pub(crate) async fn new() -> Self {
        Self::with(Some(RULES), Settings::default()).await
    }

    pub(crate) async fn with(rules: Option<&str>, settings: Settings) -> Self {
        let yard = Self { rig: Rig::new().await };
        yard.hello(SMITH).await;
        yard.register("app", rules, settings).await;
        yard
    }

    pub(crate) async fn hello(&self, name: &'static str) {
        let said = Hello {
            name: name.to_owned(),
            instance: "one".to_owned(),
            profile: Profile { slots: 4, ..Profile::default() },
            holds: Vec::new(),
        };
        self.act_as(&agent(name), move |act| hello(act, &said)).await.expect("is welcome");
    }

    pub(crate) async fn act_as<T: Send + 'static>(
        &self,
        caller: &Caller,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.rig.act_as(caller, deed).await;
        self.memory().await;
        done
    }

    /// Memory is what a fresh rebuild of the store makes, after every deed, done or refused.
    pub(crate) async fn memory(&self) {
        let deed = |act: &mut Act<'_>| {
            let fresh = rebuild(act.tx, act.now).map_err(refusal_of)?;
            Ok((act.memory.summary(), fresh.summary()))
        };
        let (kept, fresh) = self.rig.act(deed).await.expect("rebuilds");
        assert_eq!(kept, fresh, "memory and store differ");
    }

    /// A token for each of these people, so that they count as human.
    pub(crate) async fn people(&self, owners: &[&str]) {
        for owner in owners {
            let mint = Mint {
                label: (*owner).to_owned(),
                role: Role::Operator,
                scopes: vec!["*".to_owned()],
                queues: None,
                owner: Some((*owner).to_owned()),
                groups: Vec::new(),
                expires: None,
            };
            let random = token::random().expect("randomness");
            self.rig.act(move |act| token::mint(act, &mint, &random)).await.expect("is minted");
        }
    }

    pub(crate) async fn put(&self, asked: Put) -> Result<Pending, Refusal> {
        self.act_as(&operator("ada"), move |act| put(act, &asked)).await
    }

    /// Registers a repository and has its agent find it.
    pub(crate) async fn register(&self, name: &str, rules: Option<&str>, settings: Settings) -> Repository {
        let pending = self.put(asked(name, settings)).await.expect("is asked for");
        self.probe(found(rules)).await;
        self.probed(&pending).await.expect("is usable").expect("is probed")
    }

    pub(crate) async fn probed(&self, pending: &Pending) -> Result<Option<Repository>, Refusal> {
        let pending = pending.clone();
        self.rig.read(move |rows| tiltyard_engine::repository::probe::outcome(rows, &pending)).await
    }

    /// Takes the next task of a queue as the agent.
    pub(crate) async fn take(&self, queue: &str) -> Option<Claimed> {
        self.take_as(SMITH, queue).await
    }

    pub(crate) async fn take_as(&self, name: &str, queue: &str) -> Option<Claimed> {
        let want = Want { agent: name.to_owned(), queues: vec![queue.to_owned()], ..request(name).want };
        let wanted = Request { want, instance: Some("one".to_owned()), ..request(name) };
        self.act_as(&agent(name), move |act| claim(act, &wanted)).await.expect("may claim").pop()
    }

    /// Takes the next internal task of a kind; clean-ups are done on the way.
    pub(crate) async fn take_git(&self, kind: &str) -> Claimed {
        loop {
            let taken = self.take("git").await.expect("an internal task waits");
            if taken.found.task.spec.kind == kind {
                return taken;
            }
            assert_eq!(taken.found.task.spec.kind, "git.clean", "{kind} was awaited");
            self.succeed(&taken, None).await.expect("is taken");
        }
    }

    pub(crate) async fn succeed(&self, taken: &Claimed, result: Option<String>) -> Result<Verdict, Refusal> {
        self.settle(taken, Outcome::Succeeded, result).await
    }

    pub(crate) async fn settle(
        &self,
        taken: &Claimed,
        outcome: Outcome,
        result: Option<String>,
    ) -> Result<Verdict, Refusal> {
        let task = &taken.found.task;
        let name = task.attempt.as_ref().map_or(SMITH, |attempt| attempt.agent.as_str()).to_owned();
        let report = Report {
            id: task.id,
            generation: task.generation,
            outcome,
            result,
            error: (outcome == Outcome::Failed).then(|| "git is out of reach".to_owned()),
            retryable: true,
        };
        self.act_as(&agent(&name), move |act| settle(act, &report)).await
    }

    pub(crate) async fn probe(&self, answer: ProbeResult) {
        let taken = self.take_git("git.probe").await;
        self.succeed(&taken, Some(answer.to_text())).await.expect("is taken");
    }

    pub(crate) async fn idea(&self, title: &str) -> Id {
        self.submit(idea(title)).await.expect("is taken in")
    }

    pub(crate) async fn submit(&self, spec: Spec) -> Result<Id, Refusal> {
        let deed =
            move |act: &mut Act<'_>| tiltyard_engine::task::submit::submit(act, &spec).map(|new| new.id);
        self.act_as(&operator("sam"), deed).await
    }

    /// Takes the next idea and proposes `diff` for it; the payload that came with it, and the change.
    pub(crate) async fn propose(&self, diff: &str) -> (ChangePayload, Found) {
        let taken = self.take("default").await.expect("an idea waits");
        let payload = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
        let result = self.proposal(&taken, diff).await;
        self.succeed(&taken, Some(result.to_text())).await.expect("is taken");
        let change = self.rig.get(taken.found.task.id).await.task.change.expect("has a change");
        (payload, self.change(change).await)
    }

    /// Uploads what a proposal names.
    pub(crate) async fn proposal(&self, taken: &Claimed, diff: &str) -> ChangeResult {
        let bundle = format!("bundle of {diff}");
        let (diff_bytes, bundle_bytes) = (self.upload(taken, diff).await, self.upload(taken, &bundle).await);
        ChangeResult {
            base: oid("base"),
            merge_base: oid("base"),
            head: oid(diff),
            tree: oid(&format!("tree of {diff}")),
            diff: diff_bytes.expect("is kept"),
            bundle: bundle_bytes.expect("is kept"),
            files: files(&["README.md"]),
            commits: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// Bytes on disk, that no row names yet.
    pub(crate) fn kept(&self, text: &str) -> Kept {
        let mut writer = self.rig.engine.blobs().writer(1 << 20).expect("begins");
        writer.write(text.as_bytes()).expect("writes");
        writer.finish(Some(&sha256(text))).expect("is whole")
    }

    pub(crate) async fn upload(&self, taken: &Claimed, text: &str) -> Result<Stored, Refusal> {
        let kept = self.kept(text);
        let (task, generation) = (taken.found.task.id, taken.found.task.generation);
        let new = artifact::Put { task, generation, kept, media_type: None, name: None, output: None };
        let stored = self.act_as(&agent(SMITH), move |act| artifact::put(act, &new)).await?;
        Ok(Stored { id: None, sha256: stored.sha256, bytes: stored.size })
    }

    /// Has the agent answer the next check with what `answer` makes of the question.
    pub(crate) async fn check(&self, answer: impl FnOnce(&CheckPayload) -> CheckResult) {
        let taken = self.take_git("git.check").await;
        let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
        self.succeed(&taken, Some(answer(&asked).to_text())).await.expect("is taken");
    }

    /// Has the agent answer the next merge.
    pub(crate) async fn merge(&self, answer: impl FnOnce(&MergePayload) -> MergeResult) {
        let taken = self.take_git("git.merge").await;
        let asked = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
        self.succeed(&taken, Some(answer(&asked).to_text())).await.expect("is taken");
    }

    /// Brings a change before people: an idea, a proposal, green checks of a file that asks for tier 2.
    pub(crate) async fn in_review(&self, title: &str) -> Found {
        self.idea(title).await;
        let (_, change) = self.propose(title).await;
        self.check(|asked| green(asked, &["src/main.rs"])).await;
        let found = self.change(change.change.id).await;
        assert_eq!(found.change.state, State::Review);
        found
    }

    pub(crate) async fn change(&self, id: Id) -> Found {
        let read =
            move |rows: &tiltyard_store::Rows| tiltyard_store::change::get(rows, id).map_err(refusal_of);
        self.rig.read(read).await.expect("reads").expect("is there")
    }

    pub(crate) async fn state(&self, id: Id) -> State {
        self.change(id).await.change.state
    }

    pub(crate) async fn gate(&self, change: Id) -> FoundGate {
        let id = self.change(change).await.change.gate.expect("has a gate");
        let read = move |rows: &tiltyard_store::Rows| tiltyard_store::gate::get(rows, id).map_err(refusal_of);
        self.rig.read(read).await.expect("reads").expect("is there")
    }

    pub(crate) async fn decide(
        &self,
        who: &Caller,
        on: Id,
        side: Side,
        subject: &str,
    ) -> Result<Decided, Code> {
        self.decide_as(who, decision(on, side, subject)).await.map_err(|refusal| refusal.code)
    }

    pub(crate) async fn decide_as(&self, who: &Caller, decision: Decide) -> Result<Decided, Refusal> {
        self.act_as(who, move |act| decide(act, &decision)).await
    }

    /// Somebody approves what the change proposes now.
    pub(crate) async fn approve(&self, who: &str, change: Id) -> Result<Decided, Code> {
        let subject = self.change(change).await.change.subject_sha256.expect("is proposed");
        self.decide(&operator(who), change, Side::Approve, &subject).await
    }

    /// The words of the events of a change and its gates, in order.
    pub(crate) async fn story(&self) -> Vec<String> {
        let nouns: BTreeSet<&str> = ["change", "gate"].into();
        let events = self.rig.events().await;
        let of = |word: &str| nouns.contains(word.split('.').next().unwrap_or_default());
        events.iter().map(|event| event.kind.as_str().to_owned()).filter(|word| of(word)).collect()
    }
}

pub(crate) fn asked(name: &str, settings: Settings) -> Put {
    Put {
        scope: "default".into(),
        name: name.to_owned(),
        source: Source::Path(format!("/srv/{name}")),
        branch: None,
        agent: None,
        settings,
    }
}

pub(crate) fn found(rules: Option<&str>) -> ProbeResult {
    ProbeResult::Found {
        head: oid("base"),
        tree: oid("tree of base"),
        target: TargetKind::Bare,
        rules: rules.map(rules_file),
        dirty: Vec::new(),
    }
}

pub(crate) fn idea(title: &str) -> Spec {
    let payload =
        r#"{"repository":"app","prompt":"do it","program":["sh","fix.sh"],"criteria":["it works"]}"#;
    Spec { kind: "change".into(), payload: payload.into(), ..spec(title) }
}

pub(crate) fn decision(on: Id, side: Side, subject: &str) -> Decide {
    let comment = (side == Side::Reject).then(|| "not like this".to_owned());
    Decide { subject_sha256: Some(subject.to_owned()), comment, ..Decide::on(on, side) }
}

/// What an agent answers when it checked what it was asked to, with these files.
pub(crate) fn checked(asked: &CheckPayload, paths: &[&str], status: CheckStatus) -> Checked {
    let word = &asked.proposal.head;
    let tree = oid(&format!("merged {word}"));
    Checked {
        base: oid("base"),
        merge_base: oid("base"),
        head: asked.proposal.head.clone(),
        commit: oid(&format!("commit {word}")),
        tree: tree.clone(),
        diff_sha256: String::new(),
        files: files(paths),
        secrets: Vec::new(),
        checks: asked.checks.iter().map(|_| run(status)).collect(),
        green: (status == CheckStatus::Passed).then(|| Green { tree, checks_sha256: sha256("checks") }),
    }
}

fn answered(asked: &CheckPayload, checked: Checked) -> CheckResult {
    // The bundle's bytes are "bundle of <diff>" in these tests; the diff is found by its title.
    let title = asked.message.lines().next().unwrap_or_default();
    let diff_sha256 =
        if checked.diff_sha256.is_empty() { sha256(title) } else { checked.diff_sha256.clone() };
    CheckResult::Checked(Box::new(Checked { diff_sha256, ..checked }))
}

/// Green checks; the diff is the change's title unless a test says otherwise.
pub(crate) fn green(asked: &CheckPayload, paths: &[&str]) -> CheckResult {
    answered(asked, checked(asked, paths, CheckStatus::Passed))
}

/// Checks that all came to this.
pub(crate) fn answer(asked: &CheckPayload, paths: &[&str], status: CheckStatus) -> CheckResult {
    answered(asked, checked(asked, paths, status))
}

/// Red checks.
pub(crate) fn red(asked: &CheckPayload) -> CheckResult {
    answered(asked, checked(asked, &["src/main.rs"], CheckStatus::Failed))
}

/// Green checks of a proposal whose diff is this text.
pub(crate) fn green_of(asked: &CheckPayload, paths: &[&str], diff: &str) -> CheckResult {
    let checked = Checked { diff_sha256: sha256(diff), ..checked(asked, paths, CheckStatus::Passed) };
    CheckResult::Checked(Box::new(checked))
}

/// The target holds it, by the agent's own move.
pub(crate) fn landed(asked: &MergePayload) -> MergeResult {
    let word = &asked.check.proposal.head;
    let tree = oid(&format!("merged {word}"));
    MergeResult::Merged(Merged {
        commit: oid(&format!("commit {word}")),
        tree: tree.clone(),
        checked_tree: Some(tree),
        base: Some(oid("base")),
        target: oid(&format!("commit {word}")),
        how: How::Moved,
        checks: Vec::new(),
    })
}
