//! An outcome as a file: its JSON, and a seal that shows whether all of it is there and whether this agent wrote it.

use super::MAX_ENTRY_BYTES;
use crate::outcome::Outcome;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The shape of these files.
const VERSION: u32 = 2;
/// What the key is for: the same secret seals nothing else.
const PURPOSE: &[u8] = b"tiltyard outbox";

/// What outcomes are sealed with. Programs of the agent's own user may be able to make files in its folder; they cannot read
/// the secret, so what they make is told from what the agent wrote.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// From what only the agent knows: its token. With another token, older outcomes are set aside.
    pub fn from_secret(secret: &str) -> Self {
        Self(mac(secret.as_bytes(), PURPOSE))
    }
}

impl Default for SealKey {
    /// For an agent without a secret: the seal shows only whether all of it is there.
    fn default() -> Self {
        Self::from_secret("")
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u32,
    /// HMAC with SHA-256 of the bytes of `outcome`, as lower-case hexadecimal digits.
    seal: String,
    outcome: Box<RawValue>,
}

pub(super) fn seal(outcome: &Outcome, key: &SealKey) -> io::Result<Vec<u8>> {
    let outcome = serde_json::value::to_raw_value(outcome)?;
    let sealed = Sealed { version: VERSION, seal: digest(&outcome, key), outcome };
    Ok(serde_json::to_vec(&sealed)?)
}

/// Reads the outcome of the attempt `name`.
///
/// # Errors
/// One sentence that says what is wrong with the file.
pub(super) fn open(file: &Path, name: &str, key: &SealKey) -> Result<Outcome, String> {
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|file| file.take(MAX_ENTRY_BYTES + 1).read_to_end(&mut bytes));
    opened.map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_ENTRY_BYTES {
        return Err(format!("it is longer than {MAX_ENTRY_BYTES} bytes"));
    }
    let sealed: Sealed =
        serde_json::from_slice(&bytes).map_err(|error| format!("it is not whole: {error}"))?;
    if sealed.version != VERSION {
        return Err(format!("its version is {}, this program reads {VERSION}", sealed.version));
    }
    if digest(&sealed.outcome, key) != sealed.seal {
        return Err(
            "its content is not what this agent wrote with its present token: the seal differs".to_owned()
        );
    }
    let outcome: Outcome = serde_json::from_str(sealed.outcome.get())
        .map_err(|error| format!("it holds no outcome: {error}"))?;
    if outcome.key.to_string() == name {
        Ok(outcome)
    } else {
        Err(format!("it holds the outcome of {}", outcome.key))
    }
}

fn mac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn digest(outcome: &RawValue, key: &SealKey) -> String {
    let digest = mac(&key.0, outcome.get().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
