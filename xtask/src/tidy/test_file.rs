//! Test files: they say what they prove, and wait for signals.

use super::{Finding, House, Law};
use crate::rust_text::{Function, RustText};
use regex::Regex;

pub(super) const LAW: Law = Law {
    name: "test-names-requirement",
    why: "a test that does not say which promise it proves is deleted by the first person it bothers",
    mend: "name the requirement above the test (`// D12: letters are grouped`) or in its name (`fn d12_…`); \
           when there is none, say why: `// No requirement: …`",
    check: unnamed,
};

pub(super) const SLEEP: Law = Law {
    name: "test-sleep",
    why: "a test that sleeps is slow on a fast machine and fails on a slow one",
    mend: "wait for the signal itself (a line, an event, a changed row) with a deadline that only bounds the failure",
    check: sleeps,
};

/// Shorter sleeps are the pause of a loop that looks for a signal.
const MAX_TEST_SLEEP_MS: u64 = 99;

fn unnamed(house: &House) -> Vec<Finding> {
    let named = Regex::new(
        r"(^|[^A-Za-z0-9])(SEC|API|[ACDEMOTW])\d{1,3}([^A-Za-z0-9]|$)|fn (sec|api|[acdemotw])\d{1,3}_",
    )
    .expect("the pattern is a constant");
    let excused = Regex::new(r"// No requirement: \S+ \S+").expect("the pattern is a constant");
    let files =
        house.tree.files.iter().filter(|file| file.path.contains("/tests/") && file.path.ends_with(".rs"));
    let tests = files.filter(|file| file.text.contains("#[test]") || file.text.contains("::test"));
    let silent = tests.filter(|file| !named.is_match(&file.text) && !excused.is_match(&file.text));
    silent.map(|file| Finding::new(&file.path, 0, "names no requirement")).collect()
}

fn sleeps(house: &House) -> Vec<Finding> {
    house.rust.iter().filter(|rust| rust.krate() != "xtask").flat_map(long_sleeps).collect()
}

fn long_sleeps(rust: &RustText) -> Vec<Finding> {
    let pattern = Regex::new(r"sleep\(\s*(std::time::)?Duration::from_(millis|secs)\((\d[\d_]*)\)")
        .expect("the pattern is a constant");
    let lines = rust.test_lines_with("sleep");
    let mut findings = Vec::new();
    for found in pattern.captures_iter(&rust.code) {
        let line = crate::rust_text::line_of(&rust.code, found.get(0).map_or(0, |whole| whole.start()));
        let amount = found[3].replace('_', "").parse::<u64>().unwrap_or(u64::MAX);
        let millis = if &found[2] == "secs" { amount.saturating_mul(1_000) } else { amount };
        if lines.contains(&line) && millis > MAX_TEST_SLEEP_MS && !is_paused(rust, line) {
            findings.push(Finding::new(&rust.path, line, format!("a test sleeps {millis} ms")));
        }
    }
    findings
}

/// Whether the line lies in a test whose clock jumps instead of running (`start_paused`).
fn is_paused(rust: &RustText, line: usize) -> bool {
    let around = rust.functions().into_iter().filter(|own| (own.line..own.line + own.lines).contains(&line));
    let attribute = |own: Function| own.line.checked_sub(2).and_then(|index| rust.code.lines().nth(index));
    around.filter_map(attribute).any(|text| text.contains("start_paused = true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_name_what_they_prove() {
        let breaches = |text| unnamed(&House::of(&[("crates/x/tests/a.rs", text)])).len();
        assert_eq!(breaches("#[test]\nfn a() {}"), 1);
        assert_eq!(breaches("// sha256 and UTF8\n#[tokio::test]\nfn a() {}"), 1);
        assert_eq!(breaches("// SEC3: rights\n#[test]\nfn a() {}"), 0);
        assert_eq!(breaches("#[test]\nfn d12_groups() {}"), 0);
        assert_eq!(breaches("// No requirement: the fixture checks itself\n#[test]\nfn a() {}"), 0);
        assert_eq!(breaches("pub fn only_a_fixture() {}"), 0);
    }

    #[test]
    fn tests_do_not_sleep() {
        let breaches = |path, text| sleeps(&House::of(&[(path, text)])).len();
        assert_eq!(breaches("crates/x/tests/a.rs", "fn a() { sleep(Duration::from_secs(1)) }"), 1);
        assert_eq!(breaches("crates/x/tests/a.rs", "fn a() { sleep(Duration::from_millis(1_000)) }"), 1);
        assert_eq!(breaches("crates/x/tests/a.rs", "fn a() { sleep(Duration::from_millis(10)) }"), 0);
        assert_eq!(breaches("crates/x/src/a.rs", "fn a() { sleep(Duration::from_secs(1)) }"), 0);
        let paused = "#[tokio::test(start_paused = true)]\nasync fn a() { sleep(Duration::from_secs(1)) }";
        assert_eq!(breaches("crates/x/tests/a.rs", paused), 0);
    }
}
