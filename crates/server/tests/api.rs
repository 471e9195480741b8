//! The API as its callers see it: stories on real servers at port 0, over real HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

#[path = "api/support.rs"]
mod support;

#[path = "api/agent.rs"]
mod agent;
#[path = "api/artifact.rs"]
mod artifact;
#[path = "api/change.rs"]
mod change;
#[path = "api/log.rs"]
mod log;
#[path = "api/once.rs"]
mod once;
#[path = "api/record.rs"]
mod record;
#[path = "api/system.rs"]
mod system;
#[path = "api/task.rs"]
mod task;
