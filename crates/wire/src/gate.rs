//! Gates on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// `change`.
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
}

/// What a vote did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The gate after it.
    pub gate: View,
    /// Whether the same identity had said the same before.
    pub replayed: bool,
}
