//! Floor 4: the HTTP face.

pub mod edge;
pub mod problem;
