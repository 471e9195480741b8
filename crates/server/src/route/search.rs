//! Searching.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::reply::{Answer, Reply};
use std::collections::HashSet;
use std::str::FromStr;
use tiltyard_engine::search::{self as searched, Found, Hit, Place, Search};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Reach;
use tiltyard_model::search::{Kind, Words};
use tiltyard_wire::page::TotalIs;
use tiltyard_wire::search as wire;

/// `GET /search`.
pub(crate) async fn search(ask: Ask) -> Answer {
    let asked: wire::Query = ask.query()?;
    let typed = asked.q.as_deref().unwrap_or_default();
    let words = Words::parse(typed)?;
    let scopes = ask.scopes(asked.scope.as_deref())?;
    let kinds = kinds(asked.kind.as_deref())?;
    let (place, before) = asked.cursor.as_deref().map_or(Ok((Place::Names(0), 0)), read_cursor)?;
    if let Ok(id) = Id::from_str(typed.trim()) {
        return by_id(&ask, id, scopes, kinds).await;
    }
    let limit = Span::of(asked.limit, None, None)?.limit as usize;
    let search = Search { words, scopes, kinds, place, limit };
    let mut found = ask.read(move |rows, caller| searched::search(rows, caller, &search)).await?;
    hide_agents(&ask, &mut found).await?;
    Ok(shown(found, before))
}

async fn by_id(ask: &Ask, id: Id, scopes: Option<Vec<String>>, kinds: Vec<Kind>) -> Answer {
    let hit = ask.read(move |rows, caller| searched::by_id(rows, caller, id)).await?;
    let is_meant = |hit: &Hit| {
        let named = |scope: &String| scopes.as_ref().is_none_or(|named| named.contains(scope));
        hit.scope.as_ref().is_none_or(named) && (kinds.is_empty() || kinds.contains(&hit.kind))
    };
    Ok(shown(Found { hits: hit.into_iter().filter(is_meant).collect(), next: None }, 0))
}

/// Takes away the agents that serve none of the caller's scopes; a token of all scopes knows them all.
async fn hide_agents(ask: &Ask, found: &mut Found) -> Result<(), Refusal> {
    let is_agent = |hit: &&Hit| hit.kind == Kind::Agent;
    let names: Vec<String> = found.hits.iter().filter(is_agent).map(|hit| hit.title.clone()).collect();
    if names.is_empty() || ask.caller.reach == Reach::All {
        return Ok(());
    }
    let deed = move |act: &mut Act<'_>| Ok(searched::visible_agents(act, &names));
    let visible = ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await?;
    let visible: HashSet<String> = visible.into_iter().collect();
    found.hits.retain(|hit| hit.kind != Kind::Agent || visible.contains(&hit.title));
    Ok(())
}

fn shown(found: Found, before: u64) -> axum::response::Response {
    let items: Vec<wire::Hit> = found.hits.into_iter().map(view).collect();
    let (total, more) = (before.saturating_add(items.len() as u64), found.next.is_some());
    let next_cursor = found.next.map(|place| cursor(place, total));
    let total_is = more.then_some(TotalIs::AtLeast);
    Reply::ok(&wire::Answer { items, next_cursor, total, total_is, more }).into_response()
}

fn view(hit: Hit) -> wire::Hit {
    let id = hit.id.map_or_else(|| hit.title.clone(), |id| id.to_string());
    wire::Hit { kind: hit.kind, id, scope: hit.scope, title: hit.title, state: hit.state }
}

/// Where the search goes on, and how many it has found.
fn cursor(place: Place, found: u64) -> String {
    match place {
        Place::Names(after) => format!("name-{after}-{found}"),
        Place::Things(below) => format!("thing-{below}-{found}"),
    }
}

fn read_cursor(text: &str) -> Result<(Place, u64), Refusal> {
    let parts: Vec<&str> = text.split('-').collect();
    let read = |place: &str| place.parse().map_err(|_| bad_cursor());
    match parts.as_slice() {
        ["name", after, found] => Ok((Place::Names(after.parse().map_err(|_| bad_cursor())?), read(found)?)),
        ["thing", below, found] => {
            Ok((Place::Things(below.parse().map_err(|_| bad_cursor())?), read(found)?))
        }
        _ => Err(bad_cursor()),
    }
}

fn kinds(text: Option<&str>) -> Result<Vec<Kind>, Refusal> {
    let words = text.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    let read = |word: &str| {
        let found: Result<Kind, _> = serde_json::from_value(word.into());
        let all = Kind::ALL.map(|kind| serde_json::json!(kind).as_str().unwrap_or_default().to_owned());
        found.map_err(|_| {
            let said = format!("`kind`: `{word}` is none; there are: {}", all.join(" "));
            Refusal::new(Code::BadParameter, said)
        })
    };
    words.filter(|word| !word.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api3_a_cursor_comes_back_as_it_was() {
        for place in [Place::Names(7), Place::Things(i64::MAX)] {
            assert_eq!(read_cursor(&cursor(place, 3)).unwrap(), (place, 3));
        }
        for bad in ["", "name-1", "name--1-2", "thing-x-1", "task_01"] {
            assert_eq!(read_cursor(bad).unwrap_err().code, Code::BadParameter, "{bad}");
        }
    }
}
