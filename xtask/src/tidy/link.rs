//! Links: what a document points at exists.

use super::{Finding, House, Law};
use crate::tree::{File, Tree};
use regex::Regex;

pub(super) const LAW: Law = Law {
    name: "link",
    why: "a dead link ends the reader's way exactly where they needed to go on",
    mend: "point at the file (and heading) that exists now, relative to the document",
    check,
};

fn check(house: &House) -> Vec<Finding> {
    let pattern = Regex::new(r"\]\(([^)\s]+)\)").expect("the pattern is a constant");
    house.tree.under("", ".md").flat_map(|file| dead(&house.tree, file, &pattern)).collect()
}

fn dead(tree: &Tree, file: &File, pattern: &Regex) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in file.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        let links = pattern.captures_iter(line).filter(|_| !fenced);
        let lost = links.filter_map(|found| fault(tree, &file.path, &found[1]));
        findings.extend(lost.map(|what| Finding::new(&file.path, index + 1, what)));
    }
    findings
}

fn fault(tree: &Tree, from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let place = if path.is_empty() { from.to_owned() } else { resolve(from, path) };
    if !tree.has(&place) {
        return Some(format!("points at `{target}`, which does not exist"));
    }
    let text = tree.text(&place)?;
    let known = anchor.is_none_or(|anchor| text.lines().any(|line| slug(line).as_deref() == Some(anchor)));
    (!known).then(|| format!("points at `{target}`, a heading that does not exist"))
}

/// The path from the root of `path` as seen from the document `from`.
fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The anchor of a heading, as forges make it.
fn slug(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    Some(kept.map(|letter| if letter == ' ' { '-' } else { letter }).flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let target = ("docs/b.md", "# The second page\n");
        let breaches = |text| check(&House::of(&[("docs/a.md", text), target])).len();
        for good in [
            "[b](b.md)",
            "[b](../docs/b.md#the-second-page)",
            "[x](https://example.org)",
            "[folder](../docs)",
        ] {
            assert_eq!(breaches(good), 0, "{good}");
        }
        for bad in ["[b](c.md)", "[b](b.md#nowhere)", "[b](docs/b.md)"] {
            assert_eq!(breaches(bad), 1, "{bad}");
        }
        assert_eq!(breaches("```\n[b](c.md)\n```"), 0);
    }
}
