//! The rows of the registry. Numbers are for ever: a type that is no longer written keeps its number.

use super::{Absent, Assignment, Deserialize, Flow, JsonSchema, Payload, Serialize, State, is_absent};

present!(State, Flow, Assignment);

with_runs! {
    /// A task came into being, or back to the start of its life, without being ready at once.
    TaskSubmitted = 1, "task.submitted" {
        /// Where it stands now.
        state: State,
        /// Its queue.
        queue: String,
        /// What sort of work.
        kind: String,
        /// One line for people.
        title: String,
        /// Its priority.
        priority: u8,
        /// What brought it back: `retry`, `dependency_retried`.
        cause: Option<String>,
    }
    /// A task may be claimed.
    TaskReady = 2, "task.ready" {
        /// Why: `dependencies`, `time`, `retry`; of a change that is back with its agent `sent_back`, `fix`, `conflict`.
        cause: String,
        /// The time it had waited for, RFC 3339.
        run_at: Option<String>,
    }
    /// An agent took a task.
    TaskLeased = 3, "task.leased" {
        /// The generation of the lease.
        generation: i64,
        /// Who took it.
        agent: String,
    }
    /// A lease ended without a word from its agent.
    TaskLeaseLost = 4, "task.lease_lost" {
        /// The generation that was lost.
        generation: i64,
        /// Who held it.
        agent: String,
        /// Why: `expired`, `new_instance`.
        reason: String,
    }
    /// An agent gave a task back.
    TaskReleased = 5, "task.released" {
        /// The generation that ended.
        generation: i64,
        /// Why: `released`, `dropped`, `restored`.
        reason: String,
    }
    /// An attempt failed and another will follow.
    TaskFailed = 6, "task.failed" {
        /// The generation that failed.
        generation: i64,
        /// The first line of the error.
        error: String,
        /// Whether it ran out of time.
        timed_out: bool,
        /// When the next attempt may start, RFC 3339.
        run_at: String,
    }
    /// A task is done by its agent and waits for a decision.
    TaskWaiting = 7, "task.waiting" {
        /// The generation that did it.
        generation: i64,
        /// What it waits for: an id.
        waits_for: Option<String>,
    }
    /// A task is done.
    TaskSucceeded = 8, "task.succeeded" {
        /// The generation that did it.
        generation: i64,
    }
    /// A task's attempts are used up.
    TaskDead = 9, "task.dead" {
        /// The last generation.
        generation: i64,
        /// The first line of the last error.
        error: String,
        /// How the last attempt ended: `failed`, `timed_out`, `lease_lost`.
        outcome: String,
    }
    /// A task was called off.
    TaskCancelled = 10, "task.cancelled" {
        /// The generation at that moment.
        generation: i64,
        /// Why: `requested`, `deadline`, `dependency`, `rejected`, `closed`.
        reason: String,
        /// The state it was in.
        from: State,
    }
    /// A person changed a task's fields.
    TaskUpdated = 11, "task.updated" {
        /// Which fields.
        fields: Vec<String>,
    }
    /// How the stop of a cancelled attempt went (D4).
    TaskStopped = 12, "task.stopped" {
        /// The generation.
        generation: i64,
        /// `acknowledged`, `stopped` or `unconfirmed`.
        stop: String,
    }
    /// A task was deleted with its letter.
    TaskDeleted = 13, "task.deleted" {
        /// Why.
        reason: String,
    }
    /// A queue's switches or limits changed.
    QueueUpdated = 20, "queue.updated" {
        /// Whether it hands out work.
        flow: Flow,
        /// Limit on running ones.
        concurrency_limit: Option<u32>,
        /// Limit on starts.
        rate_per_minute: Option<u32>,
        /// How it chooses agents.
        assignment: Assignment,
        /// Whether its dead tasks become letters.
        dead_letters: bool,
    }
    /// A dead task lies before a person.
    DeadLetterAdded = 30, "dead_letter.added" {
        /// Its group.
        fingerprint: String,
        /// The first line of the error.
        error: String,
        /// Whether it died again after a retry.
        again: bool,
    }
    /// A letter's task runs again.
    DeadLetterRetried = 31, "dead_letter.retried" {
        /// The agent it was assigned to.
        assign_to: Option<String>,
        /// Whether its payload was edited.
        edited: bool,
    }
    /// A person set a letter aside.
    DeadLetterDismissed = 32, "dead_letter.dismissed" {
        /// Why.
        reason: String,
    }
    /// A dismissed letter is back.
    DeadLetterReopened = 33, "dead_letter.reopened" {}
    /// A letter's task succeeded after its retry.
    DeadLetterResolved = 34, "dead_letter.resolved" {}
    /// A letter and its payload are gone for good.
    DeadLetterDeleted = 35, "dead_letter.deleted" {
        /// `requested` or `evicted`.
        reason: String,
    }
    /// More letters are pending than are meant to be kept (D11).
    DeadLetterLimitExceeded = 36, "dead_letter.limit_exceeded" {
        /// How many are pending.
        pending: u64,
        /// How many are meant to be kept.
        limit: u64,
    }
    /// Something waits for a person.
    GateOpened = 40, "gate.opened" {
        /// What is decided: the id of a change, or of the run that waits.
        about: String,
        /// The digest that a decision must name.
        subject_sha256: String,
        /// Who decides.
        who: String,
        /// The stage of a run that it stops.
        stage: Option<String>,
    }
    /// Somebody approved, and others must too.
    GateVoted = 41, "gate.voted" {
        /// Who.
        identity: String,
    }
    /// A gate was approved.
    GateApproved = 42, "gate.approved" {
        /// What is decided.
        about: String,
        /// The digest that was approved.
        subject_sha256: String,
        /// Who approved, in order.
        by: Vec<String>,
        /// `reduced` where one identity decided twice.
        quorum: Option<String>,
    }
    /// A gate was rejected.
    GateRejected = 43, "gate.rejected" {
        /// What is decided.
        about: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The stage that whoever rejected sends the run back to.
        to_stage: Option<String>,
    }
    /// A gate's time ran out and that means yes.
    GateAutoApproved = 44, "gate.auto_approved" {
        /// What is decided.
        about: String,
    }
    /// A gate's time ran out and that means no.
    GateExpired = 45, "gate.expired" {
        /// What is decided.
        about: String,
    }
    /// What a gate was about has ended.
    GateCancelled = 46, "gate.cancelled" {
        /// What it was about.
        about: String,
    }
    /// What a gate was about has changed.
    GateSuperseded = 47, "gate.superseded" {
        /// What it was about.
        about: String,
    }
    /// A vote patched what a gate shows: earlier votes are void.
    GateAmended = 38, "gate.amended" {
        /// Who.
        by: String,
        /// The digest that a decision must name from now on.
        subject_sha256: String,
        /// The digest before.
        before_sha256: String,
    }
    /// A gate still waits, and its people are told again.
    GateReminded = 48, "gate.reminded" {
        /// Which reminder, from 1.
        number: u32,
    }
    /// A gate has waited long enough for more people to decide.
    GateEscalated = 49, "gate.escalated" {
        /// Who decides from now on.
        who: String,
    }
    /// An agent's name is known.
    AgentRegistered = 50, "agent.registered" {
        /// What it can do.
        capabilities: Vec<String>,
    }
    /// An agent speaks.
    AgentOnline = 51, "agent.online" {
        /// Its process.
        instance: Option<String>,
        /// Its machine.
        host: String,
        /// Its program's version.
        version: String,
    }
    /// An agent has been silent for 30 s.
    AgentOffline = 52, "agent.offline" {
        /// How many leases it holds.
        leases: u64,
    }
    /// An agent takes nothing new.
    AgentDraining = 53, "agent.draining" {}
    /// An agent takes work again.
    AgentResumed = 54, "agent.resumed" {}
    /// An agent's name is forgotten.
    AgentDeleted = 55, "agent.deleted" {}
    /// A repository is known or known differently.
    RepositorySaved = 60, "repository.saved" {
        /// Its target branch.
        branch: String,
        /// The agent that holds its mirror.
        agent: String,
    }
    /// A repository's probe came back.
    RepositoryProbed = 61, "repository.probed" {
        /// The head of its target branch; absent when it cannot be used.
        head: Option<String>,
        /// Why it cannot be used.
        error: Option<String>,
    }
    /// A repository is forgotten.
    RepositoryDeleted = 62, "repository.deleted" {}
    /// A change was proposed, or is back with its agent.
    ChangeOpened = 70, "change.opened" {
        /// The repository.
        repository: String,
        /// Why: `proposed`, `sent_back`, `fix`, `conflict`.
        cause: String,
    }
    /// A change's checks began.
    ChangeChecking = 71, "change.checking" {
        /// Its head.
        head: String,
        /// The base it is checked on.
        base: String,
    }
    /// A change waits for a decision.
    ChangeReview = 72, "change.review" {
        /// Its risk tier.
        tier: u8,
        /// The gate.
        gate: String,
    }
    /// A change is in the merge queue.
    ChangeQueued = 73, "change.queued" {
        /// Its risk tier.
        tier: u8,
        /// `auto`, `approved`, `requeued` when the target moved, `retry` when it could not be done.
        cause: String,
    }
    /// A change is being merged.
    ChangeMerging = 74, "change.merging" {
        /// The target branch.
        branch: String,
    }
    /// The target holds a change, proven.
    ChangeMerged = 75, "change.merged" {
        /// The commit on the target branch.
        commit: String,
        /// Its tree.
        tree: String,
        /// The target's head before.
        base: String,
    }
    /// A change was refused by a person.
    ChangeRejected = 76, "change.rejected" {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    }
    /// A change does not fit the newest base.
    ChangeConflicted = 77, "change.conflicted" {
        /// The files.
        files: Vec<String>,
    }
    /// A change ended without being merged or rejected.
    ChangeClosed = 78, "change.closed" {
        /// Why.
        reason: String,
    }
    /// A template was saved.
    TemplateSaved = 80, "template.saved" {}
    /// A template was deleted.
    TemplateDeleted = 81, "template.deleted" {}
    /// A scope was made or described anew.
    ScopeSaved = 82, "scope.saved" {}
    /// A scope was deleted.
    ScopeDeleted = 83, "scope.deleted" {}
    /// A token was minted.
    TokenCreated = 84, "token.created" {
        /// Its role.
        role: String,
        /// Its owner.
        owner: String,
    }
    /// A token ended.
    TokenRevoked = 85, "token.revoked" {
        /// `revoked`, `rotated` or `expired`.
        reason: String,
    }
    /// The server began to answer.
    ServerStarted = 90, "server.started" {
        /// Its version.
        version: String,
        /// How many leases live on.
        leases: u64,
    }
    /// The server ended in order.
    ServerStopped = 91, "server.stopped" {}
    /// Settings changed while it ran.
    SettingsChanged = 92, "settings.changed" {
        /// Which.
        keys: Vec<String>,
    }
    /// Bytes were stored.
    ArtifactStored = 95, "artifact.stored" {
        /// Their SHA-256.
        sha256: String,
        /// How many.
        bytes: u64,
    }
}
