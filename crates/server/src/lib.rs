//! Floor 4: the HTTP face.
