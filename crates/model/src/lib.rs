//! Floor 1: words and rules. Pure: no async, clock, SQL, HTTP or randomness.
