//! Steps: every change of the memory that a restart would rebuild, or that another server must know, is a value. It can
//! be applied, taken back by its inverse, and written down (decision 5).
//!
//! Each noun has its own steps beside what they change; here is only what they have in common. What is written down
//! has a version ([`crate::journal::VERSION`]), and a test that holds its form.

pub(crate) mod form;

use super::{Parts, audit, count, lease, letter, name, presence, ready, run, unique};
use crate::sign_in::table as sign_in;
use crate::token::table as token;
use serde::{Deserialize, Serialize};

/// One change of the memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// Of a scope, a queue, a lane, an agent or an actor, or of the numbers of the log.
    Name(name::Step),
    /// Of what may be claimed.
    Ready(ready::Step),
    /// Of the starts that rates count.
    Rate(ready::RateStep),
    /// Of who holds what.
    Lease(lease::Step),
    /// Of how many tasks stand where.
    Count(count::Step),
    /// Of a unique key, or of how many tasks wait for one.
    Unique(unique::Step),
    /// Of a dead letter.
    Letter(letter::Step),
    /// Of a live token.
    Token(token::Step),
    /// Of a sign-in or a code.
    SignIn(sign_in::Step),
    /// Of the head of an audit chain.
    Audit(audit::Step),
    /// Of who is there.
    Presence(presence::Step),
    /// No key up to this one is given again. Never taken back.
    Key(i64),
    /// Of a run.
    Run(run::Step),
}

/// Makes the steps of a noun steps.
macro_rules! steps {
    ($($variant:ident of $step:path,)+) => {
        $(impl From<$step> for Step {
            fn from(step: $step) -> Self {
                Self::$variant(step)
            }
        })+
    };
}

steps! {
    Name of name::Step,
    Ready of ready::Step,
    Rate of ready::RateStep,
    Lease of lease::Step,
    Count of count::Step,
    Unique of unique::Step,
    Letter of letter::Step,
    Token of token::Step,
    SignIn of sign_in::Step,
    Audit of audit::Step,
    Presence of presence::Step,
    Run of run::Step,
}

impl Parts {
    /// Does a step; gives what takes it back, when there is anything to take back.
    pub(super) fn apply(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Name(step) => self.apply_name(step).map(Step::Name),
            Step::Ready(step) => self.ready.apply(step).map(Step::Ready),
            Step::Rate(step) => self.ready.apply_rate(step).map(Step::Rate),
            Step::Lease(step) => self.apply_lease(step).map(Step::Lease),
            Step::Count(step) => Some(Step::Count(self.counts.apply(step))),
            Step::Unique(step) => self.apply_unique(step).map(Step::Unique),
            Step::Letter(step) => Some(Step::Letter(self.letters.apply(step))),
            Step::Token(step) => self.tokens.apply(step).map(Step::Token),
            Step::SignIn(step) => self.tokens.sign_ins().write().apply(step).map(Step::SignIn),
            Step::Audit(step) => Some(Step::Audit(self.apply_audit(step))),
            Step::Presence(step) => self.apply_presence(step).map(Step::Presence),
            Step::Run(step) => self.apply_run(step).map(Step::Run),
            Step::Key(key) => {
                self.last_key = self.last_key.max(key);
                None
            }
        }
    }
}
