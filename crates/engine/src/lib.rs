//! Floor 3: deeds. Use cases, the one door, background services. Knows no transport.

pub mod act;
pub mod agent;
pub mod bell;
pub mod change;
pub mod clock;
pub mod dead_letter;
pub mod door;
pub mod memory;
pub mod metric;
pub mod task;
