//! Floor 3: the typed Rust caller of the API.
