//! TypeIDs: a prefix and a UUIDv7 in base32 (`task_01jd…`); they sort by time and say what they name.
//!
//! Text form: <https://github.com/jetify-com/typeid/tree/main/spec> (v0.3): prefix, `_`, 26 characters of
//! Crockford base32 in lower case for the 128 bits, the first of them at most `7`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_CHARS: usize = 26;
/// Bits of a UUIDv7 below its key: version and variant are fixed, the rest is the tail.
const TAIL_BITS: u32 = 59;

/// What an id names; decides its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// One unit of work.
    Task,
    /// One execution of a pipeline.
    Run,
    /// A stop that a person decides.
    Gate,
    /// A stored file or document.
    Artifact,
    /// A proposed edit to a repository.
    Change,
    /// A token.
    Token,
    /// A dead letter.
    DeadLetter,
    /// One act with an effect outside (its two audit entries share it).
    Act,
    /// A backup.
    Backup,
}

impl Noun {
    /// Every noun that bears ids today.
    pub const ALL: [Self; 9] = [
        Self::Task,
        Self::Run,
        Self::Gate,
        Self::Artifact,
        Self::Change,
        Self::Token,
        Self::DeadLetter,
        Self::Act,
        Self::Backup,
    ];

    /// The prefix before the underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Run => "run",
            Self::Gate => "gate",
            Self::Artifact => "art",
            Self::Change => "chg",
            Self::Token => "tok",
            Self::DeadLetter => "dlq",
            Self::Act => "act",
            Self::Backup => "bak",
        }
    }
}

/// A TypeID: what it names, and 128 bits of UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    noun: Noun,
    bits: u128,
}

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no id of ours: a prefix such as `task`, an underscore and 26 characters, as it was shown")]
pub struct BadId;

impl Id {
    /// Puts together the id of `noun` from its 63-bit `key` (milliseconds × 32,768 + counter: what orders
    /// ids and what rows are keyed by) and its `tail` (the lower 59 bits are used).
    pub const fn from_parts(noun: Noun, key: i64, tail: u64) -> Self {
        let key = key as u128 & ((1 << 63) - 1);
        let (time, counter, high) = (key >> 15, (key >> 3) & 0xfff, key & 0b111);
        let low = tail as u128 & ((1 << TAIL_BITS) - 1);
        let bits = time << 80 | 7 << 76 | counter << 64 | 0b10 << 62 | high << TAIL_BITS | low;
        Self { noun, bits }
    }

    /// The key of the moment `time_ms` with the counter `count` (0 to 32,767).
    pub const fn key_at(time_ms: i64, count: u16) -> i64 {
        (time_ms << 15) | (count as i64 & 0x7fff)
    }

    /// The 63-bit key: creation time in milliseconds, then a counter.
    pub const fn key(self) -> i64 {
        let (time, counter) = (self.bits >> 80, (self.bits >> 64) & 0xfff);
        let high = (self.bits >> TAIL_BITS) & 0b111;
        (time << 15 | counter << 3 | high) as i64 & i64::MAX
    }

    /// The 59 bits that are not in the key.
    pub const fn tail(self) -> u64 {
        (self.bits & ((1 << TAIL_BITS) - 1)) as u64
    }

    /// When it was made, in milliseconds since 1970.
    pub const fn time_ms(self) -> i64 {
        (self.bits >> 80) as i64
    }

    /// What it names.
    pub const fn noun(self) -> Noun {
        self.noun
    }

    /// Reads the id of one noun; the id of another is refused.
    ///
    /// # Errors
    /// [`BadId`] when the text is no id of that noun.
    pub fn parse_as(noun: Noun, text: &str) -> Result<Self, BadId> {
        let id: Self = text.parse()?;
        if id.noun == noun { Ok(id) } else { Err(BadId) }
    }

    /// The text form as bytes, without an allocation: prefix length and 26 + 1 + prefix characters.
    fn suffix(self) -> [u8; SUFFIX_CHARS] {
        let mut text = [b'0'; SUFFIX_CHARS];
        let mut rest = self.bits;
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun.prefix())?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&self.suffix()).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (prefix, suffix) = text.rsplit_once('_').ok_or(BadId)?;
        let noun = Noun::ALL.into_iter().find(|noun| noun.prefix() == prefix).ok_or(BadId)?;
        let bytes = suffix.as_bytes();
        if bytes.len() != SUFFIX_CHARS || bytes[0] > b'7' {
            return Err(BadId);
        }
        let mut bits = 0u128;
        for byte in bytes {
            let digit = ALPHABET.iter().position(|letter| letter == byte).ok_or(BadId)?;
            bits = bits << 5 | digit as u128;
        }
        let id = Self { noun, bits };
        // Version and variant are fixed, so that one thing has one id only.
        if (bits >> 76) & 0xf == 7 && (bits >> 62) & 0b11 == 0b10 && id.time_ms() < 1 << 47 {
            Ok(id)
        } else {
            Err(BadId)
        }
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Id {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[a-z]{3,4}_[0-7][0-9a-hjkmnp-tv-z]{25}$",
            "description": "A TypeID: a prefix that says what it names, and a UUIDv7 in base32."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_and_text_survive_the_round_trip(key in 0i64..1 << 62, tail in 0u64..1 << 59, noun in 0usize..9) {
            let id = Id::from_parts(Noun::ALL[noun], key, tail);
            prop_assert_eq!((id.key(), id.tail()), (key, tail));
            prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        }

        #[test]
        fn ids_sort_as_their_keys(a in 0i64..1 << 62, b in 0i64..1 << 62) {
            let (x, y) = (Id::from_parts(Noun::Task, a, 0), Id::from_parts(Noun::Task, b, 0));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), a.cmp(&b));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Id>();
        }
    }

    #[test]
    fn the_specification_s_example_has_the_same_text() {
        // typeid spec: 0188bac7-4afa-78aa-bc3b-bd1eef28d881 is 01h2xcejqtf2nbrexx3vqjhp41
        let id: Id = "task_01h2xcejqtf2nbrexx3vqjhp41".parse().expect("is an id");
        assert_eq!(id.bits, 0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "task_",
            "task_01h2xcejqtf2nbrexx3vqjhp4",
            "job_01h2xcejqtf2nbrexx3vqjhp41",
            "task_01H2XCEJQTF2NBREXX3VQJHP41",
            "task_81h2xcejqtf2nbrexx3vqjhp41",
        ] {
            assert_eq!(bad.parse::<Id>(), Err(BadId), "{bad}");
        }
        assert!(Id::parse_as(Noun::Gate, "task_01h2xcejqtf2nbrexx3vqjhp41").is_err());
    }
}
