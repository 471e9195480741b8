//! The inbox (D27).

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::reply::{Answer, Reply};
use crate::view;
use tiltyard_engine::inbox::{After, Filter, Kind, page};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::inbox as wire;
use tiltyard_wire::page::Page;

/// `GET /inbox`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let kind = asked.kind.as_deref().map(kind).transpose()?;
    let filter = Filter { scopes: ask.scopes(asked.scope.as_deref())?, kind };
    let span = Span::of(asked.limit, None, None)?;
    let after = asked.cursor.as_deref().map_or(Ok(After::TOP), after)?;
    let read = ask.read(move |rows, caller| {
        let page = page(rows, caller, &filter, (after, span.limit))?;
        let next = page.next.map(|next| format!("{}.{}", next.weight, rows.id(Noun::Gate, next.key)));
        Ok((page, next))
    });
    let (page, next) = read.await?;
    let now = ask.app.engine.clock().now().wall;
    let tokens = ask.app.engine.tokens();
    let view = |item| view::inbox::view(item, &ask.caller, (tokens, now));
    let items = page.items.iter().map(view).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

fn kind(text: &str) -> Result<Kind, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let words = Kind::ALL.map(Kind::as_str).join(", ");
    let said = format!("`kind`: `{shown}` is none; one of {words}");
    Kind::parse(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

/// The place that a cursor names: how much waits behind the last item, and its key, written as an id like every key.
fn after(cursor: &str) -> Result<After, Refusal> {
    let (weight, id) = cursor.split_once('.').ok_or_else(bad_cursor)?;
    let weight = weight.parse().ok().filter(|weight| *weight >= 0).ok_or_else(bad_cursor)?;
    let id = Id::parse_as(Noun::Gate, id).map_err(|_| bad_cursor())?;
    Ok(After { weight, key: id.key() })
}
