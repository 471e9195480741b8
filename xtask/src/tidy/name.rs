//! Names: files are called what they hold.

use super::{Finding, House, Law};
use std::collections::BTreeMap;

pub(super) const BANNED: Law = Law {
    name: "banned-name",
    why: "a drawer named \"misc\" attracts: whatever has no name of its own ends up there, and nobody finds it again",
    mend: "name the thing (shutdown, shell, redact); if it has no name it has no home, so move it into the noun it serves",
    check: banned,
};

pub(super) const FACE: Law = Law {
    name: "face",
    why: "ten open tabs called mod.rs say nothing; a face `x.rs` beside its folder `x/` bears the noun's own name",
    mend: "rename x/mod.rs to x.rs, or write the face x.rs that says in its first line what the folder is",
    check: faces,
};

pub(super) const SAME: Law = Law {
    name: "same-noun",
    why: "a noun that is `queue` on one floor and `queues` on the next cannot be found by typing its path",
    mend: "give the file the name that `model` (or the lowest floor that has it) uses; commands of `cli` are named as typed",
    check: same,
};

const DRAWERS: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "shared", "stuff", "base", "types",
    "impl",
];

fn banned(house: &House) -> Vec<Finding> {
    let parts = |path: &str| path.split('/').map(stem).map(str::to_owned).collect::<Vec<_>>();
    let drawer =
        |path: &str| parts(path).into_iter().find(|part| DRAWERS.contains(&part.to_lowercase().as_str()));
    let files = house.tree.files.iter().filter(|file| !file.path.ends_with(".md"));
    files
        .filter_map(|file| {
            Some(Finding::new(&file.path, 0, format!("`{}` names nothing", drawer(&file.path)?)))
        })
        .collect()
}

fn stem(part: &str) -> &str {
    part.split('.').next().unwrap_or(part)
}

fn faces(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in &house.rust {
        if rust.path.ends_with("/mod.rs") {
            findings.push(Finding::new(&rust.path, 0, "is a mod.rs"));
        } else if let Some(face) = face_of(&rust.path).filter(|face| !house.tree.has(face)) {
            findings.push(Finding::new(&rust.path, 0, format!("its folder has no face {face}")));
        }
    }
    findings
}

/// `a/src/x.rs` for `a/src/x/y.rs`; none for what lies in `src/` itself, `src/bin/` or `tests/`.
fn face_of(path: &str) -> Option<String> {
    let (root, rest) = path.split_once("/src/")?;
    let (folder, _) = rest.rsplit_once('/')?;
    (folder != "bin").then(|| format!("{root}/src/{folder}.rs"))
}

fn same(house: &House) -> Vec<Finding> {
    let floors = house.rust.iter().filter(|rust| rust.path.starts_with("crates/") && rust.krate() != "cli");
    let sources = floors.map(|rust| rust.path.as_str()).filter(|path| is_noun_place(path));
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for path in sources {
        let name = stem(path.rsplit('/').next().unwrap_or(path));
        let known = first.entry(singular(name)).or_insert(path);
        if stem(known.rsplit('/').next().unwrap_or(known)) != name {
            findings.push(Finding::new(path, 0, format!("is called otherwise than {known}")));
        }
    }
    findings
}

/// Directly in `src/`, or in the folder of routes; parts of a noun further down have names of their own.
fn is_noun_place(path: &str) -> bool {
    let below = path.split_once("/src/").map(|(_, below)| below.trim_start_matches("route/"));
    below.is_some_and(|below| !below.contains('/'))
}

/// What two spellings of one noun have in common.
fn singular(name: &str) -> String {
    name.replace('_', "").trim_end_matches('s').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_refused() {
        for path in ["crates/cli/src/utils.rs", "crates/cli/tests/common/x.rs", "crates/x/src/manager/y.rs"] {
            assert_eq!(banned(&House::of(&[(path, "")])).len(), 1, "{path}");
        }
        assert_eq!(banned(&House::of(&[("crates/cli/src/shutdown.rs", "")])).len(), 0);
    }

    #[test]
    fn folders_have_faces() {
        assert_eq!(faces(&House::of(&[("crates/x/src/a/mod.rs", "")])).len(), 1);
        assert_eq!(faces(&House::of(&[("crates/x/src/a/b.rs", "")])).len(), 1);
        assert_eq!(faces(&House::of(&[("crates/x/src/a/b.rs", ""), ("crates/x/src/a.rs", "")])).len(), 0);
        assert_eq!(faces(&House::of(&[("crates/x/tests/a/b.rs", ""), ("crates/x/src/lib.rs", "")])).len(), 0);
    }

    #[test]
    fn a_noun_has_one_spelling() {
        let at = |path| same(&House::of(&[("crates/model/src/dead_letter.rs", ""), (path, "")])).len();
        assert_eq!(at("crates/server/src/route/dead_letters.rs"), 1);
        assert_eq!(at("crates/store/src/deadletter.rs"), 1);
        assert_eq!(at("crates/store/src/dead_letter.rs"), 0);
        assert_eq!(at("crates/cli/src/command/dead_letters.rs"), 0);
    }
}
