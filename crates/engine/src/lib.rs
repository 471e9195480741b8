//! Floor 3: deeds. Use cases, the one door, background services. Knows no transport.

pub mod act;
pub mod bell;
pub mod clock;
pub mod door;
pub mod memory;
pub mod metric;
