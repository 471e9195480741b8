//! One examination for every database: what a face of the store promises, whatever lies below it.
//!
//! Each test asks [`body::each`] for the databases that there are, and says the same to all of them.

mod artifact;
mod audit;
mod body;
mod change;
mod dead_letter;
mod event;
mod gate;
mod idempotency;
mod inbox;
mod pipeline;
mod repository;
mod run;
mod run_part;
mod schedule;
mod search;
mod sign_in;
mod task;
mod template;
mod token;
