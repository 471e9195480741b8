//! `tiltyard audit verify`

use crate::context::Context;
use crate::exit::Failure;
use clap::Args;
use std::io::{BufRead, BufReader, Read};
use tiltyard_model::audit::MAX_LINE_BYTES;
use tiltyard_model::audit::verify::{Chain, Verification};
use tiltyard_model::visible;

/// Check that an exported chain is whole; needs no server and no store
///
/// Ends with 0 when every entry is what was written, in its place, else with 1 and the first bad entry.
#[derive(Debug, Args)]
pub struct Verify {
    /// The export; - is standard input
    file: String,
}

impl Verify {
    /// Checks it.
    ///
    /// # Errors
    /// When it is not whole, or cannot be read.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let (verification, entries) = self.verify()?;
        if context.output.is_json() {
            context.output.json(&verification)?;
        } else if verification.ok {
            context.output.line(&format!("whole: {entries} entries"))?;
        }
        if verification.ok {
            return Ok(());
        }
        let said = if context.output.is_json() { String::new() } else { sentence(&verification) };
        Err(Failure::failed(said))
    }

    fn verify(&self) -> Result<(Verification, u64), Failure> {
        let cannot =
            |error: std::io::Error| Failure::failed(format!("{} cannot be read: {error}", self.file));
        let lines: Box<dyn Read> = match self.file.as_str() {
            "-" => Box::new(std::io::stdin()),
            path => Box::new(std::fs::File::open(path).map_err(cannot)?),
        };
        read(lines).map_err(cannot)
    }
}

/// Reads an export to its first bad entry, or to its end; the number is that of the last good one.
///
/// # Errors
/// When it cannot be read.
pub fn read(export: impl Read) -> std::io::Result<(Verification, u64)> {
    let mut lines = BufReader::new(export);
    let mut chain = Chain::default();
    loop {
        let mut line = Vec::new();
        // One byte more than allowed, so that a longer line is seen to be too long.
        let read = (&mut lines).take(MAX_LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)?;
        if read == 0 && chain.head().seq == 0 {
            return Ok((empty(), 0));
        }
        if read == 0 {
            return Ok((Verification { ok: true, line: None, seq: None, reason: None }, chain.head().seq));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if let Err(bad) = chain.read(text) {
            return Ok((bad, chain.head().seq));
        }
    }
}

/// A chain begins with the entry that made it: an export without any broke off before it.
fn empty() -> Verification {
    let reason = Some("there is no entry: the export broke off at its beginning; export it again".to_owned());
    Verification { ok: false, line: None, seq: None, reason }
}

fn sentence(bad: &Verification) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let reason = bad.reason.as_deref().unwrap_or("no reason is known");
    format!("not whole: line {}, seq {}: {}", number(bad.line), number(bad.seq), visible::line(reason))
}
