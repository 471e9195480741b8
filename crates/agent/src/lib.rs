//! Floor 4: the machine face. Runs work on a host.

pub mod attempt;
pub mod executor;
pub mod git;
pub mod host;
pub mod log;
pub mod outbox;
pub mod outcome;
pub mod process;
pub mod progress;
pub mod session;
pub mod shim;
pub mod slots;
pub mod stop;
mod token;
pub mod workspace;
