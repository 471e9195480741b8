//! The audit record (D52): one entry an act, each linked to the one before by its hash, so that nothing in
//! the middle can be changed, taken out or put in unseen. `verify` reads it back.

pub mod verify;

use crate::id::Id;
use crate::time::{TimeMs, rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The number of a chain's first entry.
pub const FIRST_SEQ: u64 = 1;
/// The `prev_hash` of a chain's first entry.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Largest detail in bytes of its canonical JSON; a larger one is replaced by its size and digest.
pub const MAX_DETAIL_BYTES: usize = 16 * 1024;
/// Largest line of an export that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// How much an entry matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Ordinary business.
    Info,
    /// Somebody should look at it some day: refusals, rights given.
    Warn,
    /// An act went wrong.
    Error,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActResult {
    /// Done.
    Ok,
    /// Not allowed, nothing changed.
    Refused,
    /// Tried, and it went wrong.
    Failed,
    /// About to be tried: the entry with `phase: intent`.
    Pending,
}

impl ActResult {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Pending => "pending",
        }
    }
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $severity:ident;)+) => {
        /// What was done: the closed list of acts that the record covers (SEC21). Acts of nouns that do not
        /// exist yet join the list with their noun.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[doc = $doc])+ $name,)+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word on the wire: `noun.what_happened`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// How much it matters when it succeeds.
            const fn weight(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

actions! {
    /// The server began to serve.
    ServerStarted = "server.started", Info;
    /// The server ended in order.
    ServerStopped = "server.stopped", Info;
    /// A person signed in.
    SignedIn = "auth.signed_in", Info;
    /// A person signed out.
    SignedOut = "auth.signed_out", Info;
    /// A token was made.
    TokenCreated = "token.created", Warn;
    /// A token was revoked.
    TokenRevoked = "token.revoked", Warn;
    /// A token got a new secret.
    TokenRotated = "token.rotated", Warn;
    /// An agent's token spoke for the first time: it is that agent's from then on.
    TokenBound = "token.bound", Warn;
    /// A setting was changed while running.
    SettingChanged = "setting.changed", Warn;
    /// A scope was made or changed.
    ScopePut = "scope.put", Warn;
    /// A scope was removed.
    ScopeDeleted = "scope.deleted", Warn;
    /// A queue's pause switch, limits or order was changed.
    QueueChanged = "queue.changed", Info;
    /// An agent was registered, with a token of its own.
    AgentCreated = "agent.created", Warn;
    /// An agent was removed.
    AgentDeleted = "agent.deleted", Warn;
    /// A repository was registered, or its rules were changed.
    RepositoryPut = "repository.put", Warn;
    /// A repository was removed.
    RepositoryDeleted = "repository.deleted", Warn;
    /// Somebody approved at a gate.
    GateApproved = "gate.approved", Info;
    /// Somebody rejected at a gate.
    GateRejected = "gate.rejected", Info;
    /// A gate's time ran out and decided it.
    GateTimedOut = "gate.timed_out", Warn;
    /// A change of tier 1 was let through by its rules.
    ChangeAutoApproved = "change.auto_approved", Info;
    /// Somebody sent a change back with comments.
    ChangeSentBack = "change.sent_back", Info;
    /// A change ended undecided.
    ChangeClosed = "change.closed", Info;
    /// A change's target branch is moved or pushed: intent and outcome.
    ChangeMerged = "change.merged", Info;
    /// A person cancelled a task.
    TaskCancelled = "task.cancelled", Info;
    /// A person retried a task.
    TaskRetried = "task.retried", Info;
    /// A dead letter was retried.
    DeadLetterRetried = "dead_letter.retried", Info;
    /// A dead letter was dismissed.
    DeadLetterDismissed = "dead_letter.dismissed", Info;
    /// A dismissed dead letter was opened again.
    DeadLetterReopened = "dead_letter.reopened", Info;
    /// A dead letter was deleted with its payload.
    DeadLetterDeleted = "dead_letter.deleted", Warn;
    /// A gate has waited long enough for more people to decide.
    GateEscalated = "gate.escalated", Warn;
    /// A pipeline was published.
    PipelinePublished = "pipeline.published", Warn;
    /// A pipeline's name was removed.
    PipelineDeleted = "pipeline.deleted", Warn;
    /// A run was started.
    RunStarted = "run.started", Info;
    /// A person cancelled a run.
    RunCancelled = "run.cancelled", Info;
    /// A person let a run go on from a stage again.
    RunRerun = "run.rerun", Info;
    /// A schedule was made or changed.
    ScheduleSaved = "schedule.saved", Warn;
    /// A schedule was removed.
    ScheduleDeleted = "schedule.deleted", Warn;
    /// A socket named a scope without right.
    ScopeViolation = "scope_violation", Critical;
    /// The store's schema was moved: intent and outcome.
    StoreMigrated = "store.migrated", Warn;
    /// The audit record was exported.
    AuditExported = "audit.exported", Info;
    /// A call was refused (401, 403, 409 on a decision); many of a kind in a minute are one entry.
    Refused = "call.refused", Warn;
}

impl Action {
    /// The action of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }

    /// How much an act of this sort with this end matters: one that went wrong is at least an `error`.
    pub fn severity(self, result: ActResult) -> Severity {
        match result {
            ActResult::Ok | ActResult::Pending => self.weight(),
            ActResult::Refused => self.weight().max(Severity::Warn),
            ActResult::Failed => self.weight().max(Severity::Error),
        }
    }
}

/// Which half of an act with an effect outside an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Written before the effect.
    Intent,
    /// Written after it.
    Outcome,
}

impl Phase {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
        }
    }
}

