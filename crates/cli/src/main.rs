//! The binary `tiltyard`.

fn main() {}
