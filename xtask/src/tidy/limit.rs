//! Limits: no queue without one.

use super::{Finding, House, Law};

pub(super) const LAW: Law = Law {
    name: "limit",
    why: "a channel without a bound turns one slow reader into a server without memory",
    mend: "use a bounded channel whose bound is a named constant with its unit (`MAX_QUEUED_FRAMES`), and say what happens when it is full",
    check,
};

const UNBOUNDED: &[&str] = &["unbounded_channel", "UnboundedSender", "unbounded", "mpsc::channel()"];

fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in house.rust.iter().filter(|rust| rust.krate() != "xtask") {
        for word in UNBOUNDED {
            let lines = rust.product_lines_with(word);
            findings.extend(
                lines
                    .into_iter()
                    .map(|line| Finding::new(&rust.path, line, format!("`{word}` has no limit"))),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_bounded() {
        let breaches = |text| check(&House::of(&[("crates/engine/src/x.rs", text)])).len();
        assert_eq!(breaches("fn a() { mpsc::unbounded_channel() }"), 1);
        assert_eq!(breaches("fn a() { mpsc::channel() }"), 1);
        assert_eq!(breaches("fn a() { mpsc::channel(MAX_FRAMES); mpsc::sync_channel(1) }"), 0);
    }
}
