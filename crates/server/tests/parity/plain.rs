//! Answers without what must differ between two stores: each id is named by the order in which it came up.

use serde_json::Value;
use std::collections::HashMap;

/// The letters after the underscore of an id.
const ID_LETTERS: usize = 26;
/// Members whose values are no business of the store.
const OWN: &[&str] = &["request_id", "requestid", "source", "hash", "prev", "prev_hash", "bytes"];

/// The ids of one side, in the order in which they came up.
#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<String, usize>,
    /// By number.
    pub(crate) ids: Vec<String>,
}

impl Names {
    /// The word for an id: its noun and its number.
    fn word(&mut self, id: &str) -> String {
        let next = self.ids.len();
        let number = *self.numbers.entry(id.to_owned()).or_insert(next);
        if number == next {
            self.ids.push(id.to_owned());
        }
        format!("{}#{number}", id.split('_').next().unwrap_or_default())
    }

    /// A text with the words for its ids, and without secrets and digests.
    pub(crate) fn plain(&mut self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let length = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let word = &rest[..length.unwrap_or(rest.len())];
            if word.is_empty() {
                plain.push(letter);
                rest = &rest[letter.len_utf8()..];
                continue;
            }
            plain.push_str(&self.of_word(word));
            rest = &rest[word.len()..];
        }
        plain
    }

    fn of_word(&mut self, word: &str) -> String {
        let is_hex = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        match word.split_once('_') {
            Some(("jst" | "jsc" | "jss", _)) => "a-secret".to_owned(),
            Some((_, letters)) if letters.len() == ID_LETTERS => self.word(word),
            _ if is_hex => "a-digest".to_owned(),
            _ => word.to_owned(),
        }
    }

    /// The same for JSON.
    pub(crate) fn plain_json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.plain(text),
            Value::Array(all) => all.iter_mut().for_each(|one| self.plain_json(one)),
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    if OWN.contains(&name.as_str()) {
                        *member = Value::Null;
                    } else {
                        self.plain_json(member);
                    }
                }
            }
            _ => {}
        }
    }
}
