//! Whether a decision that was made before counts for a stage that runs again (D22, D26).

use super::vote::still_approves;
use super::{State, Vote};
use crate::id::Id;
use crate::repository::rules::Asks;
use crate::run::stage;
use serde::{Deserialize, Serialize};

/// What a gate asks about, by the making of it. A question has none, so it is always asked again.
///
/// It is the artifact's id alone: a row is written once, by one attempt at one stage, so the same id is the same attempt's,
/// also where a gate asks about another gate's subject that it has let pass. Naming the stage and the attempt beside it
/// would say of such a subject who has passed it on, and ask again about what nobody has made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The artifact; bytes that are the same, made once more, are another artifact.
    pub artifact: Id,
}

/// A decision at an earlier attempt of the same gate's stage, in the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// How it ended.
    pub state: State,
    /// What it asked about, before any patch.
    pub origin: Option<Origin>,
    /// Its votes.
    pub votes: Vec<Vote>,
    /// Who had submitted what was approved.
    pub submitter: Option<String>,
}

/// Whether the gate need not open: people approved this very artifact of this very attempt, the rules ask for no more
/// than they did, and nobody asked for this stage again. A time-out that approved was nobody's decision.
pub fn counts(past: &Past, origin: Option<Origin>, asks: &Asks, wish: stage::Past) -> bool {
    wish == stage::Past::Counts
        && past.state == State::Approved
        && origin.is_some()
        && past.origin == origin
        && still_approves(&past.votes, asks, past.submitter.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::voted;
    use crate::gate::{Reduction, SelfApproval};
    use crate::id::Noun;

    fn asks(quorum: &str) -> Asks {
        Asks {
            quorum: quorum.parse().unwrap(),
            self_approval: SelfApproval::Allowed,
            reduction: Reduction::Never,
        }
    }

    // D22, D26: only the same artifact of the same attempt, approved by people, by enough of them for today's rules.
    #[test]
    fn d22_a_decision_counts_for_the_same_subject_only() {
        let artifact = |key| Id::from_parts(Noun::Artifact, Id::key_at(1_000, key), 7);
        let origin = Origin { artifact: artifact(1) };
        let past =
            Past { state: State::Approved, origin: Some(origin), votes: vec![voted("ann")], submitter: None };
        let asks_one = asks("role:operator");
        let same = |past: &Past, origin| counts(past, Some(origin), &asks_one, stage::Past::Counts);
        assert!(same(&past, origin));
        assert!(!same(&past, Origin { artifact: artifact(2) }), "equal bytes, made by another attempt");
        assert!(!counts(&past, Some(origin), &asks_one, stage::Past::AskAnew));
        assert!(!counts(&past, Some(origin), &asks("2 of role:operator"), stage::Past::Counts));
        for state in State::ALL.into_iter().filter(|state| *state != State::Approved) {
            assert!(!same(&Past { state, ..past.clone() }, origin), "{state:?}");
        }
        let question = Past { origin: None, ..past };
        assert!(!counts(&question, None, &asks_one, stage::Past::Counts), "a question is asked again");
    }
}
