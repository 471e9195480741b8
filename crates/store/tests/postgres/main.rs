//! What only a shared store has: the lock, the journal, connections that are lost.

mod copy;
mod face;
mod line;
mod loss;
mod plan;
mod rig;
mod schema;
mod tls;
