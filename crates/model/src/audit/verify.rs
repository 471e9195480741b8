//! Reads an exported chain back and finds its first bad entry. Needs no store and trusts nothing in the file.
//!
//! An export holds one chain: one entry a line (JSONL), from the chain's first, in order. What a chain alone
//! cannot show is a tail that was cut off; signed checkpoints show that.

use super::{Entry, Head, MAX_LINE_BYTES};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, de};
use serde_json::{Map, Value};
use std::fmt;

/// What a verification says: all of it whole, or the first bad entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Verification {
    /// Whether every entry is what was written, in its place.
    pub ok: bool,
    /// The line of the first bad entry, from 1.
    pub line: Option<u64>,
    /// The number that this entry has, or should have where it cannot be read.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
}

/// A chain that is being read, line by line; holds the last link only, so any length can be checked.
#[derive(Debug, Default)]
pub struct Chain {
    head: Head,
    scope: Option<String>,
    lines: u64,
}

impl Chain {
    /// Reads the next line.
    ///
    /// # Errors
    /// The verification of the first bad entry; the chain must not be read further then.
    pub fn read(&mut self, line: &str) -> Result<Entry, Verification> {
        self.lines += 1;
        let expected = self.head.seq + 1;
        let entry = parse(line).map_err(|reason| self.bad(expected, reason))?;
        self.check(&entry).map_err(|reason| self.bad(entry.seq, reason))?;
        self.scope.get_or_insert_with(|| entry.scope.clone());
        self.head = entry.head();
        Ok(entry)
    }

    /// The end of what was read so far: what an anchor kept elsewhere is compared with.
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self, entry: &Entry) -> Result<(), String> {
        let expected = self.head.seq + 1;
        if entry.seq != expected {
            return Err(format!("seq is {}, but {expected} must follow here", entry.seq));
        }
        if self.scope.as_ref().is_some_and(|scope| *scope != entry.scope) {
            return Err(format!("belongs to the chain of scope {}", entry.scope));
        }
        if entry.prev_hash != self.head.hash {
            return Err("prev_hash is not the hash of the entry before".to_owned());
        }
        if entry.hash != entry.digest() {
            return Err("hash does not fit the entry's content".to_owned());
        }
        Ok(())
    }

    fn bad(&self, seq: u64, reason: String) -> Verification {
        Verification { ok: false, line: Some(self.lines), seq: Some(seq), reason: Some(reason) }
    }
}

/// Verifies a whole export.
pub fn verify_chain<Line: AsRef<str>>(lines: impl Iterator<Item = Line>) -> Verification {
    let mut chain = Chain::default();
    for line in lines {
        if let Err(bad) = chain.read(line.as_ref()) {
            return bad;
        }
    }
    Verification { ok: true, line: None, seq: None, reason: None }
}

fn parse(line: &str) -> Result<Entry, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("the line has more than {MAX_LINE_BYTES} bytes"));
    }
    let Unambiguous(value) =
        serde_json::from_str(line).map_err(|error| format!("the line is no JSON: {error}"))?;
    serde_json::from_value(value).map_err(|error| format!("the line is no audit entry: {error}"))
}

/// JSON in which no object has a key twice. Readers differ in which of the two they believe, so that such a
/// line could show one thing and prove another.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unambiguous(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Unambiguous(value))) = access.next_entry::<String, Unambiguous>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice in an object")));
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
