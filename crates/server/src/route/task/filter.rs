//! Filters of lists: words of a query as words of the engine.

use crate::ask::Ask;
use crate::page::{Span, below};
use tiltyard_engine::task::list::{Filter, Window, limit_to};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::State;
use tiltyard_wire::task as wire;

/// Which tasks are meant, as far as the caller may see them.
///
/// # Errors
/// 400 for a state or a run that is none, 403 for a scope that is not the token's.
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
        run: asked.run.as_deref().map(run).transpose()?,
        running: None,
    };
    limit_to(&mut filter, &ask.caller);
    Ok(filter)
}

fn run(text: &str) -> Result<Id, Refusal> {
    let said = "`run`: must be the id of a run";
    Id::parse_as(Noun::Run, text).map_err(|_| Refusal::new(Code::BadParameter, said))
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
    let below = below(Noun::Task, asked.cursor.as_deref())?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    Ok(Window { below, offset: span.offset, limit: span.limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_by_comma() {
        assert_eq!(states(Some("ready, dead")).unwrap(), [State::Ready, State::Dead]);
        assert_eq!(states(None).unwrap(), []);
        assert_eq!(states(Some("done")).unwrap_err().code, Code::BadParameter);
    }
}
