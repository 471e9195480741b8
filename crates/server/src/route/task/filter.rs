//! Filters of lists: words of a query as words of the engine.

use crate::ask::Ask;
use tiltyard_engine::task::list::{Filter, Window, limit_to};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::State;
use tiltyard_wire::page::{DEFAULT_PAGE_ITEMS, MAX_OFFSET_ITEMS, MAX_PAGE_ITEMS};
use tiltyard_wire::task as wire;

/// Which tasks are meant, as far as the caller may see them.
///
/// # Errors
/// 400 for a state that is none, 403 for a scope that is not the token's.
pub(crate) fn filter(ask: &Ask, asked: &wire::Filter) -> Result<Filter, Refusal> {
    let mut filter = Filter {
        scopes: ask.scopes(asked.scope.as_deref())?,
        states: states(asked.state.as_deref())?,
        queue: asked.queue.clone(),
        queues: None,
        kind: asked.kind.clone(),
        category: asked.category.clone(),
        label: asked.label.clone(),
        agent: asked.agent.clone(),
        words: asked.q.clone(),
    };
    limit_to(&mut filter, &ask.caller);
    Ok(filter)
}

fn states(text: Option<&str>) -> Result<Vec<State>, Refusal> {
    let words = text.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    let read = |word: &str| {
        let all = State::ALL.map(State::as_str).join(" ");
        let said = format!("`state`: `{word}` is no state; there are: {all}");
        State::parse(word).ok_or_else(|| Refusal::new(Code::BadParameter, said))
    };
    words.filter(|word| !word.is_empty()).map(read).collect()
}

/// Which part of the list is meant.
///
/// # Errors
/// 400 for a cursor that no page gave, an offset beyond 10,000, or both.
pub(crate) fn window(asked: &wire::Filter) -> Result<Window, Refusal> {
    let below = asked.cursor.as_deref().map(cursor).transpose()?.unwrap_or(i64::MAX);
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    Ok(Window { below, offset: span.offset, limit: span.limit })
}

fn cursor(text: &str) -> Result<i64, Refusal> {
    let said = "`cursor`: send `next_cursor` of the page before, as it was";
    Id::parse_as(Noun::Task, text).map(Id::key).map_err(|_| Refusal::new(Code::BadParameter, said))
}

/// How many items, after how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// How many to pass over.
    pub(crate) offset: u32,
    /// How many at most.
    pub(crate) limit: u32,
}

impl Span {
    /// As API3 says: a limit is clamped, an offset is not.
    ///
    /// # Errors
    /// 400 for an offset beyond 10,000, or together with a cursor.
    pub(crate) fn of(limit: Option<u32>, offset: Option<u32>, cursor: Option<&str>) -> Result<Self, Refusal> {
        let bad = |said: &str| Err(Refusal::new(Code::BadParameter, said));
        if cursor.is_some() && offset.is_some() {
            return bad("`offset`: say where the page begins by `cursor` or by `offset`, not by both");
        }
        let offset = offset.unwrap_or(0);
        if offset > MAX_OFFSET_ITEMS {
            return bad("`offset`: at most 10,000; follow `next_cursor` to go further");
        }
        Ok(Self { offset, limit: limit.unwrap_or(DEFAULT_PAGE_ITEMS).clamp(1, MAX_PAGE_ITEMS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API3: limit 1 to 100, default 50, clamped; offset at most 10,000.
    #[test]
    fn api3_a_page_has_bounds() {
        let span = |limit, offset| Span::of(limit, offset, None).map_err(|refusal| refusal.code);
        assert_eq!(span(None, None), Ok(Span { offset: 0, limit: 50 }));
        assert_eq!(span(Some(0), Some(10_000)), Ok(Span { offset: 10_000, limit: 1 }));
        assert_eq!(span(Some(101), None), Ok(Span { offset: 0, limit: 100 }));
        assert_eq!(span(None, Some(10_001)), Err(Code::BadParameter));
        assert!(Span::of(None, Some(0), Some("x")).is_err());
    }

    #[test]
    fn states_come_by_comma() {
        assert_eq!(states(Some("ready, dead")).unwrap(), [State::Ready, State::Dead]);
        assert_eq!(states(None).unwrap(), []);
        assert_eq!(states(Some("done")).unwrap_err().code, Code::BadParameter);
    }
}
