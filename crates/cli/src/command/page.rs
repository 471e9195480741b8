//! The commands that pages name: each exists, with the flags it is shown with.

use super::Cli;
use clap::{Arg, Command, CommandFactory};
use std::path::{Path, PathBuf};

/// What pages say in place of a part of a command line.
const PLACEHOLDERS: &[&str] = &["…", "...", "[", "<"];

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("is there").flatten() {
        match entry.path() {
            // What is only planned cannot be typed yet.
            path if path.ends_with("plan") => {}
            path if path.is_dir() => pages(&path, found),
            path if path.extension().is_some_and(|end| end == "md") => found.push(path),
            _ => {}
        }
    }
}

/// Command lines of a page: spans of code, and lines of blocks of code.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
            continue;
        }
        let parts: Vec<&str> = if block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        let plain = parts.into_iter().map(|part| part.trim_start_matches(['$', ' ']));
        found.extend(plain.filter(|part| part.starts_with("tiltyard ")).map(str::to_owned));
    }
    found
}

/// Why there is no such command; `None` when there is.
fn fault(root: &Command, line: &str) -> Option<String> {
    let mut at = root;
    let mut words = line.split_whitespace().skip(1).map(|word| word.trim_matches(['"', '\'', ',', '.']));
    while let Some(word) = words.next() {
        if word == "--" || word.starts_with(['#', '|', '>', '&', ';', '(']) {
            return None;
        }
        if PLACEHOLDERS.iter().any(|placeholder| word.starts_with(placeholder)) {
            continue;
        }
        if let Some(flag) = word.strip_prefix("--") {
            let name = flag.split('=').next().unwrap_or(flag);
            let Some(arg) = flag_of(root, at, name) else {
                return Some(format!("`{}` has no flag --{name}", at.get_name()));
            };
            if arg.get_action().takes_values() && !flag.contains('=') {
                words.next();
            }
        } else if !word.starts_with('-') && at.has_subcommands() {
            let plain = word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
            match at.find_subcommand(word) {
                Some(below) => at = below,
                None if plain || at.get_positionals().next().is_none() => {
                    return Some(format!("`{}` has no command `{word}`", at.get_name()));
                }
                None => {}
            }
        }
    }
    None
}

fn flag_of<'a>(root: &'a Command, at: &'a Command, name: &str) -> Option<&'a Arg> {
    let all = at.get_arguments().chain(root.get_arguments());
    let mut known = all.filter(|arg| arg.get_long() == Some(name) || name == "help" || name == "version");
    known.next()
}

// House: what a page tells people to type can be typed.
#[test]
fn every_command_in_the_pages_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md"), root.join("GLOSSARY.md")];
    pages(&root.join("docs"), &mut found);
    let line = Cli::command();
    let (mut faults, mut seen) = (Vec::new(), 0);
    for page in found {
        let text = std::fs::read_to_string(&page).expect("can be read");
        for command in commands(&text) {
            seen += 1;
            faults.extend(fault(&line, &command).map(|why| format!("{}: {command}: {why}", page.display())));
        }
    }
    assert!(seen > 40, "the pages name commands, but only {seen} were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_that_is_none_is_found() {
    let line = Cli::command();
    for bad in
        ["tiltyard token create", "tiltyard changes show ID", "tiltyard tasks --colour red", "tiltyard fly"]
    {
        assert!(fault(&line, bad).is_some(), "{bad}");
    }
    for good in
        ["tiltyard changes ID", "tiltyard changes send-back ID --comment TEXT", "tiltyard submit -- make all"]
    {
        assert_eq!(fault(&line, good), None, "{good}");
    }
}
