//! Events, read page by page (API20); followers are `live/event.rs`. Both read a query here, so that they mean the same.

use crate::ask::Ask;
use crate::pen;
use crate::reply::{Answer, Reply};
use crate::view;
use http::StatusCode;
use tiltyard_engine::event::{self as events, Filter, Page, filter_for};
use tiltyard_model::event::cursor::Cursor;
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_wire::event as wire;

/// Events of a page that does not say how many.
const DEFAULT_PAGE_EVENTS: u32 = 100;
/// Longest name that a filter takes, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// `GET /events`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Query = ask.query()?;
    let filter = filter(&ask.caller, &asked)?;
    let after = asked.after.as_deref().map(Cursor::parse).transpose()?;
    let limit = asked.limit.unwrap_or(DEFAULT_PAGE_EVENTS).clamp(1, wire::MAX_PAGE_EVENTS);
    let epoch = ask.app.engine.store().epoch();
    let read = move |rows: &_, _: &Caller| events::page(rows, epoch, after, &filter, limit as usize);
    let page = ask.read(read).await?;
    Ok(Reply::text(StatusCode::OK, text(&page, &ask.app.source)).into_response())
}

fn text(page: &Page, source: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.items.len() * view::event::ROOM_BYTES + 64);
    pen::object(&mut out, |pen| {
        pen.member("items", |out| {
            pen::list(out, &page.items, |out, event| view::event::write(out, event, source));
        });
        pen.any("next_cursor", &page.next);
        pen.any("latest", &page.latest);
    });
    out
}

/// Which events a query means, as far as the caller may see them.
///
/// # Errors
/// 400 for a type or a subject that cannot be, 403 for a scope that is not the token's.
pub(crate) fn filter(caller: &Caller, asked: &wire::Query) -> Result<Filter, Refusal> {
    let types = asked.types.as_deref().map(types).transpose()?;
    let subject = asked.subject.as_deref().map(subject).transpose()?;
    let run = asked.run.as_deref().map(run).transpose()?;
    Ok(Filter { types, subject, run, ..filter_for(caller, asked.scope.as_deref())? })
}

fn run(text: &str) -> Result<Id, Refusal> {
    let said = "`run`: must be the id of a run";
    Id::parse_as(Noun::Run, text).map_err(|_| Refusal::new(Code::BadParameter, said))
}

fn types(text: &str) -> Result<Vec<Type>, Refusal> {
    let mut types = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let found = Type::matching(word);
        if found.is_empty() {
            let shown: String = word.chars().take(64).collect();
            let said =
                format!("`types`: `{shown}` is neither a type (`task.ready`) nor a noun (`task`) of events");
            return Err(Refusal::new(Code::BadParameter, said));
        }
        types.extend(found);
    }
    Ok(types)
}

fn subject(text: &str) -> Result<Subject, Refusal> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES {
        return Err(Refusal::new(
            Code::BadParameter,
            "`subject`: must be an id or a name of at most 256 bytes",
        ));
    }
    Ok(text.parse::<Id>().map_or_else(|_| Subject::from(text), Subject::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::role::Reach;

    fn asked(types: &str) -> wire::Query {
        wire::Query { types: Some(types.into()), ..wire::Query::default() }
    }

    // API20: the filters of events.
    #[test]
    fn api20_types_are_types_or_nouns_by_comma() {
        let all = Caller::system();
        let read = |text: &str| filter(&all, &asked(text)).map(|filter| filter.types.unwrap());
        assert_eq!(read("task.ready, tiltyard.task.dead").unwrap(), [Type::TaskReady, Type::TaskDead]);
        assert!(read("task").unwrap().len() > 5);
        assert_eq!(read("task.raedy").unwrap_err().code, Code::BadParameter);
        let run = wire::Query { run: Some("x".into()), ..wire::Query::default() };
        assert_eq!(filter(&all, &run).unwrap_err().code, Code::BadParameter);
    }

    // SEC4: without a scope the token's own are meant, one that is not its own is refused.
    #[test]
    fn sec4_a_filter_never_leaves_the_scopes_of_its_token() {
        let caller = Caller { reach: Reach::Only(vec!["a".into()]), ..Caller::system() };
        let named = |scope: &str| wire::Query { scope: Some(scope.into()), ..wire::Query::default() };
        assert_eq!(filter(&caller, &wire::Query::default()).unwrap().scopes, Some(vec!["a".to_owned()]));
        assert_eq!(filter(&caller, &named("a")).unwrap().scopes, Some(vec!["a".to_owned()]));
        assert_eq!(filter(&caller, &named("b")).unwrap_err().code, Code::ScopeForbidden);
    }
}
