//! Agents: processes that take tasks.

pub mod record;

use crate::refusal::{Fault, Refusal};
use crate::slug::is_slug;
use crate::task::admission::{MAX_TAGS, is_tag};
use crate::text::{NOT_STORABLE, is_storable};
use crate::time::{DurationMs, TimeMs};
use record::Record;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Silence after which an agent is `offline` (D30).
pub const OFFLINE_AFTER_MS: DurationMs = 30_000;
/// Most kinds of tasks that one agent names.
pub const MAX_KINDS: usize = 100;
/// Most slots of one agent.
pub const MAX_SLOTS: u32 = 1_000;

/// What an agent is doing (D30).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AgentState")]
pub enum State {
    /// Silent for 30 s.
    Offline,
    /// Nothing to do.
    Idle,
    /// Holds at least one lease.
    Busy,
    /// Holds work that waits for somebody.
    Blocked,
    /// Finishes what it has and takes nothing new.
    Draining,
}

impl State {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Blocked => "blocked",
            Self::Draining => "draining",
        }
    }
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The kinds of tasks that it does; `None` for all.
    pub kinds: Option<Vec<String>>,
    /// Its program's version.
    pub version: String,
    /// The machine it runs on.
    pub host: String,
    /// How many tasks it takes at once.
    pub slots: u32,
}

/// What an agent says of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Resources {
    /// Load average over a minute.
    pub load: f64,
    /// Memory in use, in bytes.
    pub memory_used_bytes: u64,
    /// Memory there is, in bytes.
    pub memory_total_bytes: u64,
    /// Free space of its work folder, in bytes.
    pub disk_free_bytes: u64,
    /// Slots in use.
    pub slots_used: u32,
}

/// An agent as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its name, unique in the store.
    pub name: String,
    /// Its present process.
    pub instance: Option<String>,
    /// What it says of itself.
    pub profile: Profile,
    /// Whether a person told it to take nothing new.
    pub draining: bool,
    /// When it was first seen.
    pub created_at: TimeMs,
    /// When it last said anything; `None` while it is connected, and for one that never was.
    pub last_seen: Option<TimeMs>,
    /// What its connections left behind.
    pub record: Arc<Record>,
}

impl Agent {
    /// Whether it has said hello, and has not been found silent since.
    pub fn is_connected(&self) -> bool {
        self.instance.is_some() && self.last_seen.is_none()
    }
}

/// The presence of an agent (D30): `silence_ms` since it last said anything (`None`: never), `leases` it holds.
pub fn state(draining: bool, silence_ms: Option<DurationMs>, leases: usize) -> State {
    match silence_ms {
        None => State::Offline,
        Some(silence) if silence >= OFFLINE_AFTER_MS => State::Offline,
        Some(_) if draining => State::Draining,
        Some(_) if leases > 0 => State::Busy,
        Some(_) => State::Idle,
    }
}

/// Whether an agent may register under `name` with `profile`.
///
/// # Errors
/// 422 with every wrong field.
pub fn admit(name: &str, profile: &Profile) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let mut check = |ok: bool, field: &str, error: &str| {
        if !ok {
            faults.push(Fault { field: field.to_owned(), error: error.to_owned() });
        }
    };
    check(is_slug(name), "/name", "must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -");
    let capabilities = &profile.capabilities;
    let tags = capabilities.len() <= MAX_TAGS && capabilities.iter().all(|tag| is_tag(tag));
    check(tags, "/capabilities", "at most 32, each 1 to 256 characters without control characters");
    let mut kinds = profile.kinds.iter().flatten();
    let few = profile.kinds.as_ref().is_none_or(|kinds| kinds.len() <= MAX_KINDS);
    check(few && kinds.all(|kind| is_tag(kind)), "/kinds", "at most 100 kinds of tasks");
    let told = [&profile.version, &profile.host];
    check(told.iter().all(|text| is_storable(text)), "/host", NOT_STORABLE);
    check(profile.slots <= MAX_SLOTS, "/slots", "must be at most 1,000");
    Refusal::from_faults(faults).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    // D30: offline after 30 s of silence.
    #[test]
    fn d30_presence_follows_silence_then_orders_then_work() {
        assert_eq!(state(false, None, 0), State::Offline);
        assert_eq!(state(true, Some(30_000), 3), State::Offline);
        assert_eq!(state(true, Some(29_999), 3), State::Draining);
        assert_eq!(state(false, Some(0), 1), State::Busy);
        assert_eq!(state(false, Some(0), 0), State::Idle);
    }

    #[test]
    fn a_name_is_a_slug() {
        assert!(admit("builder-1", &Profile::default()).is_ok());
        assert!(admit("Builder 1", &Profile { slots: 1_001, ..Profile::default() }).is_err());
    }
}
