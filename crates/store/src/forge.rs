//! Ids from keys: a row is keyed by the 63-bit key of its id; the other 59 bits follow from the key and the store's
//! salt, so that no row has to keep them and an id that this store did not make is found out without a look-up.

use sha2::{Digest, Sha256};
use tiltyard_model::id::{Id, Noun};

/// Makes whole ids from keys.
#[derive(Debug, Clone)]
pub struct Forge {
    salt: [u64; 2],
}

impl Forge {
    /// The forge of a store with this salt.
    pub fn new(salt: &[u8]) -> Self {
        let digest = Sha256::digest(salt);
        let half = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&digest[from..from + 8]);
            u64::from_le_bytes(bytes)
        };
        Self { salt: [half(0), half(8)] }
    }

    /// A word for the store that tells nothing of its salt: no other store has it.
    pub fn identity(&self) -> String {
        let words = self.salt.map(u64::to_le_bytes);
        hex::encode(&Sha256::digest(words.concat())[..16])
    }

    /// The id of the row with `key`.
    pub fn id(&self, noun: Noun, key: i64) -> Id {
        Id::from_parts(noun, key, self.tail(key))
    }

    /// The key of an id of this store; `None` for an id that it did not make.
    pub fn key(&self, id: Id) -> Option<i64> {
        (self.id(id.noun(), id.key()) == id).then(|| id.key())
    }

    /// A mixing of key and salt (the finaliser of SplitMix64, twice): not a secret, only a check.
    fn tail(&self, key: i64) -> u64 {
        let mix = |mut word: u64| {
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        mix(mix(key as u64 ^ self.salt[0]).wrapping_add(self.salt[1])) & ((1 << 59) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_knows_its_own_ids() {
        let (own, other) = (Forge::new(b"a"), Forge::new(b"b"));
        for key in [0, 1, 1 << 40, i64::MAX >> 1] {
            let id = own.id(Noun::Task, key);
            assert_eq!(own.key(id), Some(key));
            assert_eq!(other.key(id), None);
        }
        assert_eq!(own.identity(), Forge::new(b"a").identity());
        assert_ne!(own.identity(), other.identity());
    }
}
