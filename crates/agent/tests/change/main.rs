//! Changes from the payload to the merged branch: real git, real programs, and a shelf for artifacts that stands in
//! for the server.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by panicking, as the test does"
)]

mod change;
mod git_task;
mod handed;
mod rig;
mod shelf;
mod tidy;
#[allow(dead_code, reason = "the git tests use all of it")]
#[path = "../git/world.rs"]
mod world;
