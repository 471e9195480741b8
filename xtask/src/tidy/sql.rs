//! SQL: in files, in twin folders, every one of them used.

use super::{Finding, House, Law};
use crate::rust_text::RustText;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeSet;

pub(super) const PLACE: Law = Law {
    name: "sql-place",
    why: "SQL in files can be read, planned and compared with its twin; SQL in strings hides from all three",
    mend: "move the statement to crates/store/sqlite/<noun>/<verb>.sql and take it in with include_str!",
    check: place,
};

pub(super) const TWINS: Law = Law {
    name: "sql-twins",
    why: "one suite examines both stores: a statement that only one of them has is a behaviour that only one of them has",
    mend: "write the twin under the same path in the other folder; where the other store needs none, it is a comment that says why",
    check: twins,
};

pub(super) const USE: Law = Law {
    name: "sql-use",
    why: "a statement that nothing runs is read, reviewed and migrated for nothing, and a name without a file fails only when it runs",
    mend: "delete the file, or name it where it is used as \"<noun>/<verb>.sql\" or \"<noun>/<verb>\"",
    check: used,
};

const SQLITE: &str = "crates/store/sqlite/";
const POSTGRES: &str = "crates/store/postgres/";
/// xtask names statements in order to find them.
const EXEMPT: &[&str] = &["xtask/"];

fn place(house: &House) -> Vec<Finding> {
    let loud = Regex::new(
        r"\bSELECT\s|\bINSERT\s+(OR\s+\w+\s+)?INTO\b|\bUPDATE\s+\S+\s+SET\b|\bDELETE\s+FROM\b|\b(CREATE|ALTER|DROP)\s+(TABLE|INDEX|TRIGGER|VIEW)\b",
    );
    let quiet =
        RegexBuilder::new(r"^\s*(select\s.*\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s)");
    let quiet = { quiet }.case_insensitive(true).dot_matches_new_line(true).build();
    let (loud, quiet) = (loud.expect("the pattern is a constant"), quiet.expect("the pattern is a constant"));
    let mut findings = Vec::new();
    for rust in house.rust.iter().filter(|rust| !EXEMPT.iter().any(|own| rust.path.starts_with(own))) {
        let literals =
            rust.product_literals().filter(|own| loud.is_match(&own.text) || quiet.is_match(&own.text));
        findings.extend(literals.map(|own| {
            Finding::new(&rust.path, own.line, format!("SQL in a string: {}", first_words(&own.text)))
        }));
    }
    let strays = house.tree.under("", ".sql").filter(|file| folder_of(&file.path).is_none());
    findings.extend(
        strays.map(|file| Finding::new(&file.path, 0, "an SQL file outside of the store's two folders")),
    );
    findings
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(5).collect::<Vec<_>>().join(" ")
}

/// The path below `sqlite/` or `postgres/`.
fn folder_of(path: &str) -> Option<&str> {
    path.strip_prefix(SQLITE).or_else(|| path.strip_prefix(POSTGRES))
}

fn twins(house: &House) -> Vec<Finding> {
    let names = |folder: &str| -> BTreeSet<String> {
        let files = house.tree.files.iter().filter(|file| file.path.ends_with(".sql"));
        files.filter_map(|file| file.path.strip_prefix(folder).map(str::to_owned)).collect()
    };
    let (sqlite, postgres) = (names(SQLITE), names(POSTGRES));
    let lonely = |name: &String, folder| Finding::new(&format!("{folder}{name}"), 0, "has no twin");
    let left = sqlite.difference(&postgres).map(|name| lonely(name, SQLITE));
    left.chain(postgres.difference(&sqlite).map(|name| lonely(name, POSTGRES))).collect()
}

fn used(house: &House) -> Vec<Finding> {
    let named: BTreeSet<String> = house.krate("store").flat_map(names).collect();
    let mut findings = Vec::new();
    for file in house.tree.under("crates/store/", ".sql") {
        let Some(name) = folder_of(&file.path) else { continue };
        if !named.contains(called(name)) {
            findings.push(Finding::new(&file.path, 0, "no source of the store names it"));
        }
    }
    findings.extend(house.krate("store").flat_map(|rust| missing(house, rust)));
    findings
}

