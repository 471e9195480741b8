//! Who may decide and how many: `2 of role:operator and 1 of group:security`.
//!
//! Grammar: demands joined by ` and `; a demand is `[COUNT of ]WHO[ or WHO…]`, without a count one of them;
//! WHO is `role:ROLE`, `group:LABEL` or `identity:NAME`. All demands must be met, each by that many
//! identities; one approval counts for every demand that it fits. Admins fit every demand.

use crate::role::{Caller, Role};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Longest text of a quorum, in bytes.
pub const MAX_QUORUM_BYTES: usize = 1_000;
/// Most demands in a quorum.
pub const MAX_DEMANDS: usize = 8;
/// Most alternatives in a demand.
pub const MAX_ALTERNATIVES: usize = 16;
/// Most approvals that one demand may ask for.
pub const MAX_APPROVALS: u32 = 20;
/// Longest name after `group:` or `identity:`, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// One kind of decider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// Every identity with this role.
    Role(Role),
    /// Every identity with this label.
    Group(String),
    /// This identity.
    Identity(String),
}

impl Who {
    /// Whether the voter is of this kind; admins always are.
    pub fn fits(&self, voter: &Voter) -> bool {
        voter.role == Role::Admin
            || match self {
                Self::Role(role) => voter.role == *role,
                Self::Group(label) => voter.groups.contains(label),
                Self::Identity(name) => voter.identity == *name,
            }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role:{}", role.as_str()),
            Self::Group(label) => write!(f, "group:{label}"),
            Self::Identity(name) => write!(f, "identity:{name}"),
        }
    }
}

/// Why a text is no quorum: one sentence that names the part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write for example `2 of role:operator and 1 of group:security`")]
pub struct BadQuorum(String);

impl FromStr for Who {
    type Err = BadQuorum;

