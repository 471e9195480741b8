//! The board.

use crate::ask::Ask;
use crate::pen;
use crate::reply::{Answer, Reply};
use crate::view;
use http::StatusCode;
use tiltyard_engine::Urgency;
use tiltyard_engine::board::{self as boards, Part};
use tiltyard_engine::task::Found;
use tiltyard_engine::task::list::{self as lists, Filter, limit_to};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::State;
use tiltyard_model::time::{TimeMs, parse_rfc3339};
use tiltyard_wire::board as wire;
use tiltyard_wire::board::MAX_WINDOW_TASKS;

/// Tasks a column of a board that does not say how many.
const DEFAULT_WINDOW_TASKS: u32 = 50;

/// A board: counts by the state's number, and the first tasks of each state.
type Board = ([u64; State::ALL.len()], Vec<(State, Vec<Found>)>);

/// `GET /board`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let asked: wire::Query = ask.query()?;
    let window = asked.window.unwrap_or(DEFAULT_WINDOW_TASKS).min(MAX_WINDOW_TASKS);
    let part = Part { scopes: ask.scopes(asked.scope.as_deref())?, queue: asked.queue.clone() };
    let now = ask.app.engine.clock().now().wall;
    let at = asked.at.as_deref().map(moment).transpose()?.filter(|at| *at < now);
    let board = match at {
        Some(at) => past(&ask, part, at, window).await?,
        None => present(&ask, part, window).await?,
    };
    Ok(Reply::text(StatusCode::OK, text(at.unwrap_or(now), &board)).into_response())
}

fn moment(text: &str) -> Result<TimeMs, Refusal> {
    let said = "`at`: expected a time such as 2026-11-20T07:14:00Z (RFC 3339)";
    parse_rfc3339(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

async fn past(ask: &Ask, part: Part, at: TimeMs, window: u32) -> Result<Board, Refusal> {
    let past = ask.read(move |rows, caller| boards::at(rows, caller, &part, at, window as usize)).await?;
    Ok((past.counts, past.columns))
}

async fn present(ask: &Ask, part: Part, window: u32) -> Result<Board, Refusal> {
    let mut filter = Filter { scopes: part.scopes.clone(), queue: part.queue.clone(), ..Filter::default() };
    limit_to(&mut filter, &ask.caller);
    let (meant, is_shared) = (filter.clone(), ask.app.engine.store().is_shared());
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let running = if is_shared { lists::running(act, &meant) } else { None };
        Ok((boards::counts(act, &part)?, running))
    };
    let (counts, running) = ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await?;
    filter.running = running;
    let columns = ask.read(move |rows, _| lists::columns(rows, &filter, window)).await?;
    Ok((counts, columns))
}

fn text(at: TimeMs, (counts, columns): &Board) -> Vec<u8> {
    let mut out = Vec::new();
    pen::object(&mut out, |pen| {
        pen.time("at", Some(at));
        pen.any("counts", &view::queue::counts(|state| counts[state as usize]));
        pen.member("columns", |out| {
            pen::list(out, columns, |out, (state, tasks)| {
                pen::object(out, |pen| {
                    pen.any("state", state);
                    pen.any("total", &counts[*state as usize]);
                    pen.member("tasks", |out| {
                        pen::list(out, tasks, |out, found| view::task::write_brief(out, &found.task));
                    });
                });
            });
        });
    });
    out
}
