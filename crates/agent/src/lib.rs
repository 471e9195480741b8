//! Floor 4: the machine face. Runs work on a host.
