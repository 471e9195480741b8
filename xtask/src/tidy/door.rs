//! The door: one place opens write transactions.

use super::{Finding, House, Law};

pub(super) const LAW: Law = Law {
    name: "door",
    why: "one place that writes is where the event and the audit entry are made too; a second one could change state silently",
    mend: "make it an intent and send it through the door (engine/src/door.rs); reads use a reader's connection",
    check,
};

/// What opens a write transaction, or the connection that could.
const OPENERS: &[&str] = &[
    "TransactionBehavior::Immediate",
    "TransactionBehavior::Exclusive",
    "begin_write",
    "open_writer",
    "Writer::open",
];

/// Where that may stand: the door itself, and the store that it calls.
const PLACES: &[&str] = &["crates/engine/src/door.rs", "crates/engine/src/door/", "crates/store/src/"];

fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in house.rust.iter().filter(|rust| !PLACES.iter().any(|place| rust.path.starts_with(place))) {
        for word in OPENERS {
            let lines = rust.product_lines_with(word);
            findings.extend(
                lines
                    .into_iter()
                    .map(|line| Finding::new(&rust.path, line, format!("`{word}` outside of the door"))),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_door_writes() {
        let text = "fn a() { store.begin_write() }";
        assert_eq!(check(&House::of(&[("crates/engine/src/task.rs", text)])).len(), 1);
        assert_eq!(check(&House::of(&[("crates/engine/src/door.rs", text)])).len(), 0);
        assert_eq!(check(&House::of(&[("crates/engine/src/door/batch.rs", text)])).len(), 0);
    }
}
