//! What happens to a change after a result: pure decisions, which the engine carries out.

use super::weigh::Weight;
use super::work::Feedback;
use super::{Move, State, Tier};
use crate::gate::Block;
use crate::repository::rules::Rules;
use serde::{Deserialize, Serialize};

/// How often a conflict goes back to the agent (C32).
pub const CONFLICT_ATTEMPTS: u32 = 1;
/// How often a merge is tried again because the target moved under it, before a person is asked.
pub const MAX_REQUEUES: u32 = 10;

/// How often a change went back already, since a person last sent it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// For red checks.
    pub fixes: u32,
    /// For a conflict.
    pub conflicts: u32,
    /// To the end of the merge queue.
    pub requeues: u32,
}

impl Tries {
    /// The count after `step` was carried out; a person who sends back gives all tries anew (C18).
    #[must_use]
    pub const fn after(self, step: &Step) -> Self {
        match step {
            Step::Fix { attempt, .. } => Self { fixes: *attempt, ..self },
            Step::Conflict { then: AfterConflict::Attempt, .. } => {
                Self { conflicts: self.conflicts + 1, ..self }
            }
            Step::Requeue { .. } => Self { requeues: self.requeues + 1, ..self },
            Step::SendBack => Self { fixes: 0, conflicts: 0, requeues: 0 },
            _ => self,
        }
    }
}

/// A check that was red: its name and the digest of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RedCheck {
    /// Its name.
    pub name: String,
    /// The end of its output.
    pub log: String,
}

/// What the checks of a change came to, on its newest base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// All green.
    Green,
    /// Some red.
    Red(Vec<RedCheck>),
    /// It does not fit onto the base, in these files.
    Conflict(Vec<String>),
}

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The target's head is `commit`, read back after the move.
    Landed(Landing),
    /// The target moved between the checks and the swap: nothing was written.
    BaseMoved,
    /// Checks are red on exactly what would have landed: nothing was written.
    Red(Vec<RedCheck>),
    /// It does not fit onto the newest base, in these files: nothing was written.
    Conflict(Vec<String>),
    /// The target refused: a dirty tree, a hook, a protected branch. Nothing was written.
    Refused(String),
}

/// The proof that a target holds a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The commit on the target branch.
    pub commit: String,
    /// That commit's tree, as the target has it.
    pub tree: String,
    /// The tree that the checks were green on.
    pub checked_tree: String,
}

impl Landing {
    /// Whether what landed is exactly what was checked (C34).
    pub fn is_proven(&self) -> bool {
        !self.tree.is_empty() && !self.commit.is_empty() && self.tree == self.checked_tree
    }
}

/// What people decided at a change's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Enough approvals.
    Approved,
    /// A reject, or a time-out that means one.
    Rejected,
    /// Back to the agent, with comments.
    SentBack,
}

/// Why a change may merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its rules let it through.
    Auto,
    /// People approved it.
    Approved,
}

impl Cause {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Approved => "approved",
        }
    }
}

/// Who deals with a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterConflict {
    /// The agent, once, on the new base: the change goes on to `open`.
    Attempt,
    /// A person: a gate opens that only rejects or sends back.
    Person,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Back to the agent with the logs of what was red.
    Fix {
        /// The how-manieth time, from 1.
        attempt: u32,
        /// What was red.
        red: Vec<RedCheck>,
    },
    /// Open a gate.
    OpenGate {
        /// What blocks an approval, if anything.
        block: Option<Block>,
        /// Why it asks, for people.
        why: String,
    },
    /// Put it into the merge queue.
    Queue(Cause),
    /// Put it into the merge queue again.
    Requeue {
        /// Why its turn came to nothing.
        why: String,
    },
    /// It does not fit onto its base.
    Conflict {
        /// Where.
        files: Vec<String>,
        /// Who deals with it.
        then: AfterConflict,
    },
    /// Done: the target holds it.
    Land(Landing),
    /// Refused.
    Reject,
    /// Back to the agent with a person's comments.
    SendBack,
}

impl Step {
    /// The moves that the step makes, in order.
    pub const fn moves(&self) -> &'static [Move] {
        match self {
            Self::Fix { .. } | Self::SendBack => &[Move::SendBack],
            Self::OpenGate { .. } => &[Move::Ask],
            Self::Queue(_) => &[Move::Queue],
            Self::Requeue { .. } => &[Move::Requeue],
            Self::Conflict { then: AfterConflict::Attempt, .. } => &[Move::Conflict, Move::SendBack],
            Self::Conflict { then: AfterConflict::Person, .. } => &[Move::Conflict],
            Self::Land(_) => &[Move::Land],
            Self::Reject => &[Move::Reject],
        }
    }

    /// Where the step leads from `state`.
    ///
    /// # Errors
    /// `wrong_state` when it does not fit there.
    pub fn lead(&self, state: State) -> Result<State, crate::refusal::Refusal> {
        self.moves().iter().try_fold(state, |state, step| state.after(*step))
    }
}

