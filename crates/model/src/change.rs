//! Changes: a proposed edit to a repository on its way to a merge (C18). States and moves here; `diff` reads
//! what is proposed, `weigh` says how risky it is, `step` what happens next.

pub mod comment;
pub mod diff;
pub mod record;
pub mod step;
pub mod weigh;
pub mod work;

#[cfg(test)]
mod tests;

use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How risky a change is (C22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 1: may merge by itself.
    Safe,
    /// 2: a person looks at it.
    Review,
    /// 3: two people look at it.
    Sensitive,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Review, Self::Sensitive];

    /// The number on the wire and in rows.
    pub const fn number(self) -> u8 {
        match self {
            Self::Safe => 1,
            Self::Review => 2,
            Self::Sensitive => 3,
        }
    }

    /// The tier of a number; `None` for another one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.number() == number)
    }

    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Review => "review",
            Self::Sensitive => "sensitive",
        }
    }
}

impl Serialize for Tier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::from_number(number).ok_or_else(|| serde::de::Error::custom("a tier is 1, 2 or 3"))
    }
}

impl schemars::JsonSchema for Tier {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tier".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer",
            "enum": [1, 2, 3],
            "description": "1 safe, 2 review, 3 sensitive.",
        })
    }
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// With its agent: to be done, or to be done again.
    Open,
    /// Its checks run on the newest base.
    Checking,
    /// A gate asks people.
    Review,
    /// Waits for its turn to merge.
    Queued,
    /// Its merge runs.
    Merging,
    /// Final: the target is proven to hold it.
    Merged,
    /// Final: refused.
    Rejected,
    /// Does not fit onto its base; a gate asks people.
    Conflicted,
    /// Final: ended undecided.
    Closed,
}

/// What moves a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// An attempt has been uploaded: its checks begin.
    Upload,
    /// Red checks, a conflict or a person's comments go back to the agent.
    SendBack,
    /// A gate opens.
    Ask,
    /// It may merge: by its rules or by an approval.
    Queue,
    /// Its turn has come.
    Merge,
    /// The target moved meanwhile, or was out of reach: another turn.
    Requeue,
    /// Its checks run again: the rules of its base have changed, or they could not run before.
    Recheck,
    /// It does not fit onto its base.
    Conflict,
    /// The target is proven to hold it, whoever put it there.
    Land,
    /// Somebody rejected it.
    Reject,
    /// Its task was called off.
    Close,
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 11] = [
        Self::Upload,
        Self::SendBack,
        Self::Ask,
        Self::Queue,
        Self::Merge,
        Self::Requeue,
        Self::Recheck,
        Self::Conflict,
        Self::Land,
        Self::Reject,
        Self::Close,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Self::Upload => "checked",
            Self::SendBack => "sent back",
            Self::Ask => "put before a person",
            Self::Queue => "queued for its merge",
            Self::Merge => "merged",
            Self::Requeue => "queued again",
            Self::Recheck => "checked again",
            Self::Conflict => "found in conflict",
            Self::Land => "found merged",
            Self::Reject => "rejected",
            Self::Close => "closed",
        }
    }
}

impl State {
    /// Every state; the index is the number in a row.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Checking,
        Self::Review,
        Self::Queued,
        Self::Merging,
        Self::Merged,
        Self::Rejected,
        Self::Conflicted,
        Self::Closed,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Checking => "checking",
            Self::Review => "review",
            Self::Queued => "queued",
            Self::Merging => "merging",
            Self::Merged => "merged",
            Self::Rejected => "rejected",
            Self::Conflicted => "conflicted",
            Self::Closed => "closed",
        }
    }

    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The state of a row's number; `None` for another number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The state of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing can move it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Merged | Self::Rejected | Self::Closed)
    }

    /// Where a move leads.
    ///
    /// # Errors
    /// `wrong_state` when the change cannot make that move, with the state it is in.
    pub fn after(self, step: Move) -> Result<Self, Refusal> {
        match (self, step) {
            (Self::Open, Move::Upload) => Ok(Self::Checking),
            (Self::Checking | Self::Review | Self::Merging | Self::Conflicted, Move::SendBack) => {
                Ok(Self::Open)
            }
            (Self::Checking | Self::Queued | Self::Merging, Move::Ask) => Ok(Self::Review),
            (Self::Checking | Self::Review, Move::Queue) => Ok(Self::Queued),
            (Self::Queued, Move::Merge) => Ok(Self::Merging),
            (Self::Merging, Move::Requeue) => Ok(Self::Queued),
            (Self::Review | Self::Queued | Self::Merging, Move::Recheck) => Ok(Self::Checking),
            (Self::Checking | Self::Merging, Move::Conflict) => Ok(Self::Conflicted),
            // A person may merge it elsewhere, and a lost answer may hide that the merge was done (C34).
            (Self::Review | Self::Queued | Self::Merging | Self::Conflicted, Move::Land) => Ok(Self::Merged),
            (Self::Review | Self::Conflicted, Move::Reject) => Ok(Self::Rejected),
            (state, Move::Close) if !state.is_final() => Ok(Self::Closed),
            _ => Err(self.wrong(step)),
        }
    }

    fn wrong(self, step: Move) -> Refusal {
        let state = self.as_str();
        Refusal::new(Code::WrongState, format!("the change is {state}, so it cannot be {}", step.verb()))
            .with("state", state)
    }
}
