//! Everything the agent does with git: the private mirror, work clones, proposals, checks on the merged tree,
//! and the move of the target with its proof. Plain types in, plain types out; no HTTP.
//!
//! Three rules hold everywhere below:
//! - git is only started by [`command`], with an argv, a cleared environment and a hardened configuration;
//! - a repository that somebody else can write to (the registered one, a work clone after its program ran) is
//!   read through `upload-pack` or through a private git folder of ours, never through its own configuration;
//! - names that come from outside are [`name`] types, so none of them can be an option or leave its folder.

pub mod bundle;
pub mod check;
mod checkout;
pub mod cleanup;
pub mod clone;
pub mod combine;
pub mod command;
pub mod diff;
mod fresh;
pub mod identity;
mod land;
pub mod location;
pub mod merge;
pub mod mirror;
pub mod name;
mod private;
pub mod probe;
pub mod propose;
pub mod runner;
pub mod secret;
mod target;

pub use bundle::Incoming;
pub use check::{
    Bench, CheckJob, CheckOutcome, CheckReport, CheckSpec, CheckStatus, Checked, Green, RulesPin, check,
    rules_digest,
};
pub use cleanup::ChangeEnd;
pub use clone::{CloneRequest, Start, WorkClone, WorkClones};
pub use combine::Method;
pub use command::{Git, GitError, GitSettings, Refused, RefusedCode};
pub use diff::{FileChange, FileStatus, Stored};
pub use identity::{Identity, Signature};
pub use location::{AllowedRoots, Location};
pub use merge::{How, MergeJob, MergeOutcome, Merged, merge};
pub use mirror::{Mirror, Mirrors, Source};
pub use name::{Branch, Key, Oid};
pub use probe::Probe;
pub use propose::{Proposal, ProposeRequest, propose};
pub use runner::{Ended, LogSink, Program, Runner, Running};
pub use secret::Finding;
pub use target::TargetKind;
