//! Blobs in a bucket: `artifacts/aa/<sha256>`. The bytes are whole and verified in a file of this server's own before the
//! first of them is sent, so nothing in the bucket ever has a name that it does not deserve.

use super::FOLDER_NAME;
use super::spool::{Draft, Spool};
use crate::depot::bucket::{Shared, Upload};
use crate::error::Error;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tiltyard_model::time::TimeMs;

/// Bytes of a part of an upload, and of the largest object that is sent at once.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Parts that an object may have.
const MAX_PARTS: u64 = 10_000;

/// The blobs of a bucket.
#[derive(Debug)]
pub(super) struct InBucket {
    pub(super) bucket: Shared,
    pub(super) spool: Spool,
}

/// The object of a blob.
pub(super) fn key(sha256: &str) -> String {
    format!("{FOLDER_NAME}/{}/{sha256}", &sha256[..2])
}

impl InBucket {
    pub(super) fn open(bucket: Shared, data: &Path) -> io::Result<Self> {
        let root = data.join(FOLDER_NAME);
        super::make_folder(&root)?;
        Ok(Self { bucket, spool: Spool::own(&root)? })
    }

    /// Also where the same bytes lie already: that makes them young again, and what is young is not swept.
    pub(super) fn place(&self, draft: &Draft, sha256: &str) -> Result<(), Error> {
        self.bucket.wait(self.send(draft, &key(sha256)))
    }

    async fn send(&self, draft: &Draft, key: &str) -> Result<(), Error> {
        if draft.size <= PART_BYTES {
            return self.bucket.put(key, read(&draft.file, 0, draft.size)?).await;
        }
        let mut upload = self.bucket.begin(key).await?;
        match self.send_parts(draft, &mut upload).await {
            Ok(()) => self.bucket.complete(upload).await,
            Err(error) => {
                if let Err(left) = self.bucket.abort(&upload).await {
                    tracing::warn!(target: "store", "parts of an upload stay in the bucket: {left}");
                }
                Err(error)
            }
        }
    }

    async fn send_parts(&self, draft: &Draft, upload: &mut Upload) -> Result<(), Error> {
        let part = PART_BYTES.max(draft.size.div_ceil(MAX_PARTS));
        let mut offset = 0;
        while offset < draft.size {
            let bytes = read(&draft.file, offset, part.min(draft.size - offset))?;
            offset += bytes.len() as u64;
            self.bucket.send(upload, bytes).await?;
        }
        Ok(())
    }

    /// When it was put there; `None` when it is gone.
    pub(super) fn put_at(&self, sha256: &str) -> Result<Option<TimeMs>, Error> {
        Ok(self.bucket.wait(self.bucket.look(&key(sha256)))?.map(|(_, at)| at))
    }

    pub(super) fn size(&self, sha256: &str) -> Result<Option<u64>, Error> {
        Ok(self.bucket.wait(self.bucket.look(&key(sha256)))?.map(|(size, _)| size))
    }

    pub(super) fn remove(&self, sha256: &str) -> Result<(), Error> {
        self.bucket.wait(self.bucket.remove(&key(sha256)))
    }

    pub(super) fn in_part(&self, part: u8, limit: usize) -> Result<Vec<String>, Error> {
        let folder = format!("{FOLDER_NAME}/{part:02x}/");
        Ok(self.bucket.wait(self.bucket.names(&folder, limit))?.objects)
    }
}

fn read(file: &File, offset: u64, length: u64) -> Result<Bytes, Error> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, offset).map_err(|error| Error::io("read an artifact back", &error))?;
    Ok(bytes.into())
}
