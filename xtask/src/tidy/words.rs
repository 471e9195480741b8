//! Words that may not stand in the tree.

use super::{Finding, House, Law};
use crate::tree::File;
use regex::Regex;

pub(super) const UNFINISHED: Law = Law {
    name: "unfinished",
    why: "a note to do it later is a promise nobody made; what is not done is in an issue, and what is switched off proves nothing",
    mend: "do it, or leave the room without a stub; a test is mended or deleted, not ignored",
    check: unfinished,
};

pub(super) const UNSAFE: Law = Law {
    name: "unsafe",
    why: "SEC22: no `unsafe` outside of a listed, reviewed place, and the list is empty",
    mend: "use a library that wraps the call (rustix for system calls), or argue for an entry in the list",
    check: not_safe,
};

pub(super) const MACHINE: Law = Law {
    name: "machine-path",
    why: "a path of one person's machine works nowhere else and tells strangers who built it",
    mend: "use a path from the repository's root, a temporary folder, or an example such as /home/you",
    check: machine,
};

/// Spelled apart, so that this file does not break its own law.
const LATER: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
/// Names of people in examples.
const NOBODY: &[&str] = &["you", "user", "me", "operator", "ada", "grace"];

/// Folders that every machine has.
const EVERYBODYS: &[&str] = &[
    "",
    "/",
    "/home",
    "/Users",
    "/usr",
    "/opt",
    "/srv",
    "/var",
    "/mnt",
    "/usr/src",
    "/usr/local",
    "/usr/local/src",
];

fn unfinished(house: &House) -> Vec<Finding> {
    let pattern = Regex::new(&format!(r"\b({})\b|#\[ignore\b|\btest\.only\b", LATER.join("|")))
        .expect("the pattern is a constant");
    let files = house.tree.files.iter().filter(|file| !is_ours(file) && !file.path.ends_with(".lock"));
    files.flat_map(|file| hits(file, &pattern, |_| true)).collect()
}

/// The laws name what they forbid.
fn is_ours(file: &File) -> bool {
    file.path.starts_with("xtask/src/tidy/")
}

fn not_safe(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in &house.rust {
        let lines = crate::rust_text::RustText::product_lines_with(rust, "unsafe");
        let lines = lines.into_iter().chain(rust.test_lines_with("unsafe"));
        findings.extend(lines.map(|line| Finding::new(&rust.path, line, "`unsafe`")));
    }
    findings
}

fn machine(house: &House) -> Vec<Finding> {
    let anybody = Regex::new(r"(?:^|[^\w./-])/(?:home|Users)/(\w+)").expect("the pattern is a constant");
    let own = own_paths().iter().map(|path| regex::escape(path)).collect::<Vec<_>>().join("|");
    let own = Regex::new(&format!(r"(?:^|[^\w./-])((?:{own})/)")).ok().filter(|_| !own.is_empty());
    let files = house.tree.files.iter().filter(|file| !is_ours(file));
    files
        .flat_map(|file| {
            let mut found = hits(file, &anybody, |name| !NOBODY.contains(&name));
            found.extend(own.iter().flat_map(|own| hits(file, own, |_| true)));
            found
        })
        .collect()
}

/// Where this tree lies and who works here, when that is telling.
fn own_paths() -> Vec<String> {
    let root = crate::tree::root();
    let places = root.ancestors().take(2).map(|path| path.display().to_string());
    let home = std::env::var("HOME").ok();
    places
        .chain(home)
        .filter(|path| !EVERYBODYS.contains(&path.as_str()) && !path.starts_with("/tmp"))
        .collect()
}

/// Where the pattern hits, when its first group (or the whole) is worth telling.
fn hits(file: &File, pattern: &Regex, worth: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let Some(found) = pattern.captures(line) else { continue };
        let word = found.get(1).or_else(|| found.get(0)).map_or("", |word| word.as_str());
        if worth(word) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                format!("`{}`", found.get(0).map_or("", |all| all.as_str())),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(check: fn(&House) -> Vec<Finding>, text: &str) -> usize {
        check(&House::of(&[("crates/x/src/a.rs", text)])).len()
    }

    #[test]
    fn notes_for_later_are_refused() {
        for note in LATER {
            assert_eq!(breaches(unfinished, &format!("// {note}: later")), 1, "{note}");
        }
        assert_eq!(breaches(unfinished, "#[ignore = \"slow\"]"), 1);
        assert_eq!(breaches(unfinished, "// a mastodon ignores it"), 0);
    }

    #[test]
    fn sec22_unsafe_is_refused_in_code_and_not_in_words() {
        assert_eq!(breaches(not_safe, "fn a() { unsafe { b() } }"), 1);
        assert_eq!(breaches(not_safe, "#[cfg(test)]\nmod tests { unsafe fn a() {} }"), 1);
        assert_eq!(breaches(not_safe, "// unsafe\n#![forbid(unsafe_code)]"), 0);
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        assert_eq!(breaches(machine, "let a = \"/home/jrandom/x\";"), 1);
        assert_eq!(breaches(machine, "let a = \"/home/you/x\";"), 0);
        assert_eq!(breaches(machine, "cat /proc/1/home/root/x"), 0);
        let here = crate::tree::root().join("x").display().to_string();
        let telling = !here.starts_with("/tmp");
        assert_eq!(breaches(machine, &format!("let a = \"{here}\";")), usize::from(telling));
    }
}
