//! Floor 2: rows. The only SQL, in twin folders per database; one face a noun.
//!
//! A face is written once, against [`Rows`]; what differs between databases stands in the SQL files. Row types are
//! private to their file: a face takes and gives words of `model`.

pub mod agent;
pub mod artifact;
pub mod audit;
mod backend;
pub mod blob;
pub mod change;
pub mod copy;
pub mod dead_letter;
mod deadline;
pub mod depot;
pub mod error;
pub mod event;
pub mod forge;
pub mod gate;
pub mod idempotency;
pub mod inbox;
pub mod journal;
pub mod leader;
pub mod log;
pub mod meta;
pub mod migration;
pub mod name;
pub mod pipeline;
pub mod postgres;
pub mod repository;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod search;
pub mod server;
pub mod sign_in;
pub mod sqlite;
pub mod store;
pub mod task;
pub mod template;
pub mod token;
pub mod unique;
pub mod writer;

pub use error::{Error, Result};
pub use rows::{Rows, Tx};
pub use store::Store;
pub use writer::{Beside, Fate, Reader, Writer};
