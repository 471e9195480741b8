//! Logs in a bucket: an object a piece, `logs/<part>/<task>/<generation>-<start>-<end>`. Small pieces are gathered before they are
//! written, and joined when there are many.

use super::segment::{self, Segment, at, covered, joinable};
use super::{FOLDER_NAME, LogError, MAX_LOG_BYTES, MAX_READ_BYTES, Promise};
use crate::depot::bucket::Shared;
use crate::error::Error;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Mutex as Turn;

/// Bytes of a log that are gathered before they become an object.
const GATHER_BYTES: usize = 256 * 1024;
/// How long they are gathered.
const GATHER_FOR: Duration = Duration::from_secs(1);
/// Bytes of all logs that are gathered; beyond that each piece is written at once.
const MAX_GATHERED_BYTES: u64 = 64 * 1024 * 1024;
/// Logs that are remembered; what is forgotten is looked up again.
const MAX_KNOWN: usize = 4_096;
/// So many pieces are joined into one.
const JOIN_AT: usize = 64;
/// Most pieces of a log: it is full of single letters, each sent to another server.
const MAX_PIECES: usize = 100_000;

/// The logs of a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct InBucket {
    bucket: Shared,
    all: Arc<All>,
}

#[derive(Debug, Default)]
struct All {
    growing: Mutex<HashMap<Place, Arc<Turn<Growing>>>>,
    looked_at: Mutex<HashMap<Place, Arc<[Segment]>>>,
    gathered: AtomicU64,
}

/// The log of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    task: i64,
    generation: i64,
}

/// A log that is written here.
#[derive(Debug, Default)]
struct Growing {
    /// So many bytes are in the bucket, at least: another server may have written on. `None` before the first look.
    kept: Option<u64>,
    /// What follows them.
    gathered: Vec<u8>,
    /// Somebody will come and write it.
    awaited: bool,
    /// Pieces that were written here since the last look at what can be joined.
    pieces: usize,
    /// The task is gone.
    gone: bool,
}

impl Place {
    /// What the names of its pieces begin with.
    fn prefix(self) -> String {
        format!("{}{}-", folder_of(self.task), self.generation)
    }

    fn key(self, segment: Segment) -> String {
        format!("{}{}", self.prefix(), segment.name())
    }
}

fn folder_of(task: i64) -> String {
    format!("{FOLDER_NAME}/{:02x}/{task}/", task & 0xff)
}

impl InBucket {
    pub(super) fn new(bucket: Shared) -> Self {
        Self { bucket, all: Arc::default() }
    }

    pub(super) fn append(
        &self,
        (task, generation): (i64, i64),
        offset: u64,
        text: &[u8],
        promise: Promise,
    ) -> Result<u64, LogError> {
        let place = Place { task, generation };
        let log = self.growing(place);
        self.bucket.wait(async {
            let mut own = log.lock().await;
            let length = self.take(place, &mut own, offset, text).await?;
            let full =
                own.gathered.len() >= GATHER_BYTES || self.all.gathered.load(Relaxed) > MAX_GATHERED_BYTES;
            if promise == Promise::Kept || full {
                self.write(place, &mut own).await?;
            } else if !own.gathered.is_empty() && !own.awaited {
                own.awaited = true;
                let later = (self.clone(), Arc::clone(&log));
                self.bucket.spawn(async move { later.0.write_later(place, later.1).await });
            }
            Ok(length)
        })
    }

    pub(super) fn flush(&self, task: i64, generation: i64) -> Result<(), Error> {
        let place = Place { task, generation };
        let Some(log) = self.all.growing.lock().get(&place).cloned() else { return Ok(()) };
        self.bucket.wait(async { self.write(place, &mut *log.lock().await).await })
    }

    /// The log, as it grows here.
    fn growing(&self, place: Place) -> Arc<Turn<Growing>> {
        let mut all = self.all.growing.lock();
        if all.len() >= MAX_KNOWN {
            // What has something to write, or is being written, is held by somebody else too.
            all.retain(|_, log| {
                Arc::strong_count(log) > 1 || log.try_lock().is_ok_and(|own| !own.gathered.is_empty())
            });
        }
        Arc::clone(all.entry(place).or_default())
    }

    /// Takes what is new of a text, and says how long the log is then.
    async fn take(&self, place: Place, own: &mut Growing, offset: u64, text: &[u8]) -> Result<u64, LogError> {
        let mut length = own.length();
        if length.is_none_or(|length| offset > length) || text.is_empty() {
            own.advance(segment::length(&self.look(place).await?), &self.all.gathered);
            length = own.length();
        }
        let length = length.unwrap_or_default();
        let end = offset.saturating_add(text.len() as u64);
        if offset > length {
            return Err(LogError::Gap { length });
        }
        if end > MAX_LOG_BYTES {
            return Err(LogError::TooLong { limit: MAX_LOG_BYTES });
        }
        if end > length {
            let new = &text[(length - offset) as usize..];
            own.gathered.extend_from_slice(new);
            self.all.gathered.fetch_add(new.len() as u64, Relaxed);
        }
        Ok(end.max(length))
    }

    /// Writes what is gathered. Where that fails, it stays.
    async fn write(&self, place: Place, own: &mut Growing) -> Result<(), Error> {
        let Some(start) = own.kept.filter(|_| !own.gathered.is_empty() && !own.gone) else { return Ok(()) };
        let end = start + own.gathered.len() as u64;
        let piece = Bytes::copy_from_slice(&own.gathered);
        self.bucket.put(&place.key(Segment { start, end }), piece).await?;
        own.advance(end, &self.all.gathered);
        own.pieces += 1;
        if own.pieces >= JOIN_AT {
            own.pieces = 0;
            if let Err(error) = self.join(place).await {
                // They are as good as one piece; the next who writes tries it again.
                tracing::warn!(target: "store", task = place.task, "the pieces of a log stay as they are: {error}");
            }
        }
        Ok(())
    }

