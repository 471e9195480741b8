//! The processes below a process, read from `/proc`, and signals that cannot hit a stranger.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::HashMap;
use std::io;

/// One process as `/proc/<pid>/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Clock ticks since boot; with the pid it names a process for ever.
    pub(crate) started: u64,
    /// Dead, but not yet reaped.
    pub(crate) zombie: bool,
}

/// Every process that can be seen.
///
/// # Errors
/// When `/proc` cannot be listed; processes that vanish meanwhile are no error.
pub(crate) fn all() -> io::Result<Vec<Entry>> {
    let names =
        std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.filter_map(entry_of).collect())
}

fn entry_of(pid: u32) -> Option<Entry> {
    // Bytes, not text: a program may name itself with any bytes.
    let line = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    entry_in(&line)
}

/// Reads `pid (name) state ppid pgrp session … starttime`; the name may hold anything, also `)`.
fn entry_in(line: &[u8]) -> Option<Entry> {
    let line = String::from_utf8_lossy(line);
    let (head, rest) = line.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Entry {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// What lives below `root`, parents before children; `root` itself is not part of it.
pub(crate) fn below(root: u32, all: &[Entry]) -> Vec<Entry> {
    let mut children: HashMap<u32, Vec<Entry>> = HashMap::new();
    for entry in all {
        children.entry(entry.parent).or_default().push(*entry);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(entry) = found.get(next) {
        if let Some(more) = children.remove(&entry.pid) {
            found.extend(more);
        }
        next += 1;
    }
    found
}

/// Sends `signal` to exactly the process that `entry` describes: the descriptor pins it, and the start time
/// shows that the number was not given to somebody else before. One that has ended is no error.
pub(crate) fn send(entry: &Entry, signal: Signal) {
    let Some(pid) = i32::try_from(entry.pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if entry_of(entry.pid).is_some_and(|now| now.started == entry.started) {
        // Only "it has just ended" and "not ours" can fail here; the caller looks again whom it reached.
        let _ = pidfd_send_signal(&pinned, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_cannot_forge_the_line() {
        let line = b"42 (x) Z 1 1 1 (\xff) S 7 8 9 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let wanted = Entry { pid: 42, parent: 7, group: 8, session: 9, started: 12345, zombie: false };
        assert_eq!(entry_in(line), Some(wanted));
        assert_eq!(entry_in(b"42 (x"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_nobody_else() {
        let entry = |pid, parent| Entry { pid, parent, group: 0, session: 0, started: 0, zombie: false };
        let all = [entry(5, 4), entry(3, 2), entry(2, 1), entry(4, 3), entry(9, 8)];
        let pids: Vec<u32> = below(2, &all).iter().map(|entry| entry.pid).collect();
        assert_eq!(pids, [3, 4, 5]);
    }

    #[test]
    fn this_very_process_is_seen() {
        let own = std::process::id();
        assert!(all().expect("proc is readable").iter().any(|entry| entry.pid == own && !entry.zombie));
    }
}
