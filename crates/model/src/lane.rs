//! Lanes: tasks that are alike for the choice of the next one share a lane, so that blocked work is passed
//! over as a whole and never enters the hot scan.

use crate::queue::Assignment;
use crate::task::{Concurrency, Rate, Spec};
use serde::{Deserialize, Serialize};

/// What makes two ready tasks alike: the same queue, and the same conditions on who may take them when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// The scope.
    pub scope: String,
    /// The queue.
    pub queue: String,
    /// An agent must have all of them; sorted.
    pub capabilities: Vec<String>,
    /// Only this agent may take them.
    pub assign_to: Option<String>,
    /// Limit on running ones.
    pub concurrency: Option<Concurrency>,
    /// Limit on starts.
    pub rate: Option<Rate>,
    /// For `affinity` queues.
    pub category: Option<String>,
    /// What is to be done; `None` in lanes of before there were kinds.
    #[serde(default)]
    pub kind: Option<String>,
}

impl Lane {
    /// The lane of a task in a queue that chooses agents like this: what it does not look at tells no tasks apart.
    pub fn of(spec: &Spec, assignment: Assignment) -> Self {
        let extras = &spec.extras;
        Self {
            scope: spec.scope.clone(),
            queue: spec.queue.clone(),
            capabilities: extras.capabilities.clone(),
            assign_to: extras.assign_to.clone(),
            concurrency: extras.concurrency.clone(),
            rate: extras.rate.clone(),
            category: extras.category.clone().filter(|_| assignment == Assignment::Affinity),
            kind: Some(spec.kind.clone()),
        }
    }

    /// Whether somebody who does `kinds` (`None`: all of them) does tasks of this lane.
    pub fn is_done_by(&self, kinds: Option<&[String]>) -> bool {
        self.kind.as_ref().is_none_or(|kind| kinds.is_none_or(|kinds| kinds.contains(kind)))
    }

    /// Whether `agent` with `capabilities` may take tasks of this lane.
    pub fn fits(&self, agent: &str, capabilities: &[String]) -> bool {
        self.assign_to.as_deref().is_none_or(|named| named == agent) && self.lacks(capabilities).is_empty()
    }

    /// The capabilities that somebody with `capabilities` lacks for this lane.
    pub fn lacks(&self, capabilities: &[String]) -> Vec<&str> {
        let missing = |need: &&String| !capabilities.contains(*need);
        self.capabilities.iter().filter(missing).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_needs_all_capabilities_and_the_name() {
        let lane = Lane {
            scope: "s".into(),
            queue: "q".into(),
            capabilities: vec!["gpu".into(), "linux".into()],
            assign_to: Some("a".into()),
            concurrency: None,
            rate: None,
            category: None,
            kind: Some("build".into()),
        };
        let all = ["linux".to_owned(), "gpu".to_owned(), "x".to_owned()];
        assert!(lane.fits("a", &all));
        assert!(!lane.fits("b", &all));
        assert!(!lane.fits("a", &all[..1]));
        assert_eq!(lane.lacks(&all[..1]), ["gpu"]);
        assert!(lane.is_done_by(None) && lane.is_done_by(Some(&["x".into(), "build".into()])));
        assert!(!lane.is_done_by(Some(&[])) && Lane { kind: None, ..lane }.is_done_by(Some(&[])));
    }
}
