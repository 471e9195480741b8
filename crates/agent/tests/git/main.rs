//! The agent's git work with real repositories in temporary folders: nothing here is faked but the check runner,
//! which is the plug for the agent's own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
mod checks;
mod desk;
mod foreign;
mod merging;
mod owner;
mod proof;
mod proposal;
mod repository;
mod targets;
mod trouble;
mod world;
