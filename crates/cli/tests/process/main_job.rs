//! The main job, whole: `tiltyard up` on a real git repository, ideas handed in and decided with the command line, and
//! what came of it read from the event log and from the repository itself.

#![expect(clippy::panic, reason = "that is how a test fails")]

mod check;
mod conflict;
mod elsewhere;
mod review;
mod shop;
mod target;
