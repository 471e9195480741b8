//! Patterns for paths in a repository, as in `.gitignore`, with two more words.
//!
//! - `*.pem`, `Makefile`: without a slash a name at any depth, and all below it when it is a folder.
//! - `deploy/**`, `/src/core`: with a slash a path from the root, and all below it.
//! - `word:auth`: the word anywhere in a path: `src/auth.rs`, `UserAuth.java`, `auth/x.py`, not `author.md`.
//! - `file:run.sh`: that file at any depth, never a folder.
//!
//! Upper and lower case are the same: a rule that protects errs on the side of protecting.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Longest pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 256;

/// Patterns, ready to match.
#[derive(Debug, Clone)]
pub struct Patterns {
    globs: GlobSet,
    words: Vec<String>,
    files: Vec<String>,
}

impl Patterns {
    /// Reads patterns.
    ///
    /// # Errors
    /// One sentence about the first pattern that cannot be read.
    pub fn compile<Text: AsRef<str>>(patterns: &[Text]) -> Result<Self, String> {
        let mut globs = GlobSetBuilder::new();
        let (mut words, mut files) = (Vec::new(), Vec::new());
        for pattern in patterns.iter().map(AsRef::as_ref) {
            admit(pattern)?;
            if let Some(word) = pattern.strip_prefix("word:") {
                words.push(word.to_lowercase());
            } else if let Some(file) = pattern.strip_prefix("file:") {
                files.push(file.trim_start_matches("./").to_lowercase());
            } else {
                for form in forms(pattern) {
                    globs.add(glob(&form).map_err(|error| bad(pattern, error.kind()))?);
                }
            }
        }
        let globs =
            globs.build().map_err(|error| format!("the patterns cannot be used together: {error}"))?;
        Ok(Self { globs, words, files })
    }

    /// Those that every path fits.
    pub fn all() -> Self {
        Self { globs: GlobSet::empty(), words: Vec::new(), files: vec![String::new()] }
    }

    /// Whether a path of the repository (with `/`, from the root) fits one of them.
    pub fn fit(&self, path: &str) -> bool {
        let lower = path.to_lowercase();
        let named = |file: &String| {
            lower
                .strip_suffix(file.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/') || file.is_empty())
        };
        self.globs.is_match(path)
            || self.files.iter().any(named)
            || (!self.words.is_empty() && words_of(path).any(|word| self.words.contains(&word)))
    }
}

fn admit(pattern: &str) -> Result<(), String> {
    let shown: String = pattern.chars().take(60).collect();
    let body = pattern.trim_start_matches("word:").trim_start_matches("file:").trim_matches('/');
    if body.is_empty() {
        return Err("a pattern must not be empty".to_owned());
    }
    if pattern.len() > MAX_PATTERN_BYTES || pattern.chars().any(char::is_control) {
        return Err(format!("`{shown}` is no pattern: one line of at most {MAX_PATTERN_BYTES} bytes"));
    }
    if pattern.starts_with('!') {
        return Err(format!("`{shown}` takes back: patterns here only add"));
    }
    if pattern.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(format!("`{shown}` climbs: write the path from the root of the repository"));
    }
    Ok(())
}

/// A pattern stands for the thing itself and for all that lies in it.
fn forms(pattern: &str) -> [String; 2] {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let body = pattern.trim_matches('/');
    let root = if anchored || body.starts_with("**") { body.to_owned() } else { format!("**/{body}") };
    [format!("{root}/**"), root]
}

fn glob(form: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(form).literal_separator(true).case_insensitive(true).backslash_escape(true).build()
}

fn bad(pattern: &str, why: &globset::ErrorKind) -> String {
    format!("`{}` is no pattern: {why}", pattern.chars().take(60).collect::<String>())
}

/// The words of a path in lower case: runs of letters and digits, and the parts of such a run between a small
/// and a capital letter; digits at the end are dropped.
fn words_of(path: &str) -> impl Iterator<Item = String> {
    let runs = path.split(|letter: char| !letter.is_alphanumeric());
    runs.flat_map(|run| std::iter::once(run.to_owned()).chain(humps(run)))
        .map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_lowercase())
        .filter(|word| !word.is_empty())
}

fn humps(run: &str) -> Vec<String> {
    let letters: Vec<char> = run.chars().collect();
    let mut words = vec![String::new()];
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| letters.get(place));
        let after_small = before.is_some_and(|before| !before.is_uppercase());
        let before_small = letters.get(place + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_small || before_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*letter);
        }
    }
    words
}
