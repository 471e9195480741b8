//! What ends a wait for an event.

use crate::event::Type;

/// A stage that waits for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The type.
    pub kind: Type,
    /// Only one about this thing.
    pub subject: Option<String>,
    /// The scope of the run.
    pub scope: String,
    /// The sequence number of the last event before the run began. It is the run's beginning and not the wait's that
    /// counts (D28); the same also after a rerun.
    pub after_seq: i64,
}

/// An event, as far as a wait looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its sequence number.
    pub seq: i64,
    /// Its type.
    pub kind: Type,
    /// What it is about.
    pub subject: &'a str,
    /// Its scope.
    pub scope: &'a str,
}

impl Wait {
    /// Whether this event ends the wait.
    pub fn is_met_by(&self, event: Seen<'_>) -> bool {
        event.seq > self.after_seq
            && event.kind == self.kind
            && event.scope == self.scope
            && self.subject.as_ref().is_none_or(|subject| subject == event.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D28: what came after the run began and before the wait is enough; what came before the run is not.
    #[test]
    fn d28_an_event_since_the_run_began_ends_the_wait() {
        let wait = Wait {
            kind: Type::ALL[0],
            subject: Some("chg_1".to_owned()),
            scope: "default".to_owned(),
            after_seq: 10,
        };
        let seen = Seen { seq: 11, kind: Type::ALL[0], subject: "chg_1", scope: "default" };
        assert!(wait.is_met_by(seen));
        assert!(!wait.is_met_by(Seen { seq: 10, ..seen }));
        assert!(!wait.is_met_by(Seen { kind: Type::ALL[1], ..seen }));
        assert!(!wait.is_met_by(Seen { subject: "chg_2", ..seen }));
        assert!(!wait.is_met_by(Seen { scope: "other", ..seen }));
        assert!(Wait { subject: None, ..wait }.is_met_by(Seen { subject: "chg_2", ..seen }));
    }
}
