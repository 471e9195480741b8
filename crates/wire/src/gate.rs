//! Gates on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiltyard_model::id::Id;

/// A gate as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Gate")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// `open approved rejected auto_approved expired cancelled superseded`.
    pub state: String,
    /// What is decided.
    pub subject: Subject,
    /// The digest that a decision must name.
    pub subject_sha256: String,
    /// Who decides, as written: `2 of role:operator and 1 of group:security`.
    pub who: String,
    /// Whether the one who submitted it may not decide.
    pub no_self_approval: bool,
    /// `reduced` where one identity must approve twice.
    pub quorum: Option<String>,
    /// Who submitted it.
    pub submitted_by: String,
    /// Why it stops here.
    pub reasons: Vec<String>,
    /// What blocks an approval, when something does: `checks_failed`.
    pub blocked: Option<String>,
    /// The votes so far.
    pub votes: Vec<Vote>,
    /// What is still missing while it is open, one sentence each: who is asked, whose vote does not count and why.
    #[serde(default)]
    pub missing: Vec<String>,
    /// When it opened.
    pub opened_at: Time,
    /// When its time runs out.
    pub expires_at: Option<Time>,
    /// When it ended.
    pub decided_at: Option<Time>,
    /// The run that it stops, where it stops one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// The stage of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Which attempt at the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Which item of its list, from 0 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The artifact that it asks about: `GET /artifacts/{id}` has its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Document>,
    /// The question that it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How much waits behind it: tasks of a change, stages of a run.
    #[serde(default)]
    pub weight: u64,
    /// Who else may decide by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_to: Option<String>,
    /// How many reminders were given.
    #[serde(default)]
    pub reminded: u32,
    /// The digests that its subject had before votes patched it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_sha256: Vec<String>,
    /// The votes that a patch has made void, oldest first; in lists left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub void_votes: Vec<Vote>,
    /// Where its reject sends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
}

/// An artifact at a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GateDocument")]
pub struct Document {
    /// Its id.
    pub id: Id,
    /// Its media type.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// A file name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where a reject sends a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GateBack")]
pub struct Back {
    /// The stage that whoever rejected has named; what the pipeline says where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_stage: Option<String>,
    /// The subject as the patch of the reject makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Id>,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// `change`, `artifact` or `question`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// One line for people.
    pub title: String,
}

/// One vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// Who.
    pub identity: String,
    /// `approve` or `reject`.
    pub vote: String,
    /// What they said.
    pub comment: Option<String>,
    /// When.
    pub at: Time,
    /// The patch that came with it; in lists left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
}

/// Filters of `GET /gates`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GateFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// Says yes to what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Approve {
    /// The digest of what was seen (422 `subject_required` without).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_sha256: Option<String>,
    /// For the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The id typed, where one identity must approve twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// A JSON Patch (RFC 6902) for the subject of a gate of a run: what it makes is what is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
}

/// How an approval is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GateApproveQuery")]
pub struct ApproveQuery {
    /// Whether only to show what the patch makes of the subject: nothing is decided, and no vote is cast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// Says no to what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reject {
    /// The digest of what was seen (422 `subject_required` without).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_sha256: Option<String>,
    /// Why; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A JSON Patch (RFC 6902) for the subject, for the stage that the run goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
    /// The stage that the run goes back to; what the pipeline says when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_stage: Option<String>,
}

/// What a vote did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The gate after it.
    pub gate: View,
    /// Whether the same identity had said the same before.
    pub replayed: bool,
    /// What the patch would make of the subject, for a dry run: then nothing was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// What a patch makes of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GatePreview")]
pub struct Preview {
    /// The document.
    pub subject: Value,
    /// The digest that it will have.
    pub subject_sha256: String,
}
