//! Approvals with a patch: what is approved is what the patch makes of the subject (D23, D24).

use super::vote::{
    Ballot, Verdict, allowed, company, count, not_a_decider, open_and_seen, subject_of, vote, votes_of,
    waiting_for,
};
use super::{Gate, MAX_AMENDMENTS, MAX_PATCH_BYTES, SelfApproval, Side, SubjectKind};
use crate::refusal::{Code, Refusal};
use crate::time::TimeMs;
use serde_json::Value;

/// The media type of what a patch can be for.
pub const JSON_MEDIA_TYPE: &str = "application/json";

/// What an approval with a patch does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// The gate asks about this from now on. Unless the verdict is [`Verdict::Replayed`], all earlier votes are void.
    pub subject_sha256: String,
    /// Who submitted that.
    pub submitter: Option<String>,
    /// What becomes of the vote itself, on the new subject.
    pub verdict: Verdict,
}

/// Whether a subject can be patched.
///
/// # Errors
/// `invalid` with the place `/patch`: a diff, a question, or bytes that are no JSON.
pub fn patchable(kind: SubjectKind, media_type: Option<&str>) -> Result<(), Refusal> {
    let essence = media_type.and_then(|kind| kind.split(';').next()).map(str::trim).unwrap_or_default();
    let why = match kind {
        SubjectKind::Artifact
            if essence.eq_ignore_ascii_case(JSON_MEDIA_TYPE) || essence.ends_with("+json") =>
        {
            return Ok(());
        }
        SubjectKind::Artifact => "is for JSON, which this artifact is not; reject it with a reason",
        SubjectKind::Question => "is for an artifact, and this gate asks a question; reject it with a reason",
        SubjectKind::Diff => "is for an artifact; send the change back with comments",
    };
    Err(Refusal::field("/patch", why))
}

/// Whether a patch is small enough to be kept with its vote.
///
/// # Errors
/// `invalid` with the place `/patch`.
pub fn keepable(patch: &Value) -> Result<(), Refusal> {
    let bytes = patch.to_string().len();
    if bytes <= MAX_PATCH_BYTES {
        return Ok(());
    }
    let why = format!("has {bytes} bytes of JSON, and at most {MAX_PATCH_BYTES} are kept with a vote");
    Err(Refusal::field("/patch", why))
}

