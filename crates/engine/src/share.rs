//! What a server does because it shares its store with others (O16): it says that it is there, hears when they have written,
//! and does what only one of them does when that is its turn.

mod name;

use crate::act::{Act, refusal_of};
use crate::door::Door;
use crate::{Engine, OpenError, Pass, Urgency};
use name::Hold;
pub(crate) use name::{is_rival, name_is_taken};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{DurationMs, MINUTE_MS, TimeMs};
use tiltyard_store::journal;
use tiltyard_store::leader::{self, Duty};
use tiltyard_store::postgres::{Sessions, Wakes};
use tiltyard_store::server::{self, Server};
use tokio::task::JoinHandle;

/// The duty of whoever sweeps for all: ends what has run out, removes what is old.
pub const SWEEPS: &str = "sweeps";
/// For how long the duty is taken: a leader that is gone is followed by another after so long, once that one looks.
pub const LEAD_MS: DurationMs = 7_000;
/// So much earlier a leader takes its time for over than others do.
const MARGIN_MS: DurationMs = 1_000;
/// A server that was not seen for so long is no more: the journal is not kept for it.
const GONE_AFTER_MS: DurationMs = 2 * MINUTE_MS;
/// So many rows of the journal are kept beside what servers still need: for whoever looks, and for who comes back soon.
const KEPT_ROWS: i64 = 1_000;
/// How long the connection for wake-ups rests after it was lost.
const REST: Duration = Duration::from_millis(500);

/// How a server shares its store.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// The database's address, `postgres://…`.
    pub url: String,
    /// This server's name; no other one may have it.
    pub name: String,
    /// Where other servers and people reach it.
    pub address: String,
    /// Wake nobody and be woken by nobody, but look often: where a pool of connections stands between (PgBouncer).
    pub poll_only: bool,
}

/// How often the journal is looked at although nobody wakes.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);
/// How often it is looked at where nobody can wake.
const POLL_EVERY: Duration = Duration::from_millis(50);

impl Sharing {
    /// A server without a name of its own that shares the store at this address.
    pub fn of(url: String) -> Self {
        let name = format!("server-{}", std::process::id());
        Self { url, name, address: String::new(), poll_only: false }
    }

    /// Where a pool may stand between, nothing is kept in its sessions.
    pub(crate) fn sessions(&self) -> Sessions {
        if self.poll_only { Sessions::Mixed } else { Sessions::Own }
    }

    pub(crate) fn look_every(&self) -> Duration {
        if self.poll_only { POLL_EVERY } else { LOOK_ANYWAY }
    }
}

/// Which process of which server this is, and until when it leads.
pub(crate) struct Post {
    name: String,
    instance: String,
    address: String,
    /// By the time of the database; 0 while another one leads.
    leads_until: AtomicI64,
    /// How many other servers were there when this one last looked.
    others: AtomicUsize,
    /// Where the journal began when this one last forgot some of it.
    kept_from: AtomicI64,
    /// The lock on the data folder.
    hold: Hold,
}

impl Post {
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn new(sharing: &Sharing) -> Result<Self, OpenError> {
        let Sharing { name, address, .. } = sharing.clone();
        let mut word = [0; 8];
        getrandom::fill(&mut word).map_err(|error| OpenError::System(error.to_string()))?;
        let instance = format!("{:016x}", u64::from_le_bytes(word));
        let (leads_until, others, hold) = (AtomicI64::new(0), AtomicUsize::new(0), Hold::default());
        let kept_from = AtomicI64::new(0);
        Ok(Self { name, instance, address, leads_until, others, kept_from, hold })
    }

    /// The word for it in the journal.
    pub(crate) fn word(&self) -> String {
        format!("{}/{}", self.name, self.instance)
    }

    /// Its row, before it was seen anywhere.
    pub(crate) fn own(&self) -> Server {
        let (name, instance, address) = (self.name.clone(), self.instance.clone(), self.address.clone());
        Server { name, instance, address, seen_at: 0, applied: 0 }
    }

