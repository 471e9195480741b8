//! Writes JSON text straight from words, member by member: the answers of the hot paths cost no values in between.

use std::io::Write;
use tiltyard_model::id::Id;
use tiltyard_model::time::{TimeMs, rfc3339};

/// A pen inside an object.
pub(crate) struct Pen<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Writes an object.
pub(crate) fn object(out: &mut Vec<u8>, members: impl FnOnce(&mut Pen<'_>)) {
    out.push(b'{');
    members(&mut Pen { out, first: true });
    out.push(b'}');
}

/// Writes a list.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

/// Writes any value by its own serialiser.
pub(crate) fn value(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("words are written into memory, which takes them");
}

impl Pen<'_> {
    /// A member whose value `write` writes.
    pub(crate) fn member(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        write(self.out);
    }

    /// A member of any type with a serialiser: text, numbers, words of the model.
    pub(crate) fn any(&mut self, name: &str, any: &impl serde::Serialize) {
        self.member(name, |out| value(out, any));
    }

    /// The same, left out when it is absent.
    pub(crate) fn some(&mut self, name: &str, any: Option<&impl serde::Serialize>) {
        if let Some(any) = any {
            self.any(name, any);
        }
    }

    /// JSON text as it is.
    pub(crate) fn raw(&mut self, name: &str, json: Option<&str>) {
        self.member(name, |out| out.extend_from_slice(json.unwrap_or("null").as_bytes()));
    }

    /// An id.
    pub(crate) fn id(&mut self, name: &str, id: Id) {
        self.member(name, |out| write!(out, "\"{id}\"").expect("memory takes what is written"));
    }

    /// A moment; `null` when it is absent.
    pub(crate) fn time(&mut self, name: &str, time: Option<TimeMs>) {
        self.member(name, |out| match time {
            None => out.extend_from_slice(b"null"),
            Some(time) => {
                out.push(b'"');
                out.extend_from_slice(rfc3339(time).as_bytes());
                out.push(b'"');
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_are_apart_and_escaped() {
        let mut out = Vec::new();
        object(&mut out, |pen| {
            pen.any("a", &"\"\n");
            pen.some("gone", None::<&u8>);
            pen.time("t", Some(0));
            pen.raw("r", None);
            pen.member("l", |out| list(out, [1, 2], |out, item| value(out, &item)));
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r#"{"a":"\"\n","t":"1970-01-01T00:00:00.000Z","r":null,"l":[1,2]}"#);
    }
}
