//! The newest bytes of a stream, in a file of a fixed size.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Holds the last `capacity` bytes of all that was pushed.
#[derive(Debug)]
pub(super) struct Ring {
    file: File,
    capacity: u64,
    /// All bytes that ever came.
    total: u64,
}

impl Ring {
    pub(super) fn create(path: &Path, capacity: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        Ok(Self { file, capacity, total: 0 })
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes it holds.
    pub(super) fn held(&self) -> u64 {
        self.total.min(self.capacity)
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && self.capacity > 0 {
            let place = self.total % self.capacity;
            let room = usize::try_from(self.capacity - place).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.file.write_all_at(now, place)?;
            self.total += now.len() as u64;
            bytes = rest;
        }
        self.total += bytes.len() as u64;
        Ok(())
    }

    /// Reads from `offset`, counted from the oldest byte held; returns how much, 0 at the end.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.held().saturating_sub(offset);
        if left == 0 {
            return Ok(0);
        }
        let place = (self.total - left) % self.capacity;
        let straight = left.min(self.capacity - place);
        let count = buffer.len().min(usize::try_from(straight).unwrap_or(usize::MAX));
        self.file.read_exact_at(&mut buffer[..count], place)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c10_the_ring_holds_the_newest_bytes(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            capacity in 0u64..70,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut ring = Ring::create(&folder.path().join("ring"), capacity).expect("makes a file");
            for piece in &pieces {
                ring.push(piece).expect("writes");
            }
            let all = pieces.concat();
            let (mut held, mut buffer) = (Vec::new(), [0; 7]);
            while let count @ 1.. = ring.read(held.len() as u64, &mut buffer).expect("reads") {
                held.extend_from_slice(&buffer[..count]);
            }
            prop_assert_eq!(ring.total(), all.len() as u64);
            prop_assert_eq!(&held[..], &all[all.len() - all.len().min(capacity as usize)..]);
        }
    }
}
