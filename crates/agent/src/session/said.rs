//! Words of the host as frames.

use crate::attempt::AttemptKey;
use crate::outcome::{Outcome, Retry, Verdict};
use tiltyard_wire::frame::Settle;
use tiltyard_wire::task::work::{Lease, Reported};

/// The lease of an attempt; `None` for a task that no server of ours has named.
pub(super) fn lease_of(key: &AttemptKey) -> Option<Lease> {
    Some(Lease { id: key.task().parse().ok()?, generation: key.generation() })
}

/// The attempt that a lease names.
pub(super) fn key_of(lease: Lease) -> Option<AttemptKey> {
    AttemptKey::new(&lease.id.to_string(), lease.generation).ok()
}

/// An outcome as it is told. Told again it is the same to the letter, so that the server knows it (E8).
pub(super) fn settle(lease: Lease, outcome: &Outcome) -> Settle {
    let Lease { id, generation } = lease;
    let bare =
        Settle { id, generation, outcome: Reported::Released, result: None, error: None, retryable: None };
    match outcome.verdict.clone() {
        Verdict::Succeeded { result } => Settle { outcome: Reported::Succeeded, result, ..bare },
        Verdict::Failed { error, retry } => Settle {
            outcome: Reported::Failed,
            error: Some(error),
            retryable: (retry == Retry::Useless).then_some(false),
            ..bare
        },
        Verdict::TimedOut { error } => Settle { outcome: Reported::TimedOut, error: Some(error), ..bare },
        Verdict::Released => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(verdict: Verdict) -> String {
        let key = AttemptKey::new("task_01h2xcejqtf2nbrexx3vqjhp41", 7).expect("is a key");
        let lease = lease_of(&key).expect("is a lease");
        assert_eq!(key_of(lease), Some(key.clone()));
        serde_json::to_string(&settle(lease, &Outcome { key, verdict })).expect("is JSON")
    }

    #[test]
    fn c2_every_verdict_has_its_frame() {
        let result =
            serde_json::value::RawValue::from_string("{\"b\":1, \"a\":2}".to_owned()).expect("is JSON");
        let succeeded = told(Verdict::Succeeded { result: Some(result) });
        assert!(
            succeeded.ends_with(r#""generation":7,"outcome":"succeeded","result":{"b":1, "a":2}}"#),
            "{succeeded}"
        );
        let failed = told(Verdict::refused("no such program"));
        assert!(
            failed.ends_with(r#""outcome":"failed","error":"no such program","retryable":false}"#),
            "{failed}"
        );
        assert!(told(Verdict::failed("x")).ends_with(r#""error":"x"}"#));
        assert!(
            told(Verdict::TimedOut { error: "late".into() })
                .contains(r#""outcome":"timed_out","error":"late""#)
        );
        assert!(told(Verdict::Released).ends_with(r#""outcome":"released"}"#));
    }
}
