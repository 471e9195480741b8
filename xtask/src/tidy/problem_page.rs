//! Problem pages: each error code has its page, and each page its code.

use super::{Finding, House, Law};
use crate::tree::Tree;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const LAW: Law = Law {
    name: "problem-page",
    why: "a code is what a person searches for when something was refused; a page that is missing or wrong leaves them alone",
    mend: "write docs/problem/<code>.md in the shape of docs/problem/not_found.md; its example's code, title and status are those of refusal.rs",
    check,
};

const CODES: &str = "crates/model/src/refusal.rs";
const FOLDER: &str = "docs/problem/";
/// What every page tells, in this order.
const SECTIONS: &[&str] = &["## What it means", "## When it happens", "## What to do", "## Example"];

/// A code as `refusal.rs` declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    word: String,
    title: String,
    status: Option<u64>,
}

fn check(house: &House) -> Vec<Finding> {
    let Some(source) = house.tree.text(CODES) else { return Vec::new() };
    let codes = codes(source);
    if codes.is_empty() {
        return vec![Finding::new(CODES, 0, "holds no `codes!` that tidy can read")];
    }
    let mut findings: Vec<Finding> = codes.iter().flat_map(|code| page(&house.tree, code)).collect();
    let orphans = house
        .tree
        .under(FOLDER, ".md")
        .filter(|file| !codes.iter().any(|code| file.path == path_of(&code.word)));
    findings.extend(orphans.map(|file| Finding::new(&file.path, 0, "there is no such code")));
    findings
}

fn path_of(code: &str) -> String {
    format!("{FOLDER}{code}.md")
}

fn page(tree: &Tree, code: &Code) -> Vec<Finding> {
    let path = path_of(&code.word);
    let faults = tree.text(&path).map_or_else(|| vec!["is missing".to_owned()], |text| faults(text, code));
    faults.into_iter().map(|what| Finding::new(&path, 0, what)).collect()
}

fn faults(text: &str, code: &Code) -> Vec<String> {
    let mut faults = Vec::new();
    if text.lines().next() != Some(&format!("# `{}`: {}", code.word, lower_first(&code.title))) {
        faults.push(format!("its first line is not \"# `{}`: {}\"", code.word, lower_first(&code.title)));
    }
    let places: Vec<_> = SECTIONS.iter().map(|section| text.find(section)).collect();
    if places.contains(&None) || !places.is_sorted() {
        faults.push(format!("its sections are not {}", SECTIONS.join(", ")));
    }
    match example(text) {
        None => faults.push("its example is not a JSON document in a ```json block".to_owned()),
        Some(example) => faults.extend(example_faults(&example, code)),
    }
    faults
}

fn lower_first(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn example(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once("```json\n")?;
    let (json, _) = rest.split_once("```")?;
    serde_json::from_str(json).ok()
}

fn example_faults(example: &Value, code: &Code) -> Vec<String> {
    let mut wanted = vec![
        ("type", Value::from(format!("/docs/problem/{}", code.word))),
        ("code", Value::from(code.word.as_str())),
        ("title", Value::from(code.title.as_str())),
    ];
    wanted.extend(code.status.map(|status| ("status", Value::from(status))));
    let wrong = wanted.into_iter().filter(|(name, value)| example.get(name) != Some(value));
    let mut faults: Vec<String> =
        wrong.map(|(name, value)| format!("its example's `{name}` is not {value}")).collect();
    let lost = ["detail", "error", "request_id"].into_iter().filter(|name| example.get(name).is_none());
    faults.extend(lost.map(|name| format!("its example has no `{name}`")));
    faults
}

/// The codes that `codes!` lists, with the status that the doc comment of their kind names.
fn codes(source: &str) -> Vec<Code> {
    let statuses = statuses(source);
    let Some((_, list)) = source.split_once("\ncodes! {") else { return Vec::new() };
    let pattern =
        regex::Regex::new(r#"///\s*(.+)\n\s*\w+ = "(\w+)", (\w+);"#).expect("the pattern is a constant");
    let code = |found: regex::Captures<'_>| Code {
        title: found[1].trim().to_owned(),
        word: found[2].to_owned(),
        status: statuses.get(&found[3]).copied(),
    };
    pattern.captures_iter(list.split("\n}").next().unwrap_or_default()).map(code).collect()
}

fn statuses(source: &str) -> BTreeMap<String, u64> {
    let pattern = regex::Regex::new(r"///.*\((\d{3})\)\.\n\s*(\w+),").expect("the pattern is a constant");
    let status = |found: regex::Captures<'_>| Some((found[2].to_owned(), found[1].parse().ok()?));
    pattern.captures_iter(source).filter_map(status).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "enum Kind {\n    /// No such thing (404).\n    Missing,\n}\n\ncodes! {\n    /// There is no such thing\n    NotFound = \"not_found\", Missing;\n}\n";
    const PAGE: &str = "# `not_found`: there is no such thing\n## What it means\n## When it happens\n## What to do\n## Example\n```json\n{\"type\":\"/docs/problem/not_found\",\"title\":\"There is no such thing\",\"status\":404,\"code\":\"not_found\",\"detail\":\"d\",\"error\":\"e\",\"request_id\":\"r\"}\n```\n";

    #[test]
    fn api2_codes_are_read_with_title_and_status() {
        let code =
            Code { word: "not_found".into(), title: "There is no such thing".into(), status: Some(404) };
        assert_eq!(codes(SOURCE), [code]);
        assert_eq!(check(&House::of(&[(CODES, "codes! {}")])).len(), 1);
    }

    #[test]
    fn api2_every_code_has_its_page() {
        assert_eq!(check(&House::of(&[(CODES, SOURCE)])).len(), 1);
        assert_eq!(check(&House::of(&[(CODES, SOURCE), ("docs/problem/not_found.md", PAGE)])), []);
        let wrong = PAGE.replace("404", "403").replace("## When", "## Why");
        assert_eq!(check(&House::of(&[(CODES, SOURCE), ("docs/problem/not_found.md", &wrong)])).len(), 2);
    }

    #[test]
    fn a_page_without_a_code_is_told() {
        let files = [(CODES, SOURCE), ("docs/problem/not_found.md", PAGE), ("docs/problem/old.md", PAGE)];
        assert_eq!(check(&House::of(&files)).len(), 1);
    }
}
