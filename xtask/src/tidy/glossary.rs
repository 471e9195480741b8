//! The glossary: one definition a word.

use super::{Finding, House, Law};
use std::collections::BTreeMap;

pub(super) const LAW: Law = Law {
    name: "glossary",
    why: "the same words stand in code, API, console and documents; a word with no definition, or two, means something else to each reader",
    mend: "define the word once in GLOSSARY.md as a line that starts `**word**:`, in alphabetical order",
    check,
};

const PATH: &str = "GLOSSARY.md";

/// The vocabulary that everything here is told in.
const VOCABULARY: &[&str] = &[
    "agent",
    "alert",
    "artifact",
    "attempt",
    "audit entry",
    "change",
    "dead letter",
    "event",
    "fleet",
    "gate",
    "generation",
    "lease",
    "memory",
    "message",
    "pipeline",
    "queue",
    "receiver",
    "run",
    "sample",
    "scope",
    "series",
    "silence",
    "SLO",
    "stage",
    "task",
    "terminal",
];

fn check(house: &House) -> Vec<Finding> {
    if house.tree.files.is_empty() {
        return Vec::new();
    }
    let defined = defined(house.tree.text(PATH).unwrap_or_default());
    let mut faults = Vec::new();
    for word in VOCABULARY.iter().filter(|word| !defined.contains_key(**word)) {
        faults.push(format!("`{word}` has no definition"));
    }
    for (word, lines) in defined.iter().filter(|(_, lines)| lines.len() > 1) {
        faults.push(format!("`{word}` is defined on lines {lines:?}"));
    }
    faults.into_iter().map(|what| Finding::new(PATH, 0, what)).collect()
}

/// Words with the lines that define them; `**series**, **sample**:` defines two.
fn defined(text: &str) -> BTreeMap<&str, Vec<usize>> {
    let mut defined: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some((head, _)) = line.split_once("**:").filter(|_| line.starts_with("**")) else { continue };
        for word in head.split(", ").map(|word| word.trim_matches('*')) {
            defined.entry(word).or_default().push(index + 1);
        }
    }
    defined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_defined_once() {
        let all: String = VOCABULARY.iter().map(|word| format!("**{word}**: what it is\n")).collect();
        assert_eq!(check(&House::of(&[(PATH, &all)])), []);
        assert_eq!(check(&House::of(&[(PATH, &all.replace("**task**", "**tusk**"))])).len(), 1);
        assert_eq!(check(&House::of(&[(PATH, &(all + "**task**: again\n"))])).len(), 1);
        assert_eq!(defined("**series**, **sample**: a metric").len(), 2);
    }
}
