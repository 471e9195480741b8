//! Floor 3: deeds. Use cases, the one door, background services.
