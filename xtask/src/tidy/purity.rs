//! Purity: the rules know no world.

use super::{Finding, House, Law};

pub(super) const LAW: Law = Law {
    name: "purity",
    why: "a rule without clock, disk, network and chance can be tested exhaustively and replayed from a seed",
    mend: "take the time, the random number or the bytes as an argument, and leave the reading to the engine or an edge",
    check,
};

/// What `model` may not name.
const WORLDLY: &[&str] = &[
    "tokio",
    "async",
    ".await",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime",
    "Instant",
    "rand",
    "getrandom",
    "println",
    "eprintln",
    "Mutex",
    "RwLock",
    "thread_local",
    "rusqlite",
];

fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in house.krate("model") {
        for word in WORLDLY {
            let lines = rust.product_lines_with(word);
            findings.extend(
                lines.into_iter().map(|line| Finding::new(&rust.path, line, format!("`{word}` in `model`"))),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> usize {
        check(&House::of(&[(path, text)])).len()
    }

    #[test]
    fn the_world_is_kept_out_of_the_rules() {
        for worldly in ["use std::fs;", "async fn a() {}", "fn a() { Instant::now() }", "use tokio::x;"] {
            assert_eq!(breaches("crates/model/src/x.rs", worldly), 1, "{worldly}");
        }
        assert_eq!(breaches("crates/model/src/x.rs", "/// An Instant, `rand`.\nfn operand() {}"), 0);
        assert_eq!(breaches("crates/engine/src/x.rs", "use tokio::x;"), 0);
    }
}
