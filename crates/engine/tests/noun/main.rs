//! The smaller nouns through the real door, on a real store, with a clock that is moved by hand.

mod artifact;
mod audit;
mod dead_letter;
mod dead_letter_bytes;
mod dead_letter_group;
mod desk;
mod event;
mod follow;
mod gate;
mod gate_patch;
mod inbox;
mod once;
mod pipeline;
mod queue;
#[path = "../task/rig.rs"]
mod rig;
mod schedule;
mod scope;
mod sign_in;
mod template;
mod token;
