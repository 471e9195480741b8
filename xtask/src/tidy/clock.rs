//! The clock: one place reads the time that decisions are made with.

use super::{Finding, House, Law};
use crate::rust_text::RustText;

pub(super) const LAW: Law = Law {
    name: "clock",
    why: "a decision that reads the clock itself cannot be replayed from a seed, and a jump of the wall clock would end leases",
    mend: "take `now` as an argument from engine/src/clock.rs; an edge that only shows or names the time says so in \
           `#[expect(clippy::disallowed_methods, reason = \"…\")]`",
    check,
};

const WALL: &[&str] = &["SystemTime::now", "Timestamp::now", "Zoned::now"];
const MONOTONIC: &str = "Instant::now";
/// Floors that decide: not even the monotonic clock.
const DECIDING: &[&str] = &["model", "wire", "store", "engine"];
const HOME: &str = "crates/engine/src/clock.rs";

/// Places on deciding floors that measure with the steady clock, and why nothing is decided by it there.
const MEASURING: &[(&str, &str)] = &[
    (
        "crates/store/src/deadline.rs",
        "when a read is given up: it fails as a whole, nothing else comes of it",
    ),
    ("crates/engine/src/door.rs", "how long a deed took, for the metrics"),
    (
        "crates/engine/src/door/",
        "how long a batch took and may still grow: the same deeds are done, in this commit or the next",
    ),
];

fn check(house: &House) -> Vec<Finding> {
    house.rust.iter().filter(|rust| rust.path != HOME).flat_map(readings).collect()
}

fn readings(rust: &RustText) -> Vec<Finding> {
    let excused = rust.product.contains("disallowed_methods");
    let deciding = DECIDING.contains(&rust.krate());
    let wall = WALL.iter().copied().filter(|_| deciding || !excused);
    let measuring = MEASURING.iter().any(|(place, _)| rust.path.starts_with(place));
    let monotonic = [MONOTONIC].into_iter().filter(|_| deciding && !measuring);
    let told = |word: &str, line| Finding::new(&rust.path, line, format!("`{word}` outside of {HOME}"));
    wall.chain(monotonic)
        .flat_map(|word| rust.product_lines_with(word).into_iter().map(move |line| told(word, line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> usize {
        check(&House::of(&[(path, text)])).len()
    }

    #[test]
    fn deciding_floors_read_no_clock() {
        assert_eq!(breaches("crates/engine/src/task.rs", "fn a() { Instant::now(); SystemTime::now() }"), 2);
        assert_eq!(breaches(HOME, "fn a() { Instant::now(); SystemTime::now() }"), 0);
    }

    #[test]
    fn edges_may_measure_and_must_give_a_reason_to_tell_the_time() {
        let path = "crates/agent/src/x.rs";
        assert_eq!(breaches(path, "fn a() { Instant::now() }"), 0);
        assert_eq!(breaches(path, "fn a() { SystemTime::now() }"), 1);
        let excused = "#[expect(clippy::disallowed_methods, reason = \"x\")]\nfn a() { SystemTime::now() }";
        assert_eq!(breaches(path, excused), 0);
    }
}
