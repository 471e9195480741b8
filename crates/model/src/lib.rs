//! Floor 1: words and rules. Pure: no async, clock, SQL, HTTP or randomness; those are arguments.
//!
//! One file a noun; the same file name bears the same noun on every floor above.

pub mod agent;
pub mod audit;
pub mod change;
pub mod dead_letter;
pub mod event;
pub mod gate;
pub mod id;
pub mod lane;
pub mod nearest;
pub mod patch;
pub mod pipeline;
pub mod queue;
pub mod refusal;
pub mod repository;
pub mod role;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod scope;
pub mod search;
pub mod secret;
pub mod sign_in;
pub mod slug;
pub mod task;
pub mod template;
pub mod text;
pub mod time;
pub mod token;
pub mod visible;
