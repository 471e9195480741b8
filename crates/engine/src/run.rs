//! Runs of pipelines at work (D20 to D22, D28). The rules are `model::run`; here they are written down, and what they say is
//! to be done is done.
//!
//! Each outcome is two transactions. [`advance`] is in the transaction of whatever brought it: memory, rows, events, stops, times.
//! What may begin is kept as that. A moment later [`prepare`] looks at conditions, fields and lists outside of the door, and
//! [`begin`] lets it begin in one deed, where the run has not moved on meanwhile. A server that dies between the two finds in
//! the rows what is to begin, and so does every other.

pub(crate) mod advance;
pub(crate) mod begin;
pub(crate) mod call;
pub mod cancel;
mod carry;
mod child;
pub mod due;
mod event;
mod feedback;
mod fields;
mod find;
pub(crate) mod gate;
mod item;
pub mod judge;
pub(crate) mod load;
mod names;
mod pins;
pub(crate) mod prepare;
pub mod read;
pub mod rerun;
pub mod start;
pub(crate) mod stop;
pub(crate) mod task;
mod thing;
pub(crate) mod wait;
mod work;

pub use begin::MAX_BEGUN;
pub use start::{Asked, Begin, Cause, Source, Start, Which};
/// A run as it is kept.
pub use tiltyard_store::run::Found;
