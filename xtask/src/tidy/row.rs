//! Rows: a row type stays in its store file.

use super::{Finding, House, Law};
use crate::rust_text::line_of;

pub(super) const LAW: Law = Law {
    name: "row",
    why: "a row that leaves the store lets a renamed column break whoever reads it; row, word and sentence are three types",
    mend: "make the row private to its file and hand out the word of `model`",
    check,
};

/// Public types that are called rows and hold none, and what they are.
const KEYED: &[(&str, &str)] = &[
    ("LaneRow", "a lane of model with the key it has in this store"),
    ("QueueRow", "a queue's settings of model with the key they have in this store"),
    ("ScopeRow", "a scope of model with the key it has in this store"),
];

fn check(house: &House) -> Vec<Finding> {
    let pattern = regex::Regex::new(r"pub (struct|enum|type) (\w*Row)\b").expect("the pattern is a constant");
    let mut findings = Vec::new();
    for rust in house.krate("store") {
        let rows = pattern
            .captures_iter(&rust.product)
            .filter(|found| !KEYED.iter().any(|(own, _)| *own == &found[2]));
        for found in rows {
            let at = found.get(0).map_or(0, |whole| whole.start());
            findings.push(Finding::new(
                &rust.path,
                line_of(&rust.product, at),
                format!("`{}` is public", &found[2]),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_private() {
        assert_eq!(
            check(&House::of(&[("crates/store/src/task.rs", "pub struct TaskRow { a: u8 }")])).len(),
            1
        );
        assert_eq!(
            check(&House::of(&[("crates/store/src/task.rs", "pub struct LaneRow { a: u8 }")])).len(),
            0
        );
        assert_eq!(check(&House::of(&[("crates/store/src/task.rs", "struct TaskRow { a: u8 }")])).len(), 0);
    }
}
