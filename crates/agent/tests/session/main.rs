//! The session: a real host, real programs, real sockets, and a server that says what the test wants.

#![expect(clippy::panic, reason = "a helper of a test fails by panicking, as the test does")]

mod end;
mod hub;
mod log;
mod rig;
mod settle;
mod stop;
mod talk;