/// What the decisions look at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The rules of its base.
    pub rules: &'a Rules,
    /// How often it went back already.
    pub tries: Tries,
}

/// After the checks of a new attempt (C21, C23). `weight` was weighed with their result.
pub fn after_checks(situation: Situation<'_>, checked: Checked, weight: &Weight) -> Step {
    if let (Checked::Green, Some(fault)) = (&checked, &situation.rules.fault) {
        return unruled(fault);
    }
    match checked {
        Checked::Green if weight.merges_by_itself(situation.rules) => Step::Queue(Cause::Auto),
        Checked::Green => {
            let mut why = format!("tier {}: {}", weight.tier.number(), weight.tier.as_str());
            if weight.tier == Tier::Safe {
                // What is safe and does not merge by itself is here for that setting alone.
                why += "; people decide only because auto_merge is off for its repository";
            }
            Step::OpenGate { block: None, why }
        }
        Checked::Red(red) => after_red(situation, red),
        Checked::Conflict(files) => after_conflict(situation, files),
    }
}

/// Nobody knows which checks and which people the base asks for, so nobody can stand in for them (C20).
fn unruled(fault: &str) -> Step {
    let why = format!(
        "the rules of its base cannot be read: {fault}; mend the file on the target branch, or set checks, protected, \
         rules, approvers and no_self_approval for the repository at the server, then register it once more"
    );
    Step::OpenGate { block: Some(Block::Unchecked), why }
}

/// After a turn in the merge queue (C30, C32, C34).
pub fn after_merge(situation: Situation<'_>, merged: Merged) -> Step {
    match merged {
        Merged::Landed(landing) if landing.is_proven() => Step::Land(landing),
        Merged::Landed(landing) => {
            let why = format!(
                "the target holds tree {} at {}, but {} was checked",
                landing.tree, landing.commit, landing.checked_tree
            );
            Step::OpenGate { block: Some(Block::Unproven), why }
        }
        Merged::BaseMoved if situation.tries.requeues < MAX_REQUEUES => {
            Step::Requeue { why: "the target moved".to_owned() }
        }
        Merged::BaseMoved => {
            let why = format!("the target moved under {MAX_REQUEUES} merges in a row");
            Step::OpenGate { block: None, why }
        }
        Merged::Red(red) => after_red(situation, red),
        Merged::Conflict(files) => after_conflict(situation, files),
        Merged::Refused(why) => Step::OpenGate { block: None, why: format!("the target refused: {why}") },
    }
}

/// After a decision of people, or of a gate's time-out.
pub const fn after_decision(decided: Decided) -> Step {
    match decided {
        Decided::Approved => Step::Queue(Cause::Approved),
        Decided::Rejected => Step::Reject,
        Decided::SentBack => Step::SendBack,
    }
}

/// After an attempt at a proposal that had come back added nothing to it: another one would do no better, so people
/// decide on what there is (C21, C32). `None` when it came back with a person's comments alone: what they did meanwhile,
/// on the target or on the machine, is seen by checking it again.
pub fn after_nothing(left: &str, last: Option<&Feedback>, conflicts: &[String]) -> Option<Step> {
    let conflict = |files: &[String]| Step::Conflict { files: files.to_vec(), then: AfterConflict::Person };
    match last {
        _ if !conflicts.is_empty() => Some(conflict(conflicts)),
        Some(Feedback::Conflict { files, .. }) => Some(conflict(files)),
        Some(Feedback::Checks { red, .. }) => {
            let why = format!("still red: {}; {left}", names(red));
            Some(Step::OpenGate { block: Some(Block::ChecksFailed), why })
        }
        Some(Feedback::Comments { .. }) | None => None,
    }
}

/// What follows for a proposal that is what a person had sent back: it neither merges by itself nor goes back again.
#[must_use]
pub fn ask_again(left: &str, step: Step) -> Step {
    match step {
        Step::Queue(Cause::Auto) => Step::OpenGate { block: None, why: format!("sent back, but {left}") },
        Step::OpenGate { block, why } => {
            Step::OpenGate { block, why: format!("{why}; sent back, but {left}") }
        }
        Step::Fix { red, .. } => {
            let why = format!("still red: {}; sent back, but {left}", names(&red));
            Step::OpenGate { block: Some(Block::ChecksFailed), why }
        }
        step => step,
    }
}

/// The names of checks, for people.
pub fn names(red: &[RedCheck]) -> String {
    red.iter().map(|check| check.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn after_red(situation: Situation<'_>, red: Vec<RedCheck>) -> Step {
    let used = situation.tries.fixes;
    if used < situation.rules.fix_attempts {
        return Step::Fix { attempt: used + 1, red };
    }
    let why = format!("red after {used} fixes: {}", names(&red));
    Step::OpenGate { block: Some(Block::ChecksFailed), why }
}

fn after_conflict(situation: Situation<'_>, files: Vec<String>) -> Step {
    let then = if situation.tries.conflicts < CONFLICT_ATTEMPTS {
        AfterConflict::Attempt
    } else {
        AfterConflict::Person
    };
    Step::Conflict { files, then }
}
