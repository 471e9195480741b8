//! Sizes: files and functions that fit into a head, and the ratchet for those that do not yet.

use super::{Finding, House, Law};
use crate::rust_text::RustText;
use std::collections::BTreeMap;
use toml::{Table, Value};

pub(super) const LAW: Law = Law {
    name: "size",
    why: "what does not fit on a few screens is not held in one head; every admired tree keeps its median function near nine lines",
    mend: "give the parts names: a face `x.rs` with a folder `x/`, a function of named steps. Aim at 150 and 9 lines",
    check: sizes,
};

pub(super) const RATCHET: Law = Law {
    name: "ratchet",
    why: "an exception that may stay or grow becomes the rule, so the list of exceptions may only shrink",
    mend: "write the present size into xtask/ratchet.toml, or drop the line when the limit is kept; new lines are not added",
    check: ratchet,
};

/// Longest file in lines.
pub(super) const MAX_FILE_LINES: usize = 500;
/// Longest function in lines, from `fn` to its closing brace.
pub(super) const MAX_FUNCTION_LINES: usize = 70;
const RATCHET_PATH: &str = "xtask/ratchet.toml";
/// Endings of files that people write.
const WRITTEN: &[&str] = &[".rs", ".sql", ".sh", ".ts", ".svelte", ".js", ".mjs", ".css"];

/// Size by name: a path, or a path with `::` and a function.
type Sizes = BTreeMap<String, usize>;

fn sizes(house: &House) -> Vec<Finding> {
    let known = recorded(house.tree.text(RATCHET_PATH).unwrap_or_default());
    let over =
        oversize(house).into_iter().filter(|(name, lines)| known.get(name).is_none_or(|most| lines > most));
    over.map(|(name, lines)| {
        Finding::new(&name, 0, format!("{lines} lines; {} are the limit", limit_of(&name)))
    })
    .collect()
}

fn limit_of(name: &str) -> usize {
    if name.contains("::") { MAX_FUNCTION_LINES } else { MAX_FILE_LINES }
}

/// Everything above its limit.
fn oversize(house: &House) -> Sizes {
    let written =
        house.tree.files.iter().filter(|file| WRITTEN.iter().any(|ending| file.path.ends_with(ending)));
    let files = written.map(|file| (file.path.clone(), file.text.lines().count()));
    let functions = house.rust.iter().flat_map(function_sizes);
    files.chain(functions).filter(|(name, lines)| *lines > limit_of(name)).collect()
}

fn function_sizes(rust: &RustText) -> Vec<(String, usize)> {
    rust.functions().into_iter().map(|own| (format!("{}::{}", rust.path, own.name), own.lines)).collect()
}

/// The `[sizes]` of the ratchet file.
fn recorded(text: &str) -> Sizes {
    let table = text.parse::<Table>().unwrap_or_default();
    let sizes = table.get("sizes").and_then(Value::as_table).cloned().unwrap_or_default();
    sizes
        .into_iter()
        .filter_map(|(name, lines)| Some((name, usize::try_from(lines.as_integer()?).ok()?)))
        .collect()
}

fn ratchet(house: &House) -> Vec<Finding> {
    let text = house.tree.text(RATCHET_PATH).unwrap_or_default();
    if text.parse::<Table>().is_err() {
        return vec![Finding::new(RATCHET_PATH, 0, "is not TOML")];
    }
    let committed = committed_ratchet().map_or_else(|| recorded(text), |old| recorded(&old));
    let (now, wanted) = (oversize(house), recorded(text));
    wanted.iter().filter_map(|(name, most)| loose(name, *most, now.get(name), committed.get(name))).collect()
}

/// Whether a line of the ratchet allows more than it must, or more than it did.
fn loose(name: &str, most: usize, now: Option<&usize>, before: Option<&usize>) -> Option<Finding> {
    let what = match (now, before) {
        (None, _) => format!("`{name}` keeps its limit: drop the line"),
        (Some(now), _) if *now < most => format!("`{name}` has shrunk to {now}: write that"),
        (_, None) => format!("`{name}` is new here"),
        (_, Some(before)) if *before < most => format!("`{name}` was {before}: it may only shrink"),
        _ => return None,
    };
    Some(Finding::new(RATCHET_PATH, 0, what))
}

/// The ratchet of the last commit; none without git or before its first commit.
fn committed_ratchet() -> Option<String> {
    let mut git = std::process::Command::new("git");
    let output =
        git.args(["show", "HEAD:xtask/ratchet.toml"]).current_dir(crate::tree::root()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_functions_are_told() {
        let long = "\n".repeat(MAX_FILE_LINES + 1);
        assert_eq!(sizes(&House::of(&[("crates/cli/src/x.rs", &long)])).len(), 1);
        assert_eq!(sizes(&House::of(&[("docs/x.md", &long)])).len(), 0);
        let function = format!("fn a() {{{}}}", "\n".repeat(MAX_FUNCTION_LINES));
        assert_eq!(sizes(&House::of(&[("crates/cli/src/x.rs", &function)])).len(), 1);
    }

    #[test]
    fn the_ratchet_excuses_and_never_grows() {
        let long = "\n".repeat(MAX_FILE_LINES + 10);
        let with = |most| format!("[sizes]\n\"crates/cli/src/x.rs\" = {most}");
        let breaches = |most| {
            let text = with(most);
            sizes(&House::of(&[("crates/cli/src/x.rs", &long), (RATCHET_PATH, &text)])).len()
        };
        assert_eq!((breaches(510), breaches(509)), (0, 1));
        assert!(loose("x", 510, Some(&510), Some(&510)).is_none());
        assert!(loose("x", 510, Some(&510), Some(&505)).is_some(), "grew");
        assert!(loose("x", 510, Some(&510), None).is_some(), "is new");
        assert!(loose("x", 510, Some(&505), Some(&510)).is_some(), "could be tighter");
        assert!(loose("x", 510, None, Some(&510)).is_some(), "is not needed");
    }
}
