//! Names that come from outside and end up in an argv or a path: checked once, here, so that none of them can be
//! an option (`--upload-pack=…`), a range, or a way out of its folder.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest branch name that is accepted, in bytes.
pub const MAX_BRANCH_BYTES: usize = 255;
/// The longest key (change, task or repository) that is accepted, in bytes.
pub const MAX_KEY_BYTES: usize = 128;
/// How much of a title goes into a branch name, in bytes.
pub const MAX_SLUG_BYTES: usize = 40;

/// A name that git, or we, would misread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {rule}")]
pub struct BadName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

pub(crate) fn bad(what: &'static str, text: &str, rule: &'static str) -> BadName {
    BadName { what, text: text.chars().take(80).collect(), rule }
}

macro_rules! checked_text {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadName;
            fn try_from(text: &str) -> Result<Self, BadName> {
                Self::try_from(text.to_owned())
            }
        }
    };
}

checked_text! {
    /// A whole object id: 40 or 64 lower-case hex digits, never an abbreviation or an expression.
    Oid
}

impl TryFrom<String> for Oid {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match text.len() {
            40 | 64 if hex => Ok(Self(text)),
            _ => Err(bad("object id", &text, "40 or 64 lower-case hex digits")),
        }
    }
}

impl Oid {
    /// The hash that the repository of this id uses, as `git init --object-format` calls it.
    pub fn format(&self) -> &'static str {
        if self.0.len() == 64 { "sha256" } else { "sha1" }
    }

    /// The empty tree in the repository of this id.
    pub(crate) fn empty_tree(&self) -> &'static str {
        match self.format() {
            "sha256" => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
            _ => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        }
    }
}

checked_text! {
    /// A branch's short name (`main`, `team/fix`), by the rules of `git check-ref-format`.
    Branch
}

impl TryFrom<String> for Branch {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        match branch_rule(&text) {
            None => Ok(Self(text)),
            Some(rule) => Err(bad("branch", &text, rule)),
        }
    }
}

fn branch_rule(text: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    if text.is_empty() || text.len() > MAX_BRANCH_BYTES {
        return Some("1 to 255 bytes");
    }
    if text.starts_with(['-', '/']) || text.starts_with("refs/") || text == "@" || text == "HEAD" {
        return Some("not an option, a path, `@`, `HEAD` or a full reference");
    }
    if text.chars().any(forbidden) || text.contains("..") || text.contains("@{") {
        return Some("no space, control or special character, no `..`, no `@{`");
    }
    let part_is_bad = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if text.split('/').any(part_is_bad) || text.ends_with('.') {
        return Some("no empty part, none that starts with `.` or ends in `.` or `.lock`");
    }
    None
}

impl Branch {
    /// The full name of the branch's reference.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

checked_text! {
    /// An id of ours that names a folder and a reference: lower-case letters, digits, `-` and `_`.
    Key
}

impl TryFrom<String> for Key {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let starts_well = text.as_bytes().first().is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && text.len() <= MAX_KEY_BYTES && text.bytes().all(plain) {
            return Ok(Self(text));
        }
        Err(bad("key", &text, "1 to 128 of a-z, 0-9, `-`, `_`, beginning with a letter or digit"))
    }
}

/// A title made fit for a branch name: `Fix the "README"!` becomes `fix-the-readme`; `change` when nothing is left.
pub fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => out.push(c),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
        if out.len() >= MAX_SLUG_BYTES {
            break;
        }
    }
    let kept = out.trim_end_matches('-');
    if kept.is_empty() { "change".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_a_slug_is_always_a_branch_part() {
        assert_eq!(slug("Fix the \"README\"!"), "fix-the-readme");
        assert_eq!(slug("  --upload-pack=/bin/sh\n"), "upload-pack-bin-sh");
        assert_eq!(slug("日本"), "change");
        assert_eq!(slug(&"long word ".repeat(20)).len(), 39);
        for title in ["..", "a..b", "x.lock", "@{-1}", "-", "ok"] {
            assert!(Branch::try_from(format!("tiltyard/{}", slug(title))).is_ok(), "{title}");
        }
    }

    #[test]
    fn sec16_no_name_is_an_option_or_a_way_out() {
        for text in ["-x", "--all", "a b", "../up", "/abs", "a/", "a//b", ".a", "a.lock", "HEAD", "a\nb", ""]
        {
            assert!(Branch::try_from(text).is_err(), "{text:?}");
        }
        for text in ["..", "-a", "_a", "a/b", "A", "", "a.b"] {
            assert!(Key::try_from(text).is_err(), "{text:?}");
        }
        for text in ["HEAD", "--all", "abc", &"g".repeat(40), &"A".repeat(40)] {
            assert!(Oid::try_from(text).is_err(), "{text:?}");
        }
        assert!(Branch::try_from("team/fix-1.2").is_ok());
        assert!(Key::try_from("chg_01jd-x").is_ok());
        assert!(serde_json::from_str::<Oid>(&format!("\"{}\"", "a".repeat(40))).is_ok());
        assert!(serde_json::from_str::<Branch>("\"--exec=x\"").is_err());
    }
}
