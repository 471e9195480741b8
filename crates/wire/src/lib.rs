//! Floor 2: sentences. Requests, views, frames, problems, and the one table of endpoints.
//!
//! Bodies of requests are strict (API7): an unknown field is refused. Views, frames and events are lenient:
//! an unknown field is ignored.

pub mod agent;
pub mod artifact;
pub mod audit;
pub mod board;
pub mod change;
pub mod contract;
pub mod dead_letter;
pub mod endpoint;
pub mod event;
pub mod frame;
pub mod gate;
pub mod health;
pub mod inbox;
pub mod page;
pub mod pipeline;
pub mod problem;
pub mod queue;
pub mod repository;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod search;
pub mod sign_in;
pub mod system;
pub mod task;
pub mod template;
pub mod time;
pub mod token;

/// The words that sentences are made of: client and agent know the model only through this.
pub use tiltyard_model as model;
/// Payloads and results of changes and of the internal `git.` tasks.
pub use tiltyard_model::change::work;
