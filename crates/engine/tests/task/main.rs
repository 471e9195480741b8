//! Tasks through the real door, on a real store, with a clock that is moved by hand.

mod again;
mod anew;
mod attempt;
mod board;
mod claim;
mod dependency;
mod door;
mod history;
mod lease;
mod name;
mod process;
mod recovery;
mod rig;
mod running;
mod submit;
mod version;
