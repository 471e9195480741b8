//! The files themselves: how far each is, and what is added.

use super::place;
use crate::view::event;
use serde::Deserialize;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tiltyard_engine::event::Event;
use tiltyard_model::id::Id;

/// Files of which it is known how far they are, without looking; the last used first.
const MAX_KNOWN: usize = 1_024;
/// How far back the last line of a file is looked for, in bytes: the largest event and room.
const MAX_LINE_BYTES: u64 = 2 * 1024 * 1024;
/// Up to where all files are written.
const MARK_NAME: &str = "mark";

/// How far all files are: everything of the log up to this seq was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The epoch.
    pub(super) epoch: i64,
    /// The seq.
    pub(super) seq: i64,
}

/// The files of one data folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    epoch: i64,
    known: VecDeque<(Id, i64)>,
}

/// What the last line of a file tells.
#[derive(Debug, Deserialize)]
struct Last {
    seq: i64,
}

impl Files {
    pub(super) fn new(folder: &Path, epoch: i64) -> Self {
        Self { folder: folder.to_owned(), epoch, known: VecDeque::new() }
    }

    /// How far the file of a run is: the seq of its last line, 0 for one that is not there. What is no whole line is cut off.
    pub(super) fn seq(&mut self, run: Id) -> io::Result<i64> {
        let path = place(&self.folder, run);
        if let Some((_, seq)) = self.known.iter().find(|(known, _)| *known == run).filter(|_| path.exists()) {
            return Ok(*seq);
        }
        let seq = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(mut file) => whole(&mut file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        self.know(run, seq);
        Ok(seq)
    }

    /// Adds events that come after `seq`; does nothing where somebody else was quicker.
    pub(super) fn append(&mut self, run: Id, seq: i64, events: &[Event], source: &str) -> io::Result<()> {
        let Some(last) = events.last() else { return Ok(()) };
        if self.seq(run)? != seq {
            return Ok(());
        }
        let path = place(&self.folder, run);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut lines = Vec::with_capacity(events.len() * event::ROOM_BYTES);
        events.iter().for_each(|event| event::write_line(&mut lines, event, source));
        // Until all of it is written, nobody knows how far the file is.
        self.known.retain(|(known, _)| *known != run);
        OpenOptions::new().append(true).create(true).open(&path)?.write_all(&lines)?;
        self.know(run, last.seq);
        Ok(())
    }

    fn know(&mut self, run: Id, seq: i64) {
        self.known.retain(|(known, _)| *known != run);
        self.known.push_front((run, seq));
        self.known.truncate(MAX_KNOWN);
    }

    /// Up to where all files were written; `None` where nobody knows. Files of a time line that a restore has ended are removed:
    /// they may tell what never was.
    pub(super) fn mark(&mut self) -> io::Result<Option<Mark>> {
        let folder = self.folder.join("runs");
        let text = match fs::read_to_string(folder.join(MARK_NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let parts = text.trim().split_once('-');
        let mark =
            parts.and_then(|(epoch, seq)| Some(Mark { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? }));
        match mark {
            Some(mark) if mark.epoch == self.epoch => Ok(Some(mark)),
            Some(_) => {
                self.known.clear();
                fs::remove_dir_all(&folder)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// All files are written up to this seq. Half a mark is none, and costs a look at the whole log.
    pub(super) fn set_mark(&mut self, seq: i64) -> io::Result<()> {
        let folder = self.folder.join("runs");
        fs::create_dir_all(&folder)?;
        let (half, whole) = (folder.join("mark.new"), folder.join(MARK_NAME));
        fs::write(&half, format!("{}-{seq}\n", self.epoch))?;
        fs::rename(half, whole)
    }
}

/// The seq of the last whole line of a file; what follows it is cut off.
fn whole(file: &mut File) -> io::Result<i64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MAX_LINE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let begin = tail[..end.saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = serde_json::from_slice::<Last>(&tail[begin..end]).ok();
    let kept = if last.is_some() { from + end as u64 } else { 0 };
    if kept < length {
        file.set_len(kept)?;
    }
    Ok(last.map_or(0, |last| last.seq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::event::{Subject, Type};
    use tiltyard_model::id::Noun;

    fn event(seq: i64) -> Event {
        Event {
            seq,
            epoch: 1,
            scope: "default".into(),
            scope_seq: seq,
            kind: Type::RunRunning,
            time: 0,
            actor: "ada".into(),
            request: None,
            subject: Subject::Name("x".into()),
            task: None,
            run: None,
            data: "{}".into(),
        }
    }

    fn seqs(folder: &Path, run: Id) -> Vec<i64> {
        let text = fs::read_to_string(place(folder, run)).unwrap();
        text.lines().map(|line| serde_json::from_str::<Last>(line).unwrap().seq).collect()
    }

    // D25: a file goes on where its last whole line ends, whatever a crash has left behind.
    #[test]
    fn d25_a_torn_tail_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let run = Id::from_parts(Noun::Run, 1, 2);
        let anew = || Files::new(folder.path(), 1);
        assert_eq!(anew().seq(run).unwrap(), 0);
        anew().append(run, 0, &[event(3), event(5)], "/s").unwrap();
        let path = place(folder.path(), run);
        let whole = fs::read(&path).unwrap();
        for cut in [1, 20] {
            fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            assert_eq!(anew().seq(run).unwrap(), 5);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(anew().seq(run).unwrap(), 3);
        anew().append(run, 3, &[event(5)], "/s").unwrap();
        anew().append(run, 3, &[event(5)], "/s").unwrap();
        assert_eq!(seqs(folder.path(), run), [3, 5]);
        fs::write(&path, "nonsense\n").unwrap();
        assert_eq!(anew().seq(run).unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    // O17: files of a lost time line are made anew.
    #[test]
    fn o17_files_of_a_lost_time_line_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let run = Id::from_parts(Noun::Run, 1, 2);
        let mut files = Files::new(folder.path(), 1);
        assert_eq!(files.mark().unwrap(), None);
        files.append(run, 0, &[event(3)], "/s").unwrap();
        files.set_mark(3).unwrap();
        assert_eq!(Files::new(folder.path(), 1).mark().unwrap(), Some(Mark { epoch: 1, seq: 3 }));
        assert_eq!(Files::new(folder.path(), 2).mark().unwrap(), None);
        assert!(!place(folder.path(), run).exists());
    }
}
