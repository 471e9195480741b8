//! An outcome as a file: its JSON, and a digest that shows whether all of it is there.

use super::MAX_ENTRY_BYTES;
use crate::outcome::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The shape of these files.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u32,
    /// Of the bytes of `outcome`, as lower-case hexadecimal digits.
    sha256: String,
    outcome: Box<RawValue>,
}

pub(super) fn seal(outcome: &Outcome) -> io::Result<Vec<u8>> {
    let outcome = serde_json::value::to_raw_value(outcome)?;
    let sealed = Sealed { version: VERSION, sha256: digest(&outcome), outcome };
    Ok(serde_json::to_vec(&sealed)?)
}

/// Reads the outcome of the attempt `name`.
///
/// # Errors
/// One sentence that says what is wrong with the file.
pub(super) fn open(file: &Path, name: &str) -> Result<Outcome, String> {
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
    if digest(&sealed.outcome) != sealed.sha256 {
        return Err("its content is not what was written: the digest differs".to_owned());
    }
    let outcome: Outcome = serde_json::from_str(sealed.outcome.get())
        .map_err(|error| format!("it holds no outcome: {error}"))?;
    if outcome.key.to_string() == name {
        Ok(outcome)
    } else {
        Err(format!("it holds the outcome of {}", outcome.key))
    }
}

fn digest(outcome: &RawValue) -> String {
    let digest = Sha256::digest(outcome.get().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
