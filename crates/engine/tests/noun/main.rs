//! The smaller nouns through the real door, on a real store, with a clock that is moved by hand.

mod desk;
mod event;
mod follow;
mod once;
mod queue;
#[path = "../task/rig.rs"]
#[expect(dead_code, reason = "the tests of tasks use the rest of it")]
mod rig;
mod scope;
mod template;
mod token;
