//! The rest: what a diff should not be bothered with.

use super::{Finding, House, Law};
use crate::tree::File;

pub(super) const LAW: Law = Law {
    name: "plain-text",
    why: "a diff should show meaning: stray blanks, other line ends, merge leftovers and big binaries only hide it",
    mend: "strip the blanks, end the file with one line break, finish the merge, keep large files out of git",
    check,
};

/// Largest file that is not text, in bytes.
const MAX_BINARY_BYTES: u64 = 512 * 1024;
/// Endings whose text is ours to keep plain.
const PLAIN: &[&str] = &[".rs", ".sql", ".toml", ".md", ".sh", ".json", ".yml", ".yaml", "Makefile"];

fn check(house: &House) -> Vec<Finding> {
    let files = house.tree.files.iter().filter(|file| PLAIN.iter().any(|ending| file.path.ends_with(ending)));
    let mut findings: Vec<Finding> = files.flat_map(faults).collect();
    let big = house.tree.binary.iter().filter(|(_, bytes)| *bytes > MAX_BINARY_BYTES);
    findings
        .extend(big.map(|(path, bytes)| Finding::new(path, 0, format!("{bytes} bytes that are not text"))));
    findings
}

fn faults(file: &File) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (index, line) in file.text.split('\n').enumerate() {
        let what = if line.ends_with(['\r', ' ', '\t']) {
            "ends in blanks"
        } else if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            "is left over from a merge"
        } else {
            continue;
        };
        findings.push(Finding::new(&file.path, index + 1, what));
    }
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        findings.push(Finding::new(&file.path, 0, "does not end with one line break"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_plain() {
        let breaches = |text| check(&House::of(&[("docs/a.md", text)])).len();
        assert_eq!(breaches("a\nb\n"), 0);
        for text in ["a \n", "a\r\n", "a", "a\n\n", "<<<<<<< HEAD\n"] {
            assert_eq!(breaches(text), 1, "{text:?}");
        }
    }
}
