//! Files of stages: how one stands in a value, and which ones a command gets.

use super::MAX_PATH_BYTES;
use crate::id::{Id, Noun};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A file as a value: where it is kept, not what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The artifact's id.
    pub artifact: String,
    /// The digest of its bytes, 64 hex digits.
    pub sha256: String,
    /// How many bytes it has.
    pub size: u64,
    /// What it is.
    pub media_type: String,
    /// What it is called.
    pub name: String,
}

impl Reference {
    /// The file that a value stands for; `None` for any other value. Anybody can write such a value: whoever reads the
    /// artifact looks whether it is one of this run.
    pub fn of(value: &Value) -> Option<(Id, Self)> {
        let reference = Self::deserialize(value).ok()?;
        let id: Id = reference.artifact.parse().ok()?;
        (id.noun() == Noun::Artifact).then_some((id, reference))
    }

    /// As a value.
    ///
    /// # Panics
    /// Never: texts and a number are JSON.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("texts and a number are JSON")
    }
}

/// An output of another stage that a command gets as a file, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedOn<'a> {
    /// Where it lies in the command's folder.
    pub path: &'a str,
    /// The stage that put it out.
    pub stage: &'a str,
    /// Its output.
    pub output: &'a str,
}

/// Whether a path stays in the folder of an attempt (SEC16).
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && !path.contains(['\\', ':'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The first of these paths, which are in order, that is the folder of another one.
pub(super) fn folder<'p>(paths: &[&'p str]) -> Option<&'p str> {
    let within =
        |folder: &str, path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    paths.iter().find(|folder| paths.iter().any(|path| within(folder, path))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_known_by_its_members_and_its_artifact() {
        let id = Id::from_parts(Noun::Artifact, Id::key_at(1_000, 1), 7);
        let file = Reference {
            artifact: id.to_string(),
            sha256: "ab".repeat(32),
            size: 3,
            media_type: "text/plain".to_owned(),
            name: "a.txt".to_owned(),
        };
        assert_eq!(Reference::of(&file.to_value()), Some((id, file.clone())));
        let task = Id::from_parts(Noun::Task, Id::key_at(1_000, 1), 7).to_string();
        for other in [
            json!({"artifact": id.to_string()}),
            Reference { artifact: task, ..file.clone() }.to_value(),
            json!("text"),
        ] {
            assert_eq!(Reference::of(&other), None, "{other}");
        }
        let mut more = file.to_value();
        more["more"] = json!(1);
        assert_eq!(Reference::of(&more), None);
    }

    #[test]
    fn sec16_paths_stay_in_their_folder() {
        assert!(["a", "a/b.txt", "ä/..b"].into_iter().all(is_inside));
        assert!(!["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "c:a", "a\nb"].into_iter().any(is_inside));
        assert_eq!(folder(&["a", "a.b", "a/b"]), Some("a"));
        assert_eq!(folder(&["a", "ab/c"]), None);
    }
}
