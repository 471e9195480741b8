//! What an open gate still waits for, in sentences: who is asked, whose vote does not count and why, and what to do
//! where there are not enough people (D24, D26).

use super::quorum::Voter;
use super::vote::{Company, Waits, blocked, company, votes_of, waiting_for};
use super::{Gate, Reduction, SelfApproval, Side};

/// The people of a gate's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// How many can decide there (SEC1).
    pub humans: u32,
    /// Whether whoever submitted the subject is one of them.
    pub submitter: Submitter,
}

/// Who submitted a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitter {
    /// A person who could decide on the work of others here.
    Human,
    /// A program, or somebody from elsewhere.
    Other,
}

/// What is missing, the most pressing first; nothing once the gate has ended.
pub fn missing(gate: &Gate, crowd: Crowd) -> Vec<String> {
    if gate.state.is_final() {
        return Vec::new();
    }
    if let Some(block) = gate.block {
        return vec![format!("nobody can approve it: {}", blocked(block).message)];
    }
    let Waits { demands, confirm } = waiting_for(gate, crowd.humans);
    if confirm.is_some() {
        return vec![again(gate)];
    }
    let asked: Vec<String> = demands.iter().map(ToString::to_string).collect();
    let mut said = vec![asked.join(" and ")];
    if gate.reduction == Reduction::WhenAlone && crowd.humans <= 1 {
        said.push(
            "only one person here can decide, who is asked twice: the second time with the id typed"
                .to_owned(),
        );
        return said;
    }
    said.extend(barred(gate));
    let need = demands.iter().map(|demand| demand.count).max().unwrap_or_default();
    said.extend(too_few(gate, crowd, need));
    said
}

/// Whether this voter has something to decide here: one of those who do, not on what they submitted, and not a second time.
pub fn may_decide(gate: &Gate, voter: &Voter, humans: u32) -> bool {
    let company = company(gate, humans);
    let own = gate.self_approval == SelfApproval::Forbidden
        && gate.submitter.as_ref() == Some(&voter.identity)
        && company == Company::Others;
    let voted = votes_of(gate, voter).next().is_some() && waiting_for(gate, humans).confirm.is_none();
    !gate.state.is_final() && gate.quorum.names(voter) && !own && !voted
}

/// The lone person has approved once.
fn again(gate: &Gate) -> String {
    let id = gate.confirm_with.first().map(String::as_str).unwrap_or_default();
    format!("the same approval once more, with {id} typed as confirm: nobody else here can decide")
}

/// Why the submitter is not one of those who are asked.
fn barred(gate: &Gate) -> Option<String> {
    let submitter = gate.submitter.as_deref().filter(|_| gate.self_approval == SelfApproval::Forbidden)?;
    let voted = gate.votes.iter().any(|vote| vote.voter.identity == submitter && vote.side == Side::Approve);
    Some(if voted {
        format!(
            "the approval of {submitter} does not count any more: {submitter} submitted it, and others are here"
        )
    } else {
        format!("{submitter} submitted it and may not decide")
    })
}

/// There are fewer people than approvals that are asked for: waiting alone will not help.
fn too_few(gate: &Gate, crowd: Crowd, need: u32) -> Option<String> {
    let forbidden = gate.self_approval == SelfApproval::Forbidden;
    let submitter = gate.submitter.as_deref().filter(|_| forbidden);
    let mut counted: Vec<&str> = gate.votes.iter().map(|vote| vote.voter.identity.as_str()).collect();
    counted.retain(|identity| Some(*identity) != submitter);
    counted.dedup();
    let out = u32::from(submitter.is_some() && crowd.submitter == Submitter::Human);
    let gone = out.saturating_add(u32::try_from(counted.len()).unwrap_or(u32::MAX));
    let free = crowd.humans.saturating_sub(gone);
    if free >= need {
        return None;
    }
    let who = match free {
        0 => "nobody else here can decide".to_owned(),
        1 => "only one more person here can decide".to_owned(),
        more => format!("only {more} more people here can decide"),
    };
    let rule = if forbidden { "allow it with no_self_approval = false" } else { "ask for fewer approvers" };
    Some(format!("{who}: give another one a token, or {rule} in the rules of the repository"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::{SAM, sensitive, voted};

    const fn crowd(humans: u32) -> Crowd {
        Crowd { humans, submitter: Submitter::Human }
    }

    // D26: the lone person hears of the second question before and after the first.
    #[test]
    fn d26_a_lone_person_is_told_what_comes() {
        let mut gate = sensitive();
        let said = missing(&gate, crowd(1));
        assert!(said[0] == "2 of role:operator" && said[1].contains("asked twice"), "{said:?}");
        gate.votes.push(voted(SAM));
        let said = missing(&gate, crowd(1));
        assert!(said.len() == 1 && said[0].contains(&format!("{} typed as confirm", gate.id)), "{said:?}");
    }

    // D26: with two people, of whom one has submitted it, waiting does not help: that is said, and what does.
    #[test]
    fn d26_a_vote_that_stopped_counting_is_told_with_the_way_out() {
        let mut gate = sensitive();
        gate.votes = vec![voted(SAM), voted("ann")];
        let said = missing(&gate, crowd(2));
        assert_eq!(said[0], "1 of role:operator");
        assert!(
            said[1].starts_with("the approval of sam does not count any more: sam submitted it"),
            "{said:?}"
        );
        assert!(said[2].starts_with("nobody else here can decide: give another one a token"), "{said:?}");
        // A third person is enough.
        assert_eq!(missing(&gate, crowd(3)).len(), 2);
    }

    // C21: where nobody can approve, that is what is said, and not who is asked to.
    #[test]
    fn c21_a_blocked_gate_asks_nobody_to_approve() {
        let gate = Gate { block: Some(crate::gate::Block::ChecksFailed), ..sensitive() };
        let said = missing(&gate, crowd(3));
        assert!(
            said.len() == 1 && said[0].starts_with("nobody can approve it: a check failed on it"),
            "{said:?}"
        );
    }

    // D27: the inbox says what is for whoever looks at it.
    #[test]
    fn d27_whoever_has_something_to_decide_is_told_so() {
        let mut gate = sensitive();
        let voter = |name: &str| voted(name).voter;
        assert!(!may_decide(&gate, &voter(SAM), 5), "submitted it");
        assert!(may_decide(&gate, &voter(SAM), 1), "nobody else is there");
        assert!(may_decide(&gate, &voter("ann"), 5));
        let viewer = Voter { role: crate::role::Role::Viewer, ..voter("ann") };
        assert!(!may_decide(&gate, &viewer, 5));
        gate.votes.push(voted("ann"));
        assert!(!may_decide(&gate, &voter("ann"), 5), "has said it");
        gate.state = crate::gate::State::Approved;
        assert!(!may_decide(&gate, &voter("bob"), 5));
    }

    #[test]
    fn a_program_that_submitted_takes_nobodys_place() {
        let mut gate = sensitive();
        gate.submitter = Some("agent:smith".to_owned());
        let crowd = Crowd { humans: 2, submitter: Submitter::Other };
        assert_eq!(
            missing(&gate, crowd),
            ["2 of role:operator", "agent:smith submitted it and may not decide"]
        );
        gate.state = crate::gate::State::Approved;
        assert!(missing(&gate, crowd).is_empty());
    }
}
