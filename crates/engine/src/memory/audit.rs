//! Heads of the audit chains.

use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use tiltyard_model::audit::Head;

/// A chain has a new head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The chain: a scope, or `system`.
    pub chain: Box<str>,
    /// Its last entry; `None` for a chain without one.
    pub head: Option<Box<Head>>,
}

impl Parts {
    pub(super) fn apply_audit(&mut self, step: Step) -> Step {
        let Step { chain, head } = step;
        let before = match head {
            Some(head) => self.audit.insert(String::from(&*chain), *head),
            None => self.audit.remove(&*chain),
        };
        Step { chain, head: before.map(Box::new) }
    }
}

impl Memory {
    /// An entry was linked to a chain.
    pub fn chain(&mut self, chain: &str, head: Head) {
        self.step(Step { chain: Box::from(chain), head: Some(Box::new(head)) });
    }
}
