//! How the parts are (O23): each with a word, why, and since when.

use crate::app::App;
use crate::edge::stop::Stage;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_engine::agent::violations_since;
use tiltyard_engine::dead_letter::list::over;
use tiltyard_engine::event::tail::MAX_RING_EVENTS;
use tiltyard_engine::reserve::Reserve;
use tiltyard_engine::{Act, Pass, Urgency};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{HOUR_MS, TimeMs};
use tiltyard_wire::health::{Component, Health, Status};
use tiltyard_wire::time::Time;

/// More invalid messages of agents than this in an hour are looked at (C2).
const MAX_VIOLATIONS_AN_HOUR: usize = 50;

/// Events that followers may be behind before somebody should know: what is kept in memory for them.
const MAX_EVENTS_BEHIND: i64 = MAX_RING_EVENTS as i64;

/// A store that takes longer for nothing is not one to send work to.
const STORE_PATIENCE: Duration = Duration::from_secs(3);
/// How often somebody looks where nobody asks, in milliseconds: no `since` is further off.
const LOOK_EVERY_MS: u64 = 30_000;

/// When each part came to be as it is.
#[derive(Debug)]
pub(crate) struct Since {
    started_at: TimeMs,
    parts: Mutex<BTreeMap<&'static str, (Status, TimeMs)>>,
}

impl Since {
    /// Of a server that started then: what is well at the first look has been so since.
    pub(crate) fn start(started_at: TimeMs) -> Self {
        Self { started_at, parts: Mutex::default() }
    }

    /// Since when a part is as it is; from now on, if that is new.
    fn note(&self, part: &'static str, status: Status, now: TimeMs) -> TimeMs {
        let mut all = self.parts.lock();
        let known = all.entry(part).or_insert((Status::Ok, self.started_at));
        if known.0 != status {
            *known = (status, now);
        }
        known.1
    }
}

/// Looks now and then, as long as the server lives: who asks in the morning is told when it began at night.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        tokio::select! {
            _ = app.stop.clone().reached(Stage::Draining) => return,
            () = tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)) => {}
        }
        look(&app).await;
    }
}

/// What is known of a part: nothing, where it is as it should be.
type Complaint = Option<(Status, String)>;

/// Looks at every part.
pub(crate) async fn look(app: &App) -> Health {
    let now = app.engine.clock().now().wall;
    let since = now - HOUR_MS;
    let count = answers(app, move |act| violations_since(act, since)).await;
    let (store, agents) = (store(app, &count), agents(count));
    let complaints: [(&'static str, Complaint); 6] = [
        ("queue", queue(app, &store).await),
        ("store", store),
        ("agents", agents),
        ("streams", streams(app.engine.tail().behind())),
        ("security", security(app)),
        ("disk", disk(app)),
    ];
    let component = |(part, complaint): (&'static str, Complaint)| {
        let (status, reason) =
            complaint.map_or((Status::Ok, None), |(status, reason)| (status, Some(reason)));
        let since = Some(Time(app.since.note(part, status, now)));
        (part.to_owned(), Component { status, reason, since })
    };
    let components: BTreeMap<String, Component> = complaints.into_iter().map(component).collect();
    let status = components.values().map(|part| part.status).max().unwrap_or(Status::Ok);
    Health { status, components }
}

/// The same for somebody who showed no token: words only.
pub(crate) fn in_words(health: Health) -> Health {
    let bare =
        |(part, component): (String, Component)| (part, Component { reason: None, since: None, ..component });
    Health { components: health.components.into_iter().map(bare).collect(), ..health }
}

/// Whether the store takes a deed, and what an acknowledgement is worth.
fn store(app: &App, answer: &Result<usize, Refusal>) -> Complaint {
    if let Err(refusal) = answer {
        return Some((Status::Failing, refusal.message.clone()));
    }
    app.is_relaxed().then(|| {
        let said = "durability is relaxed: a power cut may lose what was acknowledged last";
        (Status::Degraded, said.to_owned())
    })
}

/// Whether the store takes a deed, and soon.
///
/// # Errors
/// Why not. 503 `store_unreachable` when it has not said so in time.
pub(crate) async fn answers<T: Send + 'static>(
    app: &App,
    deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let trouble = app.engine.door().trouble();
    let unreachable = |(since, reason): (Duration, String)| {
        let text = format!("the database cannot be used since {} s: {reason}", since.as_secs());
        Refusal::new(Code::StoreUnreachable, text).retry_after(1_000)
    };
    if let Some(told) = trouble.is_there() {
        return Err(unreachable(told));
    }
    let entered = app.engine.enter(Pass::system(), Urgency::Urgent, deed);
    match tokio::time::timeout(STORE_PATIENCE, entered).await {
        Ok(entered) => entered,
        Err(_) => Err(unreachable((STORE_PATIENCE, "it has not answered".to_owned()))),
    }
}

