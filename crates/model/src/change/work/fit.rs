//! A result that is too large is shortened where it hurts least, and says so.

use super::{ChangeResult, CheckResult, CheckRun, Files, MAX_RESULT_BYTES, MergeResult, ProbeResult};
use super::{MAX_REASON_BYTES, Refused, Unchanged};
use serde::Serialize;

/// Log tails are not cut below so many bytes while lists can still be shortened.
const MIN_TAIL_BYTES: usize = 512;
/// Lists are not cut below so many items before everything else is.
const MIN_ITEMS: usize = 20;

/// A result that can be made small enough to be settled.
pub trait Fit: Serialize + Sized {
    /// Leaves something out; false when nothing is left that could be.
    fn shrink(&mut self) -> bool;

    /// Its JSON text, at most [`MAX_RESULT_BYTES`].
    fn to_text(mut self) -> String {
        loop {
            let text = serde_json::to_string(&self).unwrap_or_default();
            if text.len() <= MAX_RESULT_BYTES || !self.shrink() {
                return text;
            }
        }
    }
}

impl Fit for ProbeResult {
    fn shrink(&mut self) -> bool {
        match self {
            Self::Found { dirty, rules, .. } => {
                let text =
                    rules.as_mut().and_then(|rules| rules.text.take_if(|text| text.len() > MIN_TAIL_BYTES));
                halve(dirty, 0) || text.is_some()
            }
            Self::Refused(refused) => shorten(refused),
        }
    }
}

impl Fit for ChangeResult {
    fn shrink(&mut self) -> bool {
        halve(&mut self.commits, MIN_ITEMS)
            || halve_files(&mut self.files)
            || halve(&mut self.secrets, MIN_ITEMS)
            || halve(&mut self.commits, 0)
            || halve(&mut self.secrets, 1)
    }
}

impl Fit for Unchanged {
    fn shrink(&mut self) -> bool {
        cut_reason(&mut self.unchanged)
    }
}

impl Fit for CheckResult {
    fn shrink(&mut self) -> bool {
        match self {
            Self::Checked(checked) => {
                halve_tail(&mut checked.checks)
                    || halve_files(&mut checked.files)
                    || halve(&mut checked.secrets, 1)
                    || cut_tails(&mut checked.checks)
            }
            Self::Conflict { files, .. } => halve(files, 1),
            Self::RulesChanged { rules, .. } => rules.as_mut().and_then(|rules| rules.text.take()).is_some(),
            Self::Refused(refused) => shorten(refused),
            Self::Contained { .. } => false,
        }
    }
}

impl Fit for MergeResult {
    fn shrink(&mut self) -> bool {
        match self {
            Self::Merged(merged) => halve_tail(&mut merged.checks) || cut_tails(&mut merged.checks),
            Self::ChecksFailed { checks, .. } => halve_tail(checks) || cut_tails(checks),
            Self::Conflict { files, .. } | Self::DirtyTarget { files } => halve(files, 1),
            Self::RulesChanged { rules, .. } => rules.as_mut().and_then(|rules| rules.text.take()).is_some(),
            Self::Refused(refused) => shorten(refused),
            Self::BaseMoved { .. } | Self::SubjectChanged { .. } => false,
        }
    }
}

fn halve<T>(list: &mut Vec<T>, keep: usize) -> bool {
    let fits = list.len() <= keep;
    if !fits {
        list.truncate((list.len() / 2).max(keep));
    }
    !fits
}

fn halve_files(files: &mut Files) -> bool {
    let before = files.listed.len();
    let shorter = halve(&mut files.listed, 1);
    files.more = files.more.saturating_add(u32::try_from(before - files.listed.len()).unwrap_or(u32::MAX));
    shorter
}

/// The longest log tail loses its first half.
fn halve_tail(checks: &mut [CheckRun]) -> bool {
    let longest = checks.iter_mut().max_by_key(|check| check.log_tail.len());
    let Some(check) = longest.filter(|check| check.log_tail.len() > MIN_TAIL_BYTES) else { return false };
    let half = check.log_tail.len() / 2;
    check.log_tail = end_of(&check.log_tail, half).to_owned();
    true
}

fn cut_tails(checks: &mut [CheckRun]) -> bool {
    let long = checks.iter_mut().filter(|check| !check.log_tail.is_empty());
    long.map(|check| check.log_tail.clear()).count() > 0
}

fn shorten(refused: &mut Refused) -> bool {
    cut_reason(&mut refused.reason)
}

fn cut_reason(reason: &mut String) -> bool {
    let long = reason.len() > MAX_REASON_BYTES;
    reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
    long
}

/// The last `bytes` of a text, or a little less: never half a letter.
pub(crate) fn end_of(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}
