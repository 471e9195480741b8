//! Stored bytes on their way out, piece by piece, read off the asynchronous threads.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use tiltyard_engine::Engine;
use tiltyard_engine::blob::Reader;
use tokio::task::spawn_blocking;

/// What is left to be sent.
struct Left {
    reader: Reader,
    from: u64,
    bytes: u64,
    check: Option<Check>,
}

/// What the whole of it must be, and how far it is (O13).
struct Check {
    digest: Sha256,
    sha256: String,
    engine: Arc<Engine>,
}

impl Check {
    /// Whether all bytes were those that they should be.
    fn end(self) -> io::Result<()> {
        let found: String = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == self.sha256 {
            return Ok(());
        }
        self.engine.found_damaged(&self.sha256);
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("the bytes of {} are damaged", self.sha256)))
    }
}

/// The bytes from `from` on, `length` of them.
pub(crate) fn body_of(reader: Reader, from: u64, length: u64) -> Body {
    send(Left { reader, from, bytes: length, check: None })
}

/// All bytes of a blob, which are looked at on their way: the last piece is not sent where the digest is another one.
pub(crate) fn whole_of(reader: Reader, length: u64, sha256: &str, engine: &Arc<Engine>) -> Body {
    let (sha256, engine) = (sha256.to_owned(), Arc::clone(engine));
    let check = Some(Check { digest: Sha256::new(), sha256, engine });
    send(Left { reader, from: 0, bytes: length, check })
}

fn send(left: Left) -> Body {
    let pieces = stream::try_unfold(left, |left| async move {
        if left.bytes == 0 {
            return Ok::<_, io::Error>(None);
        }
        spawn_blocking(move || next(left)).await.map_err(io::Error::other)?
    });
    Body::from_stream(pieces)
}

/// The next piece. What ends early breaks the answer off, so that nobody takes a part for the whole.
fn next(mut left: Left) -> io::Result<Option<(Bytes, Left)>> {
    let length = left.bytes.min(left.reader.piece_bytes() as u64) as usize;
    let piece = left.reader.read_at(left.from, length)?;
    left.bytes -= length as u64;
    left.from += length as u64;
    if let Some(check) = left.check.as_mut() {
        check.digest.update(&piece);
    }
    if left.bytes == 0
        && let Some(check) = left.check.take()
    {
        check.end()?;
    }
    Ok(Some((piece.into(), left)))
}

/// A part of a thing that a caller asks for (RFC 9110, 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// From the first to the last byte, both included.
    Range(u64, u64),
    /// None that it has.
    Outside,
}

/// Reads the header `Range` for a thing of `size` bytes. Several ranges, and units other than bytes, are passed over:
/// the whole is the answer then, as the standard allows.
pub(crate) fn part(range: Option<&str>, size: u64) -> Part {
    let Some(spec) = range.and_then(|range| range.strip_prefix("bytes=")) else { return Part::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Part::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|_| !text.contains('+'));
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Some(0) => Part::Outside,
            Some(_) if size == 0 => Part::Outside,
            Some(count) => Part::Range(size.saturating_sub(count), size - 1),
            None => Part::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), _) if first >= size => Part::Outside,
            (Some(first), None) if last.is_empty() => Part::Range(first, size - 1),
            (Some(first), Some(last)) if last >= first => Part::Range(first, last.min(size - 1)),
            _ => Part::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        let of_ten = |range: &str| part(Some(range), 10);
        assert_eq!(of_ten("bytes=0-3"), Part::Range(0, 3));
        assert_eq!(of_ten("bytes=4-"), Part::Range(4, 9));
        assert_eq!(of_ten("bytes=-3"), Part::Range(7, 9));
        assert_eq!(of_ten("bytes=-30"), Part::Range(0, 9));
        assert_eq!(of_ten("bytes=5-99"), Part::Range(5, 9));
        assert_eq!((of_ten("bytes=10-"), of_ten("bytes=-0")), (Part::Outside, Part::Outside));
        for whole in ["bytes=3-1", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes", "bytes=+1-2"] {
            assert_eq!(of_ten(whole), Part::Whole, "{whole}");
        }
        assert_eq!((part(None, 0), part(Some("bytes=0-"), 0)), (Part::Whole, Part::Outside));
    }
}
