//! Watches over one tree of processes until nothing of it is alive.

use crate::process::frame::{self, Order, Report};
use crate::process::tree::{self, Entry};
use crate::process::{Exit, Graces};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus, wait};
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Pause between two rounds of KILL: who forks faster than it is killed is met again.
const KILL_PAUSE_MS: u64 = 20;
/// The same pause once the end counts as unconfirmed.
const HUNT_PAUSE_MS: u64 = 1_000;
/// Most process ids in a report.
const MAX_REPORTED_PIDS: usize = 64;
/// A moment that does not come: about thirty years.
const NEVER: Duration = Duration::from_secs(1_000_000_000);

/// Where the end of the tree stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The program works.
    Running,
    /// TERM was sent; KILL follows at this moment.
    Asked(Instant),
    /// KILL is sent, again and again; the end counts as unconfirmed from this moment on.
    Killing(Instant),
    /// KILL is sent still, though nobody waits for it any more.
    Hunting,
}

/// Ready to watch. Made before the program starts, so that no death can be missed.
pub(super) struct Guard {
    graces: Graces,
    deaths: Listener,
    asked: Listener,
}

impl Guard {
    pub(super) fn new(graces: Graces) -> io::Result<Self> {
        Ok(Self { graces, deaths: signal(SignalKind::child())?, asked: signal(SignalKind::terminate())? })
    }

    /// Watches `program` and all below this process. Ends when the kernel says that no child is left.
    pub(super) async fn watch(
        mut self,
        program: u32,
        (orders, mut reports): (OwnedReadHalf, OwnedWriteHalf),
    ) -> io::Result<()> {
        let mut orders = listen(orders);
        let mut watch = Watch::new(program, self.graces);
        let mut agent_lives = true;
        loop {
            while let Some(report) = watch.reap()? {
                let last = matches!(report, Report::Gone { .. });
                // An agent that cannot be told is dead; that is noticed below.
                frame::send(&mut reports, &report).await.ok();
                if last {
                    return Ok(());
                }
            }
            tokio::select! {
                _ = self.deaths.recv() => {}
                _ = self.asked.recv() => watch.ask(self.graces.stop_ms),
                order = orders.recv(), if agent_lives => match order {
                    Some(Order::Stop) => watch.ask(self.graces.stop_ms),
                    None => {
                        agent_lives = false;
                        watch.ask(self.graces.orphan_ms);
                    }
                },
                () = sleep_until(watch.next) => if let Some(report) = watch.tick() {
                    // As above.
                    frame::send(&mut reports, &report).await.ok();
                },
            }
        }
    }
}

fn listen(mut orders: OwnedReadHalf) -> mpsc::Receiver<Order> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(Some(order)) = frame::receive(&mut orders).await {
            if sender.send(order).await.is_err() {
                return;
            }
        }
    });
    receiver
}

struct Watch {
    program: u32,
    graces: Graces,
    exited: bool,
    phase: Phase,
    /// When [`Watch::tick`] is to be called next.
    next: Instant,
    leftovers: BTreeSet<u32>,
}

impl Watch {
    fn new(program: u32, graces: Graces) -> Self {
        let next = Instant::now() + NEVER;
        Self { program, graces, exited: false, phase: Phase::Running, next, leftovers: BTreeSet::new() }
    }

    /// Buries the dead until there is something to report, or nobody is dead any more.
    fn reap(&mut self) -> io::Result<Option<Report>> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status)))
                    if pid.as_raw_nonzero().get().unsigned_abs() == self.program && !self.exited =>
                {
                    self.exited = true;
                    self.ask(self.graces.leftover_ms);
                    return Ok(exit_of(status).map(Report::Exited));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(None),
                Err(Errno::CHILD) => {
                    let leftovers = u32::try_from(self.leftovers.len()).unwrap_or(u32::MAX);
                    return Ok(Some(Report::Gone { leftovers }));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends TERM to the whole tree, with this grace; a grace that runs already is only ever shortened.
    fn ask(&mut self, grace_ms: u64) {
        let kill_at = Instant::now() + Duration::from_millis(grace_ms);
        match self.phase {
            Phase::Running => self.phase = Phase::Asked(kill_at),
            Phase::Asked(earlier) => self.phase = Phase::Asked(earlier.min(kill_at)),
            Phase::Killing(_) | Phase::Hunting => return,
        }
        if let Phase::Asked(kill_at) = self.phase {
            self.next = kill_at;
        }
        for entry in self.alive() {
            tree::send(&entry, Signal::TERM);
            // One that is stopped would not hear it.
            tree::send(&entry, Signal::CONT);
        }
    }

    /// Does what the time has come for; a report when patience ends.
    fn tick(&mut self) -> Option<Report> {
        let now = Instant::now();
        if let Phase::Asked(_) = self.phase {
            self.phase = Phase::Killing(now + Duration::from_millis(self.graces.confirm_ms));
        }
        let alive = self.alive();
        alive.iter().for_each(|entry| tree::send(entry, Signal::KILL));
        match self.phase {
            Phase::Killing(patience) if now >= patience => {
                self.phase = Phase::Hunting;
                self.next = now + Duration::from_millis(HUNT_PAUSE_MS);
                let pids = alive.iter().map(|entry| entry.pid).take(MAX_REPORTED_PIDS).collect();
                return Some(Report::Surviving { pids });
            }
            Phase::Killing(_) => self.next = now + Duration::from_millis(KILL_PAUSE_MS),
            Phase::Running | Phase::Asked(_) | Phase::Hunting => {
                self.next = now + Duration::from_millis(HUNT_PAUSE_MS);
            }
        }
        None
    }

    /// Who lives below this process; after the program's own end they are what it left behind.
    fn alive(&mut self) -> Vec<Entry> {
        // Should `/proc` fail, the next round looks again, and patience ends as unconfirmed.
        let all = tree::all().unwrap_or_default();
        let alive: Vec<Entry> =
            tree::below(std::process::id(), &all).into_iter().filter(|entry| !entry.zombie).collect();
        if self.exited {
            self.leftovers.extend(alive.iter().map(|entry| entry.pid));
        }
        alive
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}
