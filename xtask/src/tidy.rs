//! Tidy: the laws of the house, each with its reason. `cargo xtask tidy`, and a test of this crate, run them.

mod clock;
mod door;
mod dropped;
mod floors;
mod glossary;
mod limit;
mod link;
mod manifest;
mod name;
mod package;
mod problem_page;
mod process;
mod purity;
mod report;
mod rest;
mod row;
mod size;
mod sql;
mod test_file;
mod version;
mod words;

use crate::rust_text::RustText;
use crate::tree::Tree;
use anyhow::Result;
use std::process::ExitCode;

/// One breach of a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// 0 when it is about the whole file.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

/// A law: a check and the reason for it.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    /// Why it is a law.
    pub(crate) why: &'static str,
    /// What to do about a breach.
    pub(crate) mend: &'static str,
    check: fn(&House) -> Vec<Finding>,
}

/// What the laws look at.
pub(crate) struct House {
    pub(crate) tree: Tree,
    pub(crate) rust: Vec<RustText>,
}

impl House {
    /// Takes every Rust file of the tree apart.
    pub(crate) fn new(tree: Tree) -> Self {
        let rust = tree.under("", ".rs").map(|file| RustText::new(&file.path, &file.text)).collect();
        Self { tree, rust }
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::new(Tree::of(files))
    }

    /// Rust files of one crate.
    fn krate<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a RustText> {
        self.rust.iter().filter(move |rust| rust.krate() == name)
    }
}

/// Every law, in the order they are told.
pub(crate) const LAWS: &[Law] = &[
    floors::LAW,
    manifest::LAW,
    purity::LAW,
    door::LAW,
    clock::LAW,
    process::LAW,
    row::LAW,
    sql::PLACE,
    sql::TWINS,
    sql::USE,
    limit::LAW,
    dropped::LAW,
    size::LAW,
    size::RATCHET,
    name::BANNED,
    name::FACE,
    name::SAME,
    problem_page::LAW,
    test_file::LAW,
    test_file::SLEEP,
    words::UNFINISHED,
    words::UNSAFE,
    words::MACHINE,
    rest::LAW,
    version::LAW,
    glossary::LAW,
    link::LAW,
    package::COUNT,
    package::LICENCE,
    package::DUPLICATE,
    package::BANNED,
    package::SOURCE,
];

/// Checks everything and tells.
pub(crate) fn run() -> Result<ExitCode> {
    let house = House::new(Tree::read(&crate::tree::root())?);
    let broken: Vec<String> = LAWS.iter().filter_map(|law| verdict(law, &house)).collect();
    println!("{}", report::figures(&house));
    if broken.is_empty() {
        println!("tidy: {} laws kept by {} files", LAWS.len(), house.tree.files.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("\n{}\ntidy: {} of {} laws broken", broken.join("\n"), broken.len(), LAWS.len());
    Ok(ExitCode::FAILURE)
}

/// What one law has to say; nothing when it is kept.
fn verdict(law: &Law, house: &House) -> Option<String> {
    let findings = (law.check)(house);
    if findings.is_empty() {
        return None;
    }
    let mut text = format!("[{}] because {}\n", law.name, law.why);
    for finding in findings {
        let line = if finding.line == 0 { String::new() } else { format!(":{}", finding.line) };
        text += &format!("  {}{line}: {}\n", finding.path, finding.what);
    }
    Some(text + &format!("  To mend: {}\n", law.mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC22 (no `unsafe`), API2 (a page for each code), and the laws of ARCHITECTURE.md, on the real tree.
    #[test]
    fn the_house_keeps_its_laws() {
        let house = House::new(Tree::read(&crate::tree::root()).expect("the workspace is a git repository"));
        let broken: Vec<String> = LAWS.iter().filter_map(|law| verdict(law, &house)).collect();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }

    #[test]
    fn a_verdict_tells_place_reason_and_remedy() {
        let house = House::of(&[("crates/model/src/x.rs", "// nothing\nfn a() { std::fs::read(1) }\n")]);
        let text = verdict(&purity::LAW, &house).expect("is broken");
        assert!(
            text.contains("because") && text.contains("crates/model/src/x.rs:2") && text.contains("To mend")
        );
        assert_eq!(verdict(&purity::LAW, &House::of(&[])), None);
    }

    #[test]
    fn names_of_laws_are_unique_and_reasons_are_told() {
        let mut names: Vec<_> = LAWS.iter().map(|law| law.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LAWS.len());
        assert!(LAWS.iter().all(|law| law.why.len() > 30 && law.mend.len() > 20));
    }
}