/// How sources call a file: without its ending; the two halves of a migration by the number and title they share.
fn called(name: &str) -> &str {
    let name = name.trim_end_matches(".sql");
    let half = name.strip_suffix(".up").or_else(|| name.strip_suffix(".down"));
    half.and_then(|half| half.strip_prefix("migration/")).unwrap_or(name)
}

/// What the literals of a file name, as paths below `sqlite/` without their ending.
fn names(rust: &RustText) -> Vec<String> {
    rust.all_literals()
        .iter()
        .map(|literal| below(&literal.text).trim_end_matches(".sql").to_owned())
        .collect()
}

/// `../sqlite/task/claim.sql`, `/sqlite/task/claim.sql` and `task/claim.sql` are the same file.
fn below(text: &str) -> &str {
    let folder = ["sqlite/", "postgres/"].into_iter().find_map(|folder| text.split_once(folder));
    folder.map_or(text, |(_, rest)| rest)
}

fn missing(house: &House, rust: &RustText) -> Vec<Finding> {
    let sql = rust.product_literals().filter(|own| own.text.ends_with(".sql") && own.text.contains('/'));
    let lost = sql.filter(|own| !house.tree.has(&format!("{SQLITE}{}", below(&own.text))));
    lost.map(|own| Finding::new(&rust.path, own.line, format!("names `{}`, which does not exist", own.text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_stands_in_files() {
        for sql in ["SELECT 1", "a; INSERT OR IGNORE INTO x", "update t set a = 1 ", "delete from t where a"]
        {
            let text = format!("fn a() {{ run(\"{sql}\") }}");
            assert_eq!(place(&House::of(&[("crates/store/src/x.rs", &text)])).len(), 1, "{sql}");
            assert_eq!(place(&House::of(&[("crates/store/tests/x.rs", &text)])).len(), 0, "{sql}");
        }
        for english in ["select one", "cannot update the task", "delete it from the list", "SELECTED"] {
            let text = format!("fn a() {{ say(\"{english}\") }}");
            assert_eq!(place(&House::of(&[("crates/cli/src/x.rs", &text)])).len(), 0, "{english}");
        }
        assert_eq!(place(&House::of(&[("crates/engine/x.sql", "")])).len(), 1);
    }

    #[test]
    fn every_statement_has_its_twin() {
        let one = ("crates/store/sqlite/task/claim.sql", "");
        assert_eq!(twins(&House::of(&[one])).len(), 1);
        assert_eq!(twins(&House::of(&[one, ("crates/store/postgres/task/other.sql", "")])).len(), 2);
        assert!(twins(&House::of(&[one, ("crates/store/postgres/task/claim.sql", "")])).is_empty());
    }

    #[test]
    fn every_statement_is_used_and_every_name_has_its_file() {
        let file = ("crates/store/sqlite/task/claim.sql", "");
        for name in ["../sqlite/task/claim.sql", "task/claim.sql", "task/claim"] {
            let text = format!("const A: &str = sql!(\"{name}\");");
            assert!(used(&House::of(&[file, ("crates/store/src/task.rs", &text)])).is_empty(), "{name}");
        }
        assert_eq!(used(&House::of(&[file])).len(), 1);
        let migration = ("crates/store/sqlite/migration/0001_start.up.sql", "");
        let list = ("crates/store/src/migration.rs", "const A: M = migration!(1, \"0001_start\");");
        assert_eq!(
            (used(&House::of(&[migration, list])).len(), used(&House::of(&[migration])).len()),
            (0, 1)
        );
        let lost = ("crates/store/src/task.rs", "const A: &str = sql!(\"task/lost.sql\");");
        assert_eq!(used(&House::of(&[lost])).len(), 1);
    }
}