    fn from_str(text: &str) -> Result<Self, BadQuorum> {
        let bad = || BadQuorum(format!("`{}` is neither role:…, group:… nor identity:…", shorten(text)));
        let (kind, name) = text.split_once(':').ok_or_else(bad)?;
        match kind {
            "role" => Role::parse(name)
                .map(Self::Role)
                .ok_or_else(|| BadQuorum(format!("there is no role `{}`", shorten(name)))),
            _ if !is_name(name) => Err(bad()),
            "group" => Ok(Self::Group(name.to_owned())),
            "identity" => Ok(Self::Identity(name.to_owned())),
            _ => Err(bad()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(plain)
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

/// So many approvals of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Demand {
    /// How many identities must approve, at least 1.
    pub count: u32,
    /// Any of these.
    pub any_of: Vec<Who>,
}

impl Demand {
    /// Whether the voter's approval counts for this demand.
    pub fn fits(&self, voter: &Voter) -> bool {
        self.any_of.iter().any(|who| who.fits(voter))
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of ", self.count)?;
        for (place, who) in self.any_of.iter().enumerate() {
            let joint = if place == 0 { "" } else { " or " };
            write!(f, "{joint}{who}")?;
        }
        Ok(())
    }
}

impl FromStr for Demand {
    type Err = BadQuorum;

    fn from_str(text: &str) -> Result<Self, BadQuorum> {
        let (count, whos) = match text.split_once(" of ") {
            Some((count, whos)) => (parse_count(count.trim())?, whos),
            None => (1, text),
        };
        let any_of = whos.split(" or ").map(|who| who.trim().parse()).collect::<Result<Vec<Who>, _>>()?;
        if any_of.len() > MAX_ALTERNATIVES {
            return Err(BadQuorum(format!("a demand names at most {MAX_ALTERNATIVES} alternatives")));
        }
        Ok(Self { count, any_of })
    }
}

fn parse_count(text: &str) -> Result<u32, BadQuorum> {
    let count = text.parse().ok().filter(|count| (1..=MAX_APPROVALS).contains(count));
    count.ok_or_else(|| BadQuorum(format!("`{}` is no count from 1 to {MAX_APPROVALS}", shorten(text))))
}

/// Who may decide and how many: all demands must be met.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Quorum {
    demands: Vec<Demand>,
}

impl Default for Quorum {
    /// One operator.
    fn default() -> Self {
        Self { demands: vec![Demand { count: 1, any_of: vec![Who::Role(Role::Operator)] }] }
    }
}

impl BadQuorum {
    /// What is wrong, without the example.
    pub fn part(&self) -> &str {
        &self.0
    }
}

impl Quorum {
    /// One demand.
    pub fn of(demand: Demand) -> Self {
        Self { demands: vec![demand] }
    }

    /// What is asked for, in the order written.
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// Whether the voter is one of those who decide.
    pub fn names(&self, voter: &Voter) -> bool {
        self.demands.iter().any(|demand| demand.fits(voter))
    }

    /// The fewest identities that can meet it.
    pub fn people(&self) -> u32 {
        self.demands.iter().map(|demand| demand.count).max().unwrap_or(1)
    }

    /// The same with at least `count` different identities: the first demand grows where none asks for so many.
    #[must_use]
    pub fn at_least(mut self, count: u32) -> Self {
        if self.people() < count
            && let Some(first) = self.demands.first_mut()
        {
            first.count = count.min(MAX_APPROVALS);
        }
        self
    }

    /// The same where these count for every demand too: whom a gate is escalated to. It is made when it is looked at
    /// and never kept, so it may name more than [`MAX_ALTERNATIVES`].
    #[must_use]
    pub fn widened(&self, who: &[Who]) -> Self {
        let mut wide = self.clone();
        for demand in &mut wide.demands {
            for one in who {
                if !demand.any_of.contains(one) {
                    demand.any_of.push(one.clone());
                }
            }
        }
        wide
    }

    /// What is still asked for when these have approved: each demand with the count that is left.
    pub fn missing<'a>(&self, approvers: &(impl Iterator<Item = &'a Voter> + Clone)) -> Vec<Demand> {
        let left = |demand: &Demand| {
            let have = approvers.clone().filter(|voter| demand.fits(voter)).count();
            demand.count.saturating_sub(u32::try_from(have).unwrap_or(u32::MAX))
        };
        let demands = self.demands.iter().map(|demand| Demand { count: left(demand), ..demand.clone() });
        demands.filter(|demand| demand.count > 0).collect()
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, demand) in self.demands.iter().enumerate() {
            let joint = if place == 0 { "" } else { " and " };
            write!(f, "{joint}{demand}")?;
        }
        Ok(())
    }
}

impl FromStr for Quorum {
    type Err = BadQuorum;

    fn from_str(text: &str) -> Result<Self, BadQuorum> {
        if text.len() > MAX_QUORUM_BYTES {
            return Err(BadQuorum(format!("a quorum has at most {MAX_QUORUM_BYTES} bytes")));
        }
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let demands = words.split(" and ").map(str::parse).collect::<Result<Vec<Demand>, _>>()?;
        if demands.len() > MAX_DEMANDS {
            return Err(BadQuorum(format!("a quorum has at most {MAX_DEMANDS} demands")));
        }
        Ok(Self { demands })
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Quorum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quorum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Quorum {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quorum".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": MAX_QUORUM_BYTES,
            "description": "Who decides and how many, for example `2 of role:operator and 1 of group:security`.",
            "examples": ["role:operator", "2 of role:operator and 1 of group:security"],
        })
    }
}

/// A person at a gate: what the grammar can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Voter {
    /// The identity: the owner of the token.
    pub identity: String,
    /// Its role.
    pub role: Role,
    /// Its labels.
    pub groups: Vec<String>,
}

impl From<&Caller> for Voter {
    fn from(caller: &Caller) -> Self {
        Self { identity: caller.owner.clone(), role: caller.role, groups: caller.groups.clone() }
    }
}
