//! Floor 3: deeds. Use cases, the one door, background services. Knows no transport.

pub mod act;
pub mod agent;
pub mod artifact;
pub mod audit;
pub mod bell;
pub mod board;
pub mod change;
pub mod clock;
pub mod copy;
mod custody;
mod damage;
pub mod dead_letter;
pub mod door;
pub mod engine;
pub mod event;
pub mod gate;
pub mod inbox;
pub mod journal;
pub mod memory;
pub mod metric;
pub mod migrate;
pub mod once;
pub mod outgoing;
pub mod pipeline;
pub mod place;
pub mod queue;
pub mod readers;
pub mod repository;
pub mod reserve;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod search;
pub mod service;
pub mod share;
pub mod sign_in;
pub mod system;
pub mod task;
pub mod template;
pub mod token;

pub use act::{Act, Effect, Pass};
pub use door::Urgency;
pub use engine::{Bytes, Engine, OpenError, Options};
pub use share::Sharing;
/// What a database says about itself, for `doctor`.
pub use tiltyard_store::postgres::examine;
pub use tiltyard_store::sqlite::Durability;
/// Bytes by their digest, the logs of attempts, and where both lie.
pub use tiltyard_store::{blob, depot, log};
