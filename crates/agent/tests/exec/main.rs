//! Running work for real: real processes, real files, a real kernel.

#![expect(clippy::panic, reason = "a helper of a test fails by panicking, as the test does")]

mod command;
mod confinement;
mod host;
mod log;
mod outbox;
mod process;
mod rig;
mod tree;
mod workspace;