    async fn write_later(&self, place: Place, log: Arc<Turn<Growing>>) {
        loop {
            tokio::time::sleep(GATHER_FOR).await;
            let mut own = log.lock().await;
            match self.write(place, &mut own).await {
                Ok(()) => {
                    own.awaited = false;
                    return;
                }
                // Whoever ends the attempt is told, and waits.
                Err(error) => {
                    tracing::warn!(target: "store", task = place.task, "a log is not written yet: {error}");
                }
            }
        }
    }

    /// Makes one piece of many small ones; those that it is made of go when it is there.
    async fn join(&self, place: Place) -> Result<(), Error> {
        let segments = self.look(place).await?;
        let Some(joined) = joinable(&segments, JOIN_AT) else { return Ok(()) };
        let mut text = Vec::with_capacity((joined.end - joined.start) as usize);
        while let Some(piece) = at(&segments, joined.start + text.len() as u64) {
            let from = joined.start + text.len() as u64 - piece.start;
            let upto = piece.end.min(joined.end) - piece.start;
            // Another server has joined them meanwhile.
            let Some(bytes) = self.bucket.get(&place.key(piece), Some(from..upto)).await? else {
                return Ok(());
            };
            text.extend_from_slice(&bytes);
            if text.len() as u64 >= joined.end - joined.start {
                break;
            }
        }
        self.bucket.put(&place.key(joined), text.into()).await?;
        for piece in covered(&segments, joined) {
            self.bucket.remove(&place.key(piece)).await?;
        }
        Ok(())
    }

    async fn look(&self, place: Place) -> Result<Arc<[Segment]>, Error> {
        let names = self.bucket.names(&place.prefix(), MAX_PIECES).await?;
        let segment = |name: &String| Segment::of(name.split_once('-')?.1);
        let mut found: Vec<Segment> = names.objects.iter().filter_map(segment).collect();
        found.sort_unstable();
        Ok(found.into())
    }

    pub(super) fn read(
        &self,
        task: i64,
        generation: i64,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let (place, limit) = (Place { task, generation }, limit.min(MAX_READ_BYTES));
        self.bucket.wait(async {
            let known = self.all.looked_at.lock().get(&place).cloned().unwrap_or_default();
            let mut found = self.collect(place, &known, offset, limit).await?;
            if found.len() < limit {
                // There may be more by now, and what was known may have been joined.
                let known = self.look_anew(place).await?;
                let (next, left) = (offset + found.len() as u64, limit - found.len());
                found.extend(self.collect(place, &known, next, left).await?);
            }
            Ok(found)
        })
    }

    async fn look_anew(&self, place: Place) -> Result<Arc<[Segment]>, Error> {
        let found = self.look(place).await?;
        let mut looked_at = self.all.looked_at.lock();
        if looked_at.len() >= MAX_KNOWN {
            looked_at.clear();
        }
        looked_at.insert(place, Arc::clone(&found));
        Ok(found)
    }

    /// What there is, up to a piece that is not there any more.
    async fn collect(
        &self,
        place: Place,
        known: &[Segment],
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut found = Vec::new();
        while let Some(piece) = at(known, offset + found.len() as u64).filter(|_| found.len() < limit) {
            let from = offset + found.len() as u64 - piece.start;
            let upto = (piece.end - piece.start).min(from + (limit - found.len()) as u64);
            let Some(bytes) = self.bucket.get(&place.key(piece), Some(from..upto)).await? else { break };
            found.extend_from_slice(&bytes);
        }
        Ok(found)
    }

    pub(super) fn length(&self, task: i64, generation: i64) -> Result<Option<u64>, Error> {
        let found = self.bucket.wait(self.look(Place { task, generation }))?;
        Ok((!found.is_empty()).then(|| segment::length(&found)))
    }

    pub(super) fn tasks(&self, part: u8, limit: usize) -> Result<Vec<i64>, Error> {
        let names = self.bucket.wait(self.bucket.names(&format!("{FOLDER_NAME}/{part:02x}/"), limit))?;
        Ok(names.folders.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(super) fn remove(&self, task: i64) -> Result<(), Error> {
        self.all.looked_at.lock().retain(|place, _| place.task != task);
        let growing: Vec<_> = self.all.growing.lock().extract_if(|place, _| place.task == task).collect();
        self.bucket.wait(async {
            for (_, log) in growing {
                let mut own = log.lock().await;
                own.gone = true;
                own.forget(&self.all.gathered);
            }
            let folder = folder_of(task);
            for piece in self.bucket.names(&folder, MAX_PIECES).await?.objects {
                self.bucket.remove(&format!("{folder}{piece}")).await?;
            }
            Ok(())
        })
    }
}

impl Growing {
    fn length(&self) -> Option<u64> {
        self.kept.map(|kept| kept + self.gathered.len() as u64)
    }

    /// So many bytes are in the bucket: what was gathered of them is not needed any more.
    fn advance(&mut self, kept: u64, gathered: &AtomicU64) {
        let before = self.kept.unwrap_or_default();
        let known = (kept.saturating_sub(before)).min(self.gathered.len() as u64);
        self.gathered.drain(..known as usize);
        gathered.fetch_sub(known, Relaxed);
        self.kept = Some(kept.max(before));
    }

    fn forget(&mut self, gathered: &AtomicU64) {
        gathered.fetch_sub(self.gathered.len() as u64, Relaxed);
        self.gathered = Vec::new();
    }
}
