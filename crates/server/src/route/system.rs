//! The program itself: what runs, what it keeps its data in, how it is, how much it logs.

use crate::ask::Ask;
use crate::health;
use crate::metric;
use crate::page::{End, by_place};
use crate::reply::{Answer, Reply};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use tiltyard_engine::door::Urgency;
use tiltyard_engine::reserve::Reserve;
use tiltyard_engine::{Durability, migrate, system};
use tiltyard_model::refusal::Refusal;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::frame::PROTOCOL;
use tiltyard_wire::page::PartQuery;
use tiltyard_wire::system as wire;
use tiltyard_wire::time::Time;

/// The media type of Prometheus's text format.
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Answer {
    Ok(plain(StatusCode::OK, "ok\n".to_owned()))
}

/// `GET /readyz`: the store is open, its schema is the program's, and the door takes deeds.
pub(crate) async fn ready(ask: Ask) -> Answer {
    health::answers(&ask.app, |_| Ok(())).await?;
    Ok(plain(StatusCode::OK, "ready\n".to_owned()))
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// `GET /metrics`, for Prometheus.
pub(crate) async fn prometheus(ask: Ask) -> Answer {
    let families = metric::measure(&ask.app, ask.pass()).await?;
    let mut response = plain(StatusCode::OK, metric::text(&families));
    response.headers_mut().insert(CONTENT_TYPE, PROMETHEUS);
    Ok(response)
}

/// `GET /api/v1/metrics`.
pub(crate) async fn metrics(ask: Ask) -> Answer {
    let families = metric::measure(&ask.app, ask.pass()).await?;
    Ok(Reply::ok(&wire::Metrics { metrics: metric::map(&families) }).into_response())
}

/// `GET /api/v1/health`.
pub(crate) async fn health(ask: Ask) -> Answer {
    let found = health::look(&ask.app).await;
    let shown = if ask.is_known() { found } else { health::in_words(found) };
    Ok(Reply::ok(&shown).into_response())
}

/// `GET /system/info`.
pub(crate) async fn info(ask: Ask) -> Answer {
    let build = ask.app.program.build();
    let info = wire::Info {
        name: "tiltyard".to_owned(),
        version: build.version,
        commit: build.commit,
        started_at: Time(ask.app.started_at),
        api: BASE_PATH.to_owned(),
        protocol: PROTOCOL,
        no_auth: ask.app.porter.is_open(),
    };
    Ok(Reply::ok(&info).one().unless_known(&ask.parts.headers))
}

/// `GET /system/store`.
pub(crate) async fn store(ask: Ask) -> Answer {
    let engine = &ask.app.engine;
    let (bytes, wal_bytes) = engine.store_bytes().await?;
    let steps = ask.read(|rows, _| migrate::steps(rows)).await?;
    let made = steps.iter().filter(|step| step.applied_at.is_some());
    let store = wire::Store {
        kind: engine.store().kind().to_owned(),
        version: engine.store_version().to_owned(),
        durability: match engine.store().durability() {
            Durability::Full => "full".to_owned(),
            Durability::Relaxed => "relaxed".to_owned(),
        },
        schema: made.map(|step| step.version).max().unwrap_or(0),
        epoch: engine.store().epoch(),
        last_seq: engine.door().bell().last_seq(),
        bytes,
        wal_bytes,
        disk_free_bytes: Reserve::of(engine.folder()).space().map_or(0, |space| space.free),
    };
    Ok(Reply::ok(&store).into_response())
}

/// `GET /system/settings`.
pub(crate) async fn settings(ask: Ask) -> Answer {
    Ok(Reply::ok(&ask.app.program.settings()).one().unless_known(&ask.parts.headers))
}

/// `GET /system/migrations`.
pub(crate) async fn migrations(ask: Ask) -> Answer {
    let asked: PartQuery = ask.query()?;
    let steps = ask.read(|rows, _| migrate::steps(rows)).await?;
    let item = |step: migrate::Step| wire::Migration {
        version: step.version,
        name: step.name,
        applied_at: step.applied_at.map(Time),
    };
    Ok(Reply::ok(&by_place(steps, &asked, End::First)?.map(item)).into_response())
}

fn level(ask: &Ask) -> Reply {
    Reply::ok(&wire::LogLevel { level: ask.app.program.log_level() }).one()
}

/// `GET /system/log-level`.
pub(crate) async fn log_level(ask: Ask) -> Answer {
    Ok(level(&ask).unless_known(&ask.parts.headers))
}

/// `PUT /system/log-level`: on record before it is done.
pub(crate) async fn set_log_level(mut ask: Ask) -> Answer {
    let wire::LogLevel { level: wanted } = ask.body().await?;
    ask.precondition().check(|| Some(level(&ask).body))?;
    if !crate::program::LOG_LEVELS.contains(&wanted.as_str()) {
        return Err(crate::program::no_such_level());
    }
    let keys = ["log.level".to_owned()];
    let told = move |act: &mut tiltyard_engine::Act<'_>| -> Result<(), Refusal> {
        system::settings_changed(act, &keys)
    };
    ask.app.engine.enter(ask.pass(), Urgency::Normal, told).await?;
    ask.app.program.set_log_level(&wanted)?;
    Ok(level(&ask).into_response())
}
