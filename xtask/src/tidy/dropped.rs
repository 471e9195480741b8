//! Dropped errors: each says why it may be dropped.

use super::{Finding, House, Law};
use crate::rust_text::{RustText, line_of};
use regex::Regex;

pub(super) const LAW: Law = Law {
    name: "dropped-error",
    why: "a swallowed error looks like success to everybody who comes later",
    mend: "return it or record it; where it truly tells nothing, say why in a comment right above",
    check,
};

/// How far above a dropped error its reason may stand, in lines.
const REASON_LINES: usize = 4;

fn check(house: &House) -> Vec<Finding> {
    let pattern = Regex::new(r"let _ = |\.ok\(\);").expect("the pattern is a constant");
    house.rust.iter().flat_map(|rust| drops(house, rust, &pattern)).collect()
}

fn drops(house: &House, rust: &RustText, pattern: &Regex) -> Vec<Finding> {
    let lines: Vec<&str> = house.tree.text(&rust.path).unwrap_or_default().lines().collect();
    let statements = pattern.find_iter(&rust.product).filter(|found| !is_bound(&rust.product, found.start()));
    let places = statements.map(|found| line_of(&rust.product, found.start()));
    let silent = places.filter(|line| !has_reason(&lines, *line));
    silent.map(|line| Finding::new(&rust.path, line, "drops what it returns without a reason")).collect()
}

/// Whether the `.ok()` that ends here gives a value to a name: then nothing is dropped.
fn is_bound(code: &str, at: usize) -> bool {
    let start = code[..at].rfind([';', '{', '}']).map_or(0, |before| before + 1);
    let statement = code[start..].trim_start();
    !statement.starts_with("let _ =") && code[start..at].contains(" = ")
}

fn has_reason(lines: &[&str], line: usize) -> bool {
    let first = line.saturating_sub(REASON_LINES + 1);
    lines.get(first..line.min(lines.len())).is_some_and(|near| near.iter().any(|text| text.contains("//")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_errors_need_a_reason() {
        let breaches = |text: &str| check(&House::of(&[("crates/x/src/a.rs", text)])).len();
        assert_eq!(breaches("fn a() {\n    let _ = send();\n}"), 1);
        assert_eq!(breaches("fn a() {\n    send().ok();\n}"), 1);
        assert_eq!(breaches("fn a() {\n    // Nobody listens any more.\n    let _ = send();\n}"), 0);
        assert_eq!(breaches("fn a() {\n    let found = send().ok();\n    x = read().ok();\n}"), 0);
        assert_eq!(breaches("#[cfg(test)]\nmod tests { fn a() { let _ = send(); } }"), 0);
    }
}
