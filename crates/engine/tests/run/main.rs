//! Runs of pipelines through the real door, on a real store, with a clock that is moved by hand. No service runs: what a
//! service would do, a test does.

mod begin;
mod call;
mod cancel;
mod flow;
mod gate;
mod list;
mod output;
mod rerun;
mod rig;
mod time;
