//! A task's result is small (D2), and a change may be large: what is told is shortened until it fits. What was left
//! out can be seen (`files_total`), and all of it is in the diff and the log.

use serde::Serialize;

use super::check::{CheckOutcome, CheckReport, Checked};
use super::diff::FileChange;
use super::merge::MergeOutcome;
use super::propose::Proposal;

/// Ends of outputs are not cut below this as long as there are files to leave out, in bytes.
const KEPT_TAIL_BYTES: usize = 1_024;
/// Files are not left out below this as long as there is output to cut.
const KEPT_FILES: usize = 20;

/// What can be told in fewer words.
pub trait Fit: Serialize + Sized {
    /// Leaves out some; false when nothing is left to leave out.
    fn shrink(&mut self) -> bool;

    /// The same in at most `bytes` of JSON, as far as that is possible.
    #[must_use]
    fn fitted(mut self, bytes: usize) -> Self {
        let too_long = |this: &Self| serde_json::to_vec(this).is_ok_and(|json| json.len() > bytes);
        while too_long(&self) && self.shrink() {}
        self
    }
}

impl Fit for Checked {
    fn shrink(&mut self) -> bool {
        cut_tails(&mut self.checks, KEPT_TAIL_BYTES)
            || halve(&mut self.files, KEPT_FILES)
            || cut_tails(&mut self.checks, 0)
            || halve(&mut self.secrets, 1)
            || halve::<FileChange>(&mut self.files, 0)
    }
}

impl Fit for CheckOutcome {
    fn shrink(&mut self) -> bool {
        match self {
            Self::Checked(checked) => checked.shrink(),
            Self::Conflict { files, .. } => halve(files, 1),
            Self::Contained { .. } | Self::RulesChanged { .. } | Self::Refused(_) => false,
        }
    }
}

impl Fit for MergeOutcome {
    fn shrink(&mut self) -> bool {
        match self {
            Self::Merged(merged) => cut_tails(&mut merged.checks, 0),
            Self::ChecksFailed { checks, .. } => cut_tails(checks, 0),
            Self::Conflict { files, .. } | Self::DirtyTarget { files } => halve(files, 1),
            Self::BaseMoved { .. }
            | Self::SubjectChanged { .. }
            | Self::RulesChanged { .. }
            | Self::Refused(_) => false,
        }
    }
}

impl Fit for Proposal {
    fn shrink(&mut self) -> bool {
        halve(&mut self.commits, 1) || halve(&mut self.files, 0) || halve(&mut self.secrets, 1)
    }
}

/// Cuts the longest output in half, keeping its end.
fn cut_tails(reports: &mut [CheckReport], kept_bytes: usize) -> bool {
    let Some(longest) = reports.iter_mut().max_by_key(|report| report.log_tail.len()) else { return false };
    if longest.log_tail.len() <= kept_bytes {
        return false;
    }
    let middle = longest.log_tail.ceil_char_boundary(longest.log_tail.len().div_ceil(2));
    longest.log_tail.drain(..middle);
    true
}

fn halve<T>(list: &mut Vec<T>, kept: usize) -> bool {
    if list.len() <= kept {
        return false;
    }
    list.truncate(kept.max(list.len() / 2));
    true
}

#[cfg(test)]
mod tests {
    use super::super::check::CheckStatus;
    use super::super::name::Oid;
    use super::*;

    fn report(log_tail: &str) -> CheckReport {
        let name = "test".to_owned();
        CheckReport {
            name,
            status: CheckStatus::Failed,
            exit: Some(1),
            duration_ms: 1,
            log_tail: log_tail.to_owned(),
        }
    }

    #[test]
    fn c21_a_long_result_is_shortened_to_fit_and_keeps_the_ends() {
        let oid = Oid::try_from("0".repeat(40)).unwrap();
        let checks = vec![report(&format!("{}the end", "é".repeat(4_000))), report("short")];
        let outcome = MergeOutcome::ChecksFailed { base: oid.clone(), tree: oid.clone(), checks };
        let fitted = outcome.clone().fitted(2_000);
        let json = serde_json::to_string(&fitted).unwrap();
        assert!(json.len() <= 2_000 && json.contains("the end") && json.contains("short"), "{json}");
        assert_eq!(outcome.clone().fitted(1_000_000), outcome);
        let files = (0..500).map(|n| format!("file-{n}")).collect();
        let conflict = CheckOutcome::Conflict { base: oid, files }.fitted(1_000);
        assert!(serde_json::to_string(&conflict).unwrap().len() <= 1_000);
        assert!(serde_json::to_string(&conflict.fitted(1)).unwrap().len() > 1, "an end, not a loop");
    }
}
