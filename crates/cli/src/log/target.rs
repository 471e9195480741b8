//! The `target` of a line: one of a closed list, whatever module it comes from.

/// Every target (O20).
pub const TARGETS: &[&str] = &[
    "api",
    "scheduler",
    "stage",
    "gate",
    "events",
    "agent",
    "terminal",
    "ui",
    "security",
    "config",
    "store",
    "merge",
];

/// Crates of ours that log without naming a target, and the one that fits.
const CRATES: &[(&str, &str)] = &[
    ("tiltyard_server", "api"),
    ("tiltyard_engine", "scheduler"),
    ("tiltyard_store", "store"),
    ("tiltyard_agent", "agent"),
    ("tiltyard_client", "agent"),
    ("tiltyard_cli", "config"),
    ("tiltyard", "config"),
];

/// Whether the line is of our own making; libraries are heard from `warn` on only.
pub fn is_ours(target: &str) -> bool {
    TARGETS.contains(&target) || of_crate(target).is_some()
}

/// The target to write; lines of libraries go to `api`, with their module as a field of its own.
pub fn resolve(target: &str) -> &'static str {
    let named = TARGETS.iter().find(|known| **known == target).copied();
    named.or_else(|| of_crate(target)).unwrap_or("api")
}

fn of_crate(target: &str) -> Option<&'static str> {
    let name = target.split("::").next().unwrap_or_default();
    CRATES.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o20_every_target_is_of_the_list() {
        for (module, target) in
            [("gate", "gate"), ("tiltyard_engine::door", "scheduler"), ("hyper::proto", "api")]
        {
            assert_eq!(resolve(module), target);
        }
        assert!(CRATES.iter().all(|(_, target)| TARGETS.contains(target)));
        assert!(is_ours("merge") && is_ours("tiltyard_store::sqlite") && !is_ours("rustls::conn"));
    }
}