    fn leads(&self, now: TimeMs) -> bool {
        now < self.leads_until.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// The word for this process among those that share the store, or were here before it.
    pub(crate) fn word(&self) -> String {
        self.post().map_or_else(|| "here".to_owned(), Post::word)
    }

    /// Whether this server does what only one does. Always, where there is only one.
    pub fn leads(&self) -> bool {
        self.post().is_none_or(|post| post.leads(self.clock().now().wall))
    }

    /// Says that this server is there, how far it has followed, and takes the lead when nobody has it.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub async fn report(&self) -> Result<(), Refusal> {
        let (Some(post), Some(progress)) = (self.post(), self.door().progress()) else { return Ok(()) };
        let (own, applied) = (post.own(), progress.seen());
        let (leads, others) =
            self.enter(Pass::system(), Urgency::Urgent, move |act| report(act, own, applied)).await?;
        post.others.store(others, Ordering::Relaxed);
        post.leads_until.store(leads.unwrap_or_default(), Ordering::Relaxed);
        if leads.is_some() {
            let kept_from = post.kept_from.load(Ordering::Relaxed);
            let tidied = self.enter(Pass::system(), Urgency::Normal, move |act| tidy(act, kept_from)).await?;
            post.kept_from.store(tidied, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Other servers of the store, as of the last look; 0 where it is not shared.
    pub(crate) fn other_servers(&self) -> usize {
        self.post().map_or(0, |post| post.others.load(Ordering::Relaxed))
    }

    /// Gives up what others would otherwise wait for.
    pub(crate) async fn leave(&self) -> Result<(), Refusal> {
        let Some(post) = self.post() else { return Ok(()) };
        post.leads_until.store(0, Ordering::Relaxed);
        let (word, own) = (post.word(), post.own());
        let leave = move |act: &mut Act<'_>| {
            leader::give_up(act.tx, SWEEPS, &word).map_err(refusal_of)?;
            server::delete(act.tx, &own.name, &own.instance).map_err(refusal_of)
        };
        self.enter(Pass::system(), Urgency::Urgent, leave).await
    }
}

/// Until when this server leads, when it does, and how many others there are.
fn report(act: &mut Act<'_>, own: Server, applied: i64) -> Result<(Option<TimeMs>, usize), Refusal> {
    let now = act.now.wall;
    let word = format!("{}/{}", own.name, own.instance);
    let is_other = |server: &Server| server.name != own.name && (server.seen_at - now).abs() < LEAD_MS;
    let servers = server::all(act.tx).map_err(refusal_of)?;
    let others = servers.iter().filter(|server| is_other(server)).count();
    // While this one stood still, its name was given away: two of a name would tell of one only.
    if let Some(rival) = servers.iter().find(|other| is_rival(other, &own, now)) {
        return Err(Refusal::new(Code::Internal, name_is_taken(rival)));
    }
    server::put(act.tx, &Server { seen_at: now, applied, ..own }).map_err(refusal_of)?;
    let duty = Duty { duty: SWEEPS.to_owned(), server: word, until: now + LEAD_MS };
    let leads = leader::take(act.tx, &duty, now).map_err(refusal_of)?;
    Ok((leads.then_some(duty.until - MARGIN_MS), others))
}

/// Forgets servers that are no more, and what every other one has followed. Who was seen in the future was seen before the database's
/// clock was set back. Gives the oldest row of the journal that was there; `kept_from` is what it gave before.
fn tidy(act: &mut Act<'_>, kept_from: i64) -> Result<i64, Refusal> {
    let mut followed = journal::head(act.tx).map_err(refusal_of)? - KEPT_ROWS;
    for server in server::all(act.tx).map_err(refusal_of)? {
        if (server.seen_at - act.now.wall).abs() > GONE_AFTER_MS {
            server::delete(act.tx, &server.name, &server.instance).map_err(refusal_of)?;
        } else {
            followed = followed.min(server.applied);
        }
    }
    if followed <= 0 {
        return Ok(kept_from);
    }
    journal::prune(act.tx, kept_from, followed).map_err(refusal_of)
}

/// Wakes others when this server has written, and looks when others have, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waking(JoinHandle<()>);

impl Waking {
    pub(crate) fn start(wakes: Wakes, door: Door) -> Self {
        Self(tokio::spawn(carry(wakes, door)))
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn carry(wakes: Wakes, door: Door) {
    let Some(mut grown) = door.progress().map(crate::door::line::Progress::grown) else { return };
    let mut quiet = false;
    loop {
        let heard = || door.nudge();
        match wakes.carry(&mut grown, heard).await {
            Ok(()) => return,
            // The database is away: its own trouble is told elsewhere.
            Err(error) if !quiet => {
                tracing::warn!(target: "store", "wake-ups are cut off, the journal is looked at by a timer: {error}");
                quiet = true;
            }
            Err(_) => {}
        }
        door.nudge();
        tokio::time::sleep(REST).await;
    }
}