/// A store that does not answer is not asked for letters: whoever asks how things are waits for nobody.
async fn queue(app: &App, store: &Complaint) -> Complaint {
    let (waiting, limit) = (app.engine.door().queued(), app.engine.door().max_queued());
    if waiting > limit / 2 {
        let said = format!("{waiting} requests wait for the disk; from {limit} on new work is refused");
        return Some((Status::Degraded, said));
    }
    match store {
        Some((Status::Failing, _)) => None,
        _ => letters(app).await,
    }
}

/// Whether somebody should look at the dead letters (D11). Of which scopes they are is not everybody's business.
async fn letters(app: &App) -> Complaint {
    let limit = app.engine.letters().get();
    let read = app.engine.read(move |rows| over(rows, limit));
    let Ok(read) = tokio::time::timeout(STORE_PATIENCE, read).await else {
        return Some((Status::Degraded, "dead letters could not be counted in time".to_owned()));
    };
    match read {
        Ok(scopes) if scopes.is_empty() => None,
        Ok(scopes) => {
            let count = scopes.len();
            let said = format!("{count} scopes have more than {limit} dead letters that wait for a person");
            Some((Status::Degraded, said))
        }
        Err(refusal) => Some((Status::Degraded, refusal.message)),
    }
}

/// What agents have said wrong within an hour; nobody knows it where the store takes no deed.
fn agents(count: Result<usize, Refusal>) -> Complaint {
    let count = count.ok().filter(|count| *count > MAX_VIOLATIONS_AN_HOUR)?;
    Some((Status::Degraded, format!("{count} invalid messages came from agents within an hour")))
}

/// Whether those who follow the log hear of events about when they happen.
fn streams(behind: i64) -> Complaint {
    (behind > MAX_EVENTS_BEHIND).then(|| {
        let said = format!("{behind} events are committed that no stream has told yet");
        (Status::Degraded, said)
    })
}

fn security(app: &App) -> Complaint {
    let broken = app.engine.broken_chains().len();
    if broken > 0 {
        let said = format!("the audit record of {broken} chains is not whole: export and verify it");
        return Some((Status::Failing, said));
    }
    app.porter.is_open().then(|| {
        (Status::Degraded, "no tokens are asked for: whoever reaches the address is an admin".to_owned())
    })
}

fn disk(app: &App) -> Complaint {
    if let Some(complaint) = space(app) {
        return Some(complaint);
    }
    if let Some(damaged) = app.engine.damaged_bytes() {
        return Some((Status::Degraded, damaged));
    }
    if let Some(held) = app.engine.held_bytes() {
        return Some((Status::Degraded, held));
    }
    match app.engine.servers_without_bytes() {
        0 => None,
        count => Some((Status::Degraded, unseen(count))),
    }
}

/// Servers share the store, but not what lies beside it.
fn unseen(count: usize) -> String {
    format!(
        "artifacts and logs of this server lie in its data folder, where the {count} others of the store do not see them: set \
         `shared.blobs` on all of them to one folder (file:/path) or bucket (s3://name/prefix) that each of them reaches"
    )
}

fn space(app: &App) -> Complaint {
    match Reserve::of(app.engine.folder()).space() {
        Ok(space) if space.is_low() => {
            let said = format!("only {} bytes are free: new work is refused until there is room", space.free);
            Some((Status::Failing, said))
        }
        Ok(_) => None,
        Err(error) => Some((Status::Degraded, format!("the free space is unknown: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O23: streams that fall behind are told of.
    #[test]
    fn o23_streams_that_fall_behind_are_degraded() {
        assert_eq!(streams(MAX_EVENTS_BEHIND), None);
        let (status, reason) = streams(MAX_EVENTS_BEHIND + 1).expect("is behind");
        assert!(status == Status::Degraded && reason.contains("4097 events"), "{reason}");
    }

    // O23: a part tells since when it is as it is.
    #[test]
    fn o23_a_part_keeps_its_moment_until_it_changes() {
        let since = Since::start(1);
        assert_eq!(
            since.note("disk", Status::Ok, 3),
            1,
            "whoever asks first is not told that it began just now"
        );
        assert_eq!(since.note("store", Status::Failing, 4), 4);
        assert_eq!(since.note("disk", Status::Ok, 5), 1);
        assert_eq!(since.note("disk", Status::Failing, 7), 7);
        assert_eq!(since.note("disk", Status::Ok, 9), 9);
    }
}
