//! Explain: the reason of a law, or the page of an error code.

use crate::tidy::{LAWS, Law};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Without a name lists the laws; with one tells the reason and the remedy.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode> {
    let text = match words {
        [] => list(),
        [name] => match LAWS.iter().find(|law| law.name == *name) {
            Some(law) => tell(law),
            None => page(name)?,
        },
        _ => bail!("explain takes one name; `cargo xtask explain` lists them"),
    };
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let lines: Vec<String> = LAWS.iter().map(|law| format!("{:<24}{}", law.name, law.why)).collect();
    lines.join("\n")
}

fn tell(law: &Law) -> String {
    format!("{}\n  Why: {}\n  To mend: {}", law.name, law.why, law.mend)
}

fn page(code: &str) -> Result<String> {
    let is_code = code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    let place = crate::tree::root().join("docs/problem").join(format!("{code}.md"));
    match std::fs::read_to_string(place) {
        Ok(text) if is_code => Ok(text),
        _ => bail!("`{code}` is neither a law nor an error code; `cargo xtask explain` lists the laws"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_listed_and_told() {
        assert_eq!(list().lines().count(), LAWS.len());
        assert!(tell(&LAWS[0]).contains("Why: ") && tell(&LAWS[0]).contains("To mend: "));
    }

    #[test]
    fn pages_are_found_and_paths_are_not_left() {
        assert!(page("not_found").expect("has a page").contains("not_found"));
        assert!(page("../../README").is_err() && page("no_such_word").is_err());
    }
}
