//! A settings file with every key, its meaning and its default, all commented out.

use super::key::{KEYS, Key, Shape};
use serde_json::Value;
use std::fmt::Write;

const WRAP_COLUMNS: usize = 100;

/// The text of `tiltyard config --template`.
pub fn template() -> String {
    let mut text = String::from("# Settings of Tiltyard. Take the # away from what you change.\n");
    let mut group = "";
    for key in KEYS.iter() {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if table != group {
            group = table;
            text.push_str(&format!("\n[{group}]\n"));
        }
        entry(&mut text, key, name).expect("a String takes any text");
    }
    text
}

fn entry(text: &mut String, key: &Key, name: &str) -> std::fmt::Result {
    writeln!(text)?;
    for line in wrap(&key.about) {
        writeln!(text, "# {line}")?;
    }
    if let Shape::Choice(words) = &key.shape {
        writeln!(text, "# One of: {}.", words.join(", "))?;
    }
    if let Shape::Integer { min, max } = key.shape {
        writeln!(text, "# From {min} to {max}.")?;
    }
    writeln!(text, "# {name} = {}", toml_text(&key.default))
}

/// Scalars and lists of texts look the same in JSON and TOML; what has no default is an empty text.
fn toml_text(value: &Value) -> String {
    if value.is_null() { "\"\"".to_owned() } else { value.to_string() }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("begins with one line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() > WRAP_COLUMNS {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o1_the_template_without_its_marks_sets_every_default() {
        let bare = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.ends_with("\"\"") => rest.to_owned(),
            _ => line.to_owned(),
        };
        let text: Vec<String> = template().lines().map(bare).collect();
        let settings: crate::settings::Settings =
            toml::from_str(&text.join("\n")).expect("is a settings file");
        assert_eq!(settings, crate::settings::Settings::default());
        assert!(KEYS.iter().all(|key| template().contains(&key.about[..10])));
    }
}
