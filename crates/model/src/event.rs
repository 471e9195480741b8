//! Events: immutable facts in one ordered, gap-free log (D50). This is the registry: one type of event, one
//! Rust type, one JSON Schema; what is not in it cannot be written.

pub mod cursor;

use crate::id::Id;
use crate::queue::{Assignment, Flow};
use crate::task::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Prefix of every type on the wire.
pub const TYPE_PREFIX: &str = "tiltyard.";

/// What an event writes: its type and its data.
pub trait Payload: Serialize {
    /// Its type.
    const TYPE: Type;
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $word:literal { $($(#[doc = $fdoc:literal])+ $field:ident: $ty:ty,)* })+) => {
        /// The closed list of types of events; the number stands in rows and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i64)]
        pub enum Type { $($(#[doc = $doc])+ $name = $code,)+ }

        impl Type {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// `noun.what_happened`, without the prefix.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The type of a row's number.
            pub const fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// The JSON Schema of its data.
            pub fn schema(self) -> schemars::Schema {
                match self { $(Self::$name => schemars::schema_for!($name),)+ }
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $name {
                $($(#[doc = $fdoc])+ #[serde(skip_serializing_if = "is_absent")] pub $field: $ty,)*
            }

            impl Payload for $name {
                const TYPE: Type = Type::$name;
            }
        )+
    };
}

/// Absent options are left out; everything else is written. A field added later must be an option, so that old
/// events decode for ever.
fn is_absent<T: Absent>(value: &T) -> bool {
    value.absent()
}

trait Absent {
    fn absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Option<T> {
    fn absent(&self) -> bool {
        self.is_none()
    }
}

macro_rules! present {
    ($($ty:ty),+) => { $(impl Absent for $ty {})+ };
}
present!(String, i64, u64, u32, u8, bool, Vec<String>);

#[macro_use]
mod run;
mod lists;
pub use lists::*;

impl Type {
    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The type on the wire: `tiltyard.<noun>.<what happened>`.
    pub fn wire(self) -> String {
        format!("{TYPE_PREFIX}{}", self.as_str())
    }

    /// Reads `tiltyard.noun.what` or `noun.what`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.strip_prefix(TYPE_PREFIX).unwrap_or(word);
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// The types that a filter names: one type, a noun (`task`) or a noun with a star (`task.*`).
    pub fn matching(filter: &str) -> Vec<Self> {
        let filter = filter.strip_prefix(TYPE_PREFIX).unwrap_or(filter);
        let noun = filter.strip_suffix(".*").unwrap_or(filter);
        let hit = |kind: &&Self| kind.as_str() == filter || kind.as_str().split('.').next() == Some(noun);
        Self::ALL.iter().filter(hit).copied().collect()
    }
}

/// What an event is about: `subject` of the CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A thing with an id.
    Id(Id),
    /// A thing with a slug.
    Name(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<Id> for Subject {
    fn from(id: Id) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Subject {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // D50: one registry; each type has its own word and number, and reads back.
    #[test]
    fn d50_the_registry_is_one_to_one() {
        let mut words = HashSet::new();
        let mut codes = HashSet::new();
        for kind in Type::ALL {
            assert!(words.insert(kind.as_str()) && codes.insert(kind.code()), "{kind:?}");
            assert_eq!(Type::from_code(kind.code()), Some(*kind));
            assert_eq!(Type::parse(&kind.wire()), Some(*kind));
            assert!(kind.schema().as_value().is_object());
        }
    }

    #[test]
    fn filters_name_types_or_nouns() {
        assert_eq!(Type::matching("tiltyard.task.ready"), [Type::TaskReady]);
        assert!(Type::matching("task.*").contains(&Type::TaskDead));
        assert!(Type::matching("task").len() > 5);
        assert!(Type::matching("nonsense").is_empty());
        assert!(!Type::matching("dead_letter").contains(&Type::TaskDead));
    }

    #[test]
    fn absent_options_are_left_out() {
        let text = serde_json::to_string(&TaskReady { cause: "submitted".into(), run_at: None });
        assert_eq!(text.expect("serialises"), r#"{"cause":"submitted"}"#);
    }
}
