//! When a shim is killed, what it guarded becomes the agent's own children: found here, and ended.

use super::tree::{self, Entry};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, waitpid};
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Pause between two looks at who is still there.
const SWEEP_PAUSE_MS: u64 = 20;

/// The shims that live, and whether their orphans come to us.
#[derive(Debug, Default)]
pub(super) struct Shims {
    live: Mutex<BTreeSet<u32>>,
    adopting: AtomicBool,
}

impl Shims {
    pub(super) fn adopt_orphans(&self) -> io::Result<()> {
        set_child_subreaper(Some(getpid()))?;
        self.adopting.store(true, Ordering::Release);
        Ok(())
    }

    /// Starts a shim and writes it down in one step, so that a sweep cannot take it for a stray.
    pub(super) fn start(
        &self,
        start: impl FnOnce() -> io::Result<tokio::process::Child>,
    ) -> io::Result<tokio::process::Child> {
        let mut live = self.live.lock();
        let child = start()?;
        live.extend(child.id());
        Ok(child)
    }

    pub(super) fn forget(&self, pid: u32) {
        self.live.lock().remove(&pid);
    }

    /// Ends all strays with KILL and returns those that are left after `limit`; `None` when they cannot be
    /// known, because orphans do not come to this process.
    pub(super) async fn sweep(&self, limit: Duration) -> Option<Vec<u32>> {
        if !self.adopting.load(Ordering::Acquire) {
            return None;
        }
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let strays = self.strays().ok()?;
            if strays.is_empty() || tokio::time::Instant::now() >= deadline {
                return Some(strays.iter().map(|entry| entry.pid).collect());
            }
            strays.iter().for_each(end);
            tokio::time::sleep(Duration::from_millis(SWEEP_PAUSE_MS)).await;
        }
    }

    /// Buries adopted children that have died by themselves: what our other programs left behind.
    pub(super) fn bury_dead(&self) {
        if self.adopting.load(Ordering::Acquire) {
            // Those that cannot be seen now are buried after the next run.
            self.strays().unwrap_or_default().iter().filter(|stray| stray.zombie).for_each(end);
        }
    }

    /// Our own children live in our session. One of another session that is no shim was adopted: only
    /// programs under a shim can leave the session, and nobody can enter ours from outside.
    fn strays(&self) -> io::Result<Vec<Entry>> {
        let live = self.live.lock();
        let own = std::process::id();
        let all = tree::all()?;
        let session = all.iter().find(|entry| entry.pid == own).map_or(0, |entry| entry.session);
        let adopted = all.iter().filter(|entry| entry.parent == own && entry.session != session);
        let roots: Vec<Entry> = adopted.filter(|entry| !live.contains(&entry.pid)).copied().collect();
        let below = roots.iter().flat_map(|root| tree::below(root.pid, &all)).collect::<Vec<_>>();
        Ok(roots.into_iter().chain(below).collect())
    }
}

/// Kills a living stray, and buries one that is dead and ours.
fn end(stray: &Entry) {
    if stray.zombie {
        let pid = i32::try_from(stray.pid).ok().and_then(Pid::from_raw);
        // The children of others cannot be buried here; they become ours when their parent goes.
        let _ = pid.map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
    } else {
        tree::send(stray, Signal::KILL);
    }
}
