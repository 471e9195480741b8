//! Names: files are called what they hold.

use super::{Finding, House, Law};

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
}
