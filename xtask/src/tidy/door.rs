//! The door: one place opens write transactions.

use super::{Finding, House, Law};

pub(super) const LAW: Law = Law {
    name: "door",
    why: "one place that writes is where the event and the audit entry are made too; a second one could change state silently",
    mend: "make it an intent and send it through the door (engine/src/door.rs); reads use a reader's connection",
    check,
};

/// Opens a write transaction, and may be had by the door alone: the store's one connection that writes.
const WRITER: &str = "Writer";
const DOOR: &[&str] = &["crates/engine/src/door.rs", "crates/engine/src/door/"];

fn check(house: &House) -> Vec<Finding> {
    let others = house.krate("engine").filter(|rust| !DOOR.iter().any(|place| rust.path.starts_with(place)));
    let told = |path: &str, line| Finding::new(path, line, format!("`{WRITER}` outside of the door"));
    others
        .flat_map(|rust| rust.product_lines_with(WRITER).into_iter().map(|line| told(&rust.path, line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_door_writes() {
        let text = "fn a(writer: &Writer) { writer.begin() }";
        assert_eq!(check(&House::of(&[("crates/engine/src/task.rs", text)])).len(), 1);
        assert_eq!(check(&House::of(&[("crates/engine/src/door.rs", text)])).len(), 0);
        assert_eq!(check(&House::of(&[("crates/engine/src/door/batch.rs", text)])).len(), 0);
    }
}
