//! `tiltyard agent`, the binary itself, against a real server.

#![expect(clippy::panic, reason = "a helper of a test fails by panicking, as the test does")]

mod join;
mod machine;
mod run;
