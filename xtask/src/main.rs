//! Tools in our own language.

fn main() {}