/// An act, before it is an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// When, in milliseconds since 1970.
    pub time: TimeMs,
    /// The chain it belongs to: a scope, or `system`.
    pub scope: String,
    /// The identity that did it.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// The id or name of what it was done to.
    pub target: String,
    /// How it ended.
    pub result: ActResult,
    /// The caller's address; `None` for the program itself.
    pub client: Option<String>,
    /// The request that asked for it; `None` for the program itself.
    pub request_id: Option<String>,
    /// Intent or outcome, and the id that both share.
    pub phase: Option<(Phase, Id)>,
    /// What else a reader needs to know; nothing secret.
    pub detail: Map<String, Value>,
}

/// The end of a chain: what the next entry links to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// The number of the last entry, 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: FIRST_SEQ - 1, hash: NO_HASH.to_owned() }
    }
}

/// One link of the record, with the fields of D52 and no others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its place in the chain, gap-free from 1.
    pub seq: u64,
    /// When, in RFC 3339.
    pub time: String,
    /// The chain: a scope, or `system`.
    pub scope: String,
    /// Who.
    pub actor: String,
    /// What, from the list of [`Action`].
    pub action: String,
    /// To what.
    pub target: String,
    /// How it ended.
    pub result: ActResult,
    /// How much it matters.
    pub severity: Severity,
    /// The caller's address.
    pub client: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// What else; `phase` and `act_id` of an act with an effect outside stand here.
    pub detail: Map<String, Value>,
    /// The hash of the entry before, 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 of the RFC 8785 form of all the other fields, in hex.
    pub hash: String,
}

impl Entry {
    /// The entry of `act` after `head`.
    pub fn link(act: Act, head: &Head) -> Self {
        let severity = act.action.severity(act.result);
        let mut entry = Self {
            seq: head.seq + 1,
            time: rfc3339(act.time),
            scope: act.scope,
            actor: act.actor,
            action: act.action.as_str().to_owned(),
            target: act.target,
            result: act.result,
            severity,
            client: act.client,
            request_id: act.request_id,
            detail: detail_of(act.detail, act.phase),
            prev_hash: head.hash.clone(),
            hash: String::new(),
        };
        entry.hash = entry.digest();
        entry
    }

    /// What the hash must be.
    pub fn digest(&self) -> String {
        let mut value = serde_json::to_value(self).expect("an entry is strings, numbers and JSON");
        if let Value::Object(fields) = &mut value {
            fields.remove("hash");
        }
        digest_of(&value)
    }

    /// The end of the chain with this entry in it.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }

    /// Its line in an export: RFC 8785 JSON without the line break.
    pub fn line(&self) -> String {
        canonical(&serde_json::to_value(self).expect("an entry is strings, numbers and JSON"))
    }
}

fn detail_of(mut detail: Map<String, Value>, phase: Option<(Phase, Id)>) -> Map<String, Value> {
    let text = canonical(&Value::Object(detail.clone()));
    if text.len() > MAX_DETAIL_BYTES {
        let digest = hex::encode(Sha256::digest(&text));
        detail = Map::from_iter([
            ("cut".to_owned(), Value::from("detail was too large to keep")),
            ("bytes".to_owned(), Value::from(text.len())),
            ("sha256".to_owned(), Value::from(digest)),
        ]);
    }
    if let Some((phase, act_id)) = phase {
        detail.insert("phase".to_owned(), phase.as_str().into());
        detail.insert("act_id".to_owned(), act_id.to_string().into());
    }
    detail
}

fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).expect("JSON values have a canonical form")
}

fn digest_of(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical(value)))
}

#[cfg(test)]
mod tests;
