//! Words as sentences: one file a noun.

pub(crate) mod agent;
pub(crate) mod change;
pub(crate) mod dead_letter;
pub(crate) mod event;
pub(crate) mod gate;
pub(crate) mod inbox;
pub(crate) mod queue;
pub(crate) mod repository;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod task;
