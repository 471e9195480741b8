//! Changes (C18-C34). The hooks below are called by the deeds of tasks.

use crate::act::Act;
use crate::memory::lease::Lease;
use crate::task::end;
use crate::task::settle::{Report, facts};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::{Outcome, after};
use tiltyard_store::task::Found;

/// A task of kind `change` reports success: its change is proposed, and the task waits.
pub(crate) fn proposed(
    act: &mut Act<'_>,
    lease: &Lease,
    found: &Found,
    report: &Report,
) -> Result<State, Refusal> {
    let next = after(report.outcome, facts(act, found, report.retryable));
    end::attempt(act, lease, found, &end::Ended::reported(report), next)
}

/// A task of kind `change` has ended otherwise: died, or was cancelled.
pub(crate) fn task_ended(_: &mut Act<'_>, _: &Found, _: &str) -> Result<(), Refusal> {
    Ok(())
}

/// An internal task (`git.check`, `git.merge`, `git.probe`) has ended.
pub(crate) fn git_ended(
    _: &mut Act<'_>,
    _: &Found,
    _: Outcome,
    _: Option<&str>,
    _: Option<&str>,
) -> Result<(), Refusal> {
    Ok(())
}
