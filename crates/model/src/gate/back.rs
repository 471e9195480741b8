//! A reject that sends its run back (D23): to which stage, and what that stage gets to hear.

use super::{Gate, Side};
use crate::id::Id;
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a reject sends its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "GateBack")]
pub struct Back {
    /// The stage that whoever rejected has named; what the definition says where it is absent.
    pub to_stage: Option<String>,
    /// The subject as the patch of the reject makes it.
    pub artifact: Option<Id>,
}

/// What a stage hears of the gate that sent its run back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feedback<'a> {
    /// Who rejected; nobody, where its time ran out.
    pub by: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
    /// What they would change in the subject.
    pub patch: Option<&'a Value>,
    /// The subject as that makes it.
    pub artifact: Option<Id>,
}

/// What a gate that has ended says to the stage that its run goes back to.
pub fn feedback(gate: &Gate) -> Feedback<'_> {
    let ended = gate.ended.as_ref();
    let by = ended.and_then(|ended| ended.by.as_deref());
    let no = |vote: &&super::Vote| vote.side == Side::Reject;
    let vote = gate.votes.iter().rev().find(no).filter(|_| by.is_some());
    Feedback {
        by,
        reason: vote.and_then(|vote| vote.comment.as_deref()),
        patch: vote.and_then(|vote| vote.patch.as_ref()),
        artifact: ended.and_then(|ended| ended.back.as_ref()).and_then(|back| back.artifact),
    }
}

/// What a gate can do with a reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is one of a change: that is sent back by other means.
    Change,
    /// It is one of an item of a list: only the item fails.
    Item,
    /// Its run goes back to a stage by itself.
    Defined,
    /// Its run goes nowhere, unless somebody names a stage.
    Named,
}

/// Whether a reject may carry these.
///
/// # Errors
/// `invalid` with the place `/to_stage` or `/patch`.
pub fn may_send(way: Way, to_stage: Option<&str>, patch: Option<&Value>) -> Result<(), Refusal> {
    let back = "is for the stage that the run goes back to";
    match way {
        Way::Change if to_stage.is_some() => {
            Err(Refusal::field("/to_stage", "is for a gate of a run; send the change back with comments"))
        }
        Way::Change if patch.is_some() => {
            Err(Refusal::field("/patch", "is for a gate of a run; send the change back with comments"))
        }
        Way::Item if to_stage.is_some() => Err(Refusal::field(
            "/to_stage",
            "an item of a list fails by itself, the run does not go back for it; leave it out",
        )),
        Way::Item if patch.is_some() => {
            let why = format!("{back}, and an item of a list sends it nowhere; say it in the reason");
            Err(Refusal::field("/patch", why))
        }
        Way::Named if patch.is_some() && to_stage.is_none() => {
            let why = format!("{back}, and this gate names none: say which one by `to_stage`");
            Err(Refusal::field("/patch", why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::{gate, voted};
    use crate::gate::{Ended, State, Vote};
    use serde_json::json;

    fn place(way: Way, to_stage: Option<&str>, patch: Option<&Value>) -> Option<String> {
        may_send(way, to_stage, patch).err().map(|refusal| refusal.faults[0].field.clone())
    }

    // D23: a reject may send the run back, with a patch; where there is no way back, that is said at its place.
    #[test]
    fn d23_a_reject_carries_what_there_is_a_way_for() {
        let patch = json!([]);
        let patch = Some(&patch);
        for way in [Way::Change, Way::Item] {
            assert_eq!(place(way, Some("plan"), patch).as_deref(), Some("/to_stage"));
            assert_eq!(place(way, None, patch).as_deref(), Some("/patch"));
            assert_eq!(place(way, None, None), None);
        }
        assert_eq!(place(Way::Named, None, patch).as_deref(), Some("/patch"));
        for way in [Way::Named, Way::Defined] {
            assert_eq!(place(way, Some("plan"), patch), None);
        }
        assert_eq!(place(Way::Defined, None, patch), None);
    }

    // D23: reason and patch are the input of the stage that it goes back to; a time-out has neither.
    #[test]
    fn d23_a_stage_hears_why_the_run_came_back() {
        let patch = json!([{"op": "remove", "path": "/a"}]);
        let no = Vote {
            side: Side::Reject,
            comment: Some("too long".to_owned()),
            patch: Some(patch.clone()),
            ..voted("ann")
        };
        let mut gate =
            Gate { state: State::Rejected, votes: vec![voted("bob"), no], ..gate("role:operator") };
        gate.ended = Some(Ended::by(Some("ann".to_owned()), 5));
        let heard = feedback(&gate);
        assert_eq!((heard.by, heard.reason, heard.patch), (Some("ann"), Some("too long"), Some(&patch)));
        let late = Gate { state: State::Expired, ended: Some(Ended::by(None, 5)), ..gate };
        assert_eq!(feedback(&late), Feedback { by: None, reason: None, patch: None, artifact: None });
    }
}