/// Judges an approval with a patch that makes `amended` (a SHA-256) of the subject that the ballot names; the patch was
/// applied and checked before ([`crate::patch::applied`]).
///
/// Where nobody decides on what they submitted, whoever patches has submitted the result: their own approval does not
/// count then, and who submitted the thing before may decide on it, for each has seen what the other did.
///
/// # Errors
/// As [`vote`]; `invalid` for a reject, whose patch is for the stage that it goes back to; `wrong_state` beyond
/// [`MAX_AMENDMENTS`].
pub fn amend(
    gate: &Gate,
    ballot: &Ballot,
    amended: &str,
    humans: u32,
    now: TimeMs,
) -> Result<Amended, Refusal> {
    let seen = subject_of(ballot)?;
    if ballot.side == Side::Reject {
        return Err(Refusal::new(Code::Invalid, "a reject changes no subject"));
    }
    if !gate.quorum.names(&ballot.voter) {
        return Err(not_a_decider(gate, &ballot.voter));
    }
    let kept = |verdict| Amended {
        subject_sha256: gate.subject_sha256.clone(),
        submitter: gate.submitter.clone(),
        verdict,
    };
    let approved = votes_of(gate, &ballot.voter).any(|vote| vote.side == Side::Approve);
    if approved && seen != gate.subject_sha256 && gate.subject_sha256 == amended {
        return Ok(kept(Verdict::Replayed(waiting_for(gate, humans))));
    }
    if amended == seen {
        return vote(gate, ballot, humans, now).map(kept);
    }
    open_and_seen(gate, &seen, now)?;
    let company = company(gate, humans);
    allowed(gate, ballot, company)?;
    if gate.earlier_sha256.len() >= MAX_AMENDMENTS {
        let text = format!(
            "its subject was patched {MAX_AMENDMENTS} times already: approve it as it is, or reject it with a reason"
        );
        return Err(Refusal::new(Code::WrongState, text));
    }
    let submitter = match gate.self_approval {
        SelfApproval::Forbidden => Some(ballot.voter.identity.clone()),
        SelfApproval::Allowed => gate.submitter.clone(),
    };
    let after = Gate {
        subject_sha256: amended.to_owned(),
        submitter: submitter.clone(),
        votes: Vec::new(),
        ..gate.clone()
    };
    let verdict = count(&after, ballot, company, now);
    Ok(Amended { subject_sha256: amended.to_owned(), submitter, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::{MANY, OTHER, SEEN, approve, gate, reject, sensitive, voted};
    use crate::gate::vote::Strength;
    use crate::gate::{End, Reduction};

    /// Writes down what was said, as the engine does.
    fn carry(gate: &mut Gate, said: &Amended) {
        gate.earlier_sha256.push(gate.subject_sha256.clone());
        gate.subject_sha256.clone_from(&said.subject_sha256);
        gate.submitter.clone_from(&said.submitter);
        if let Verdict::Counted(vote, _) | Verdict::Decided(vote, ..) = &said.verdict {
            gate.votes = vec![vote.clone()];
        }
    }

    // D24: a vote with a patch makes a new subject and voids earlier votes; who voted before is asked again.
    #[test]
    fn d24_a_patch_voids_earlier_votes() {
        let mut gate = gate("2 of role:operator");
        gate.votes = vec![voted("bob")];
        let said = amend(&gate, &approve("ann"), OTHER, MANY, 5).unwrap();
        assert!(matches!(&said.verdict, Verdict::Counted(_, waits) if waits.demands[0].count == 1));
        carry(&mut gate, &said);
        assert_eq!((gate.subject_sha256.as_str(), gate.votes.len()), (OTHER, 1));
        let old = vote(&gate, &approve("bob"), MANY, 6).unwrap_err();
        assert_eq!(old.code, Code::SubjectChanged);
        let seen = Ballot { subject_sha256: Some(OTHER.to_owned()), ..approve("bob") };
        assert!(matches!(vote(&gate, &seen, MANY, 7), Ok(Verdict::Decided(_, End::Approve, Strength::Full))));
    }

    // D24: the same vote with the same patch again is a replay; another patch of an old subject is not.
    #[test]
    fn d24_the_same_patch_again_is_a_replay() {
        let mut gate = gate("2 of role:operator");
        let said = amend(&gate, &approve("ann"), OTHER, MANY, 5).unwrap();
        carry(&mut gate, &said);
        let again = amend(&gate, &approve("ann"), OTHER, MANY, 6).unwrap();
        assert!(matches!(again.verdict, Verdict::Replayed(_)));
        let third = "c".repeat(64);
        let error = amend(&gate, &approve("ann"), &third, MANY, 7).unwrap_err();
        assert_eq!(error.code, Code::SubjectChanged);
        let error = amend(&gate, &approve("bob"), OTHER, MANY, 7).unwrap_err();
        assert_eq!(error.code, Code::SubjectChanged);
    }

    // D23: one approval with a patch is enough where one is asked for, and a patch that changes nothing is none.
    #[test]
    fn d23_one_approval_with_a_patch_decides() {
        let gate = gate("role:operator");
        let said = amend(&gate, &approve("ann"), OTHER, MANY, 5).unwrap();
        assert!(matches!(said.verdict, Verdict::Decided(_, End::Approve, Strength::Full)));
        let said = amend(&gate, &approve("ann"), SEEN, MANY, 5).unwrap();
        assert_eq!(said.subject_sha256, SEEN);
        assert_eq!(amend(&gate, &reject("ann"), OTHER, MANY, 5).unwrap_err().code, Code::Invalid);
        let late = Gate { expires_ms: Some(5), on_timeout: crate::gate::OnTimeout::Reject, ..gate };
        assert_eq!(amend(&late, &approve("ann"), OTHER, MANY, 5).unwrap_err().code, Code::AlreadyDecided);
    }

    // D26: where nobody decides on what they submitted, a patch is a submission: two people have seen every part.
    #[test]
    fn d26_who_patches_has_submitted_the_result() {
        let mut gate = Gate { reduction: Reduction::Never, ..sensitive() };
        gate.quorum = "role:operator".parse().unwrap();
        assert_eq!(amend(&gate, &approve("sam"), OTHER, MANY, 5).unwrap_err().code, Code::SelfApproval);
        let said = amend(&gate, &approve("ann"), OTHER, MANY, 5).unwrap();
        assert!(matches!(said.verdict, Verdict::Counted(..)), "her own approval is not enough");
        carry(&mut gate, &said);
        let seen = |name| Ballot { subject_sha256: Some(OTHER.to_owned()), ..approve(name) };
        assert!(matches!(vote(&gate, &seen("ann"), MANY, 6), Ok(Verdict::Replayed(_))));
        assert!(matches!(vote(&gate, &seen("sam"), MANY, 6), Ok(Verdict::Decided(..))));
    }

    // D24: every patch asks all the others again, so it is patches that are counted, not votes.
    #[test]
    fn d24_a_gate_takes_so_many_patches_only() {
        let mut gate = gate("2 of role:operator");
        for round in 0..MAX_AMENDMENTS {
            let seen = Some(gate.subject_sha256.clone());
            let ballot = Ballot { subject_sha256: seen, ..approve("ann") };
            let said = amend(&gate, &ballot, &format!("{round:064x}"), MANY, 5).unwrap();
            carry(&mut gate, &said);
        }
        let ballot = Ballot { subject_sha256: Some(gate.subject_sha256.clone()), ..approve("ann") };
        assert_eq!(amend(&gate, &ballot, OTHER, MANY, 5).unwrap_err().code, Code::WrongState);
        let plain = Ballot { subject_sha256: Some(gate.subject_sha256.clone()), ..approve("bob") };
        assert!(matches!(vote(&gate, &plain, MANY, 6), Ok(Verdict::Decided(..))), "without one it goes on");
    }

    #[test]
    fn a_patch_that_cannot_be_kept_is_refused() {
        assert!(keepable(&serde_json::json!([{"op": "remove", "path": "/a"}])).is_ok());
        let long = serde_json::json!([{"op": "add", "path": "/a", "value": "x".repeat(MAX_PATCH_BYTES)}]);
        assert_eq!(keepable(&long).unwrap_err().faults[0].field, "/patch");
    }

    #[test]
    fn d23_only_json_is_patched() {
        assert!(patchable(SubjectKind::Artifact, Some("application/json; charset=utf-8")).is_ok());
        assert!(patchable(SubjectKind::Artifact, Some("application/vnd.x+json")).is_ok());
        for (kind, media) in [
            (SubjectKind::Artifact, Some("text/plain")),
            (SubjectKind::Artifact, None),
            (SubjectKind::Question, Some(JSON_MEDIA_TYPE)),
            (SubjectKind::Diff, None),
        ] {
            assert_eq!(patchable(kind, media).unwrap_err().faults[0].field, "/patch");
        }
    }
}
