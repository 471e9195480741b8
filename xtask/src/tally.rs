//! The tally: how many tests passed and failed, read from what the test runners print.

use regex::Regex;
use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    /// Failed or timed out.
    pub(crate) failed: u64,
    /// Not run: filtered out by the runner's settings or marked as such.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The tally of one printed line; none when it is no summary of cargo test or of nextest.
pub(crate) fn of_line(line: &str) -> Option<Tally> {
    let colour = Regex::new("\u{1b}\\[[0-9;]*m").expect("the pattern is a constant");
    let plain = colour.replace_all(line, "");
    let is_nextest = plain.trim_start().starts_with("Summary [") && plain.contains(" run: ");
    // An indented one is what nextest repeats of a single test's own output.
    if !is_nextest && !plain.starts_with("test result: ") {
        return None;
    }
    let count = |words: &[&str]| words.iter().map(|word| number_before(&plain, word)).sum();
    Some(Tally {
        passed: count(&["passed"]),
        failed: count(&["failed", "timed out", "exec failed"]),
        skipped: count(&["skipped", "ignored"]),
    })
}

/// The number right before a word, 0 without one.
fn number_before(line: &str, word: &str) -> u64 {
    let pattern = Regex::new(&format!(r"(\d+) {word}\b")).expect("a word makes a pattern");
    pattern.captures(line).and_then(|found| found[1].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(line: &str) -> Option<(u64, u64, u64)> {
        of_line(line).map(|tally| (tally.passed, tally.failed, tally.skipped))
    }

    #[test]
    fn summaries_of_both_runners_are_read() {
        let nextest =
            "     Summary [   1.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(numbers(nextest), Some((9, 3, 4)));
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.007s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32mpassed\u{1b}[0m, 0 skipped";
        assert_eq!(numbers(coloured), Some((1, 0, 0)));
        let cargo = "test result: FAILED. 5 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(numbers(cargo), Some((5, 1, 2)));
    }

    #[test]
    fn other_lines_are_no_summary() {
        let repeated = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 64 filtered out";
        for line in ["", "test a ... ok", "3 passed", "Summary of 3 passed", repeated] {
            assert_eq!(numbers(line), None, "{line}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally::default();
        sum += Tally { passed: 1, failed: 2, skipped: 3 };
        sum += Tally { passed: 1, failed: 0, skipped: 0 };
        assert_eq!(sum.to_string(), "2 passed, 2 failed, 3 skipped");
    }
}
