//! The audit record: read, counted, handed out.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::reply::{Answer, Reply};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;
use tiltyard_engine::audit::{self as audits, Filter, Place, Window};
use tiltyard_engine::{Engine, Urgency};
use tiltyard_model::audit::Entry;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{TimeMs, parse_rfc3339};
use tiltyard_wire::audit as wire;
use tiltyard_wire::page::{Page, ScopeQuery};
use tiltyard_wire::time::Time;

/// Entries of an export that are read and sent together.
const ENTRIES_AT_ONCE: u32 = 500;
/// An entry a line.
const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// `GET /audit`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let before = asked.cursor.as_deref().map(|text| read_cursor(text).ok_or_else(bad_cursor)).transpose()?;
    let window = Window { before, offset: span.offset, limit: span.limit };
    let filter = Filter {
        chains: None,
        action: asked.action,
        actor: asked.actor,
        target: asked.target,
        since: moment("since", asked.since.as_deref())?,
        until: moment("until", asked.until.as_deref())?,
    };
    let page = ask.read(move |rows, caller| {
        let chains = audits::chains(rows, caller, asked.scope.as_deref())?;
        audits::page(rows, &Filter { chains, ..filter }, &window)
    });
    let page = page.await?;
    Ok(Reply::ok(&Page::new(page.items, page.next.as_ref().map(cursor), page.total)).into_response())
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<TimeMs>, Refusal> {
    let said = format!("`{name}`: expected a time such as 2026-11-20T07:14:00Z (RFC 3339)");
    let read = |text| parse_rfc3339(text).ok_or_else(|| Refusal::new(Code::BadParameter, said));
    text.map(read).transpose()
}

/// Where an entry stands, as the cursor of the page after it.
fn cursor((time, chain, seq): &Place) -> String {
    format!("{time}.{seq}.{chain}")
}

fn read_cursor(text: &str) -> Option<Place> {
    let (time, rest) = text.split_once('.')?;
    let (seq, chain) = rest.split_once('.')?;
    Some((time.parse().ok()?, chain.to_owned(), seq.parse().ok()?))
}

/// `GET /audit/stats`.
pub(crate) async fn stats(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let stats = ask.read(move |rows, caller| audits::stats(rows, caller, scope.as_deref())).await?;
    let said = wire::Stats {
        total: stats.by_action.values().sum(),
        by_action: stats.by_action,
        first: stats.first.map(Time),
        last: stats.last.map(Time),
    };
    Ok(Reply::ok(&said).into_response())
}

/// `GET /audit/export`: that a chain leaves the house is its last line.
pub(crate) async fn export(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let chain = ask.scope(scope.as_deref())?;
    let (engine, named) = (Arc::clone(&ask.app.engine), chain.clone());
    let end = engine.enter(ask.pass(), Urgency::Normal, move |act| audits::exported(act, &named)).await?;
    let lines = Lines { engine, chain, sent: 0, end };
    let mut response = Response::new(Body::from_stream(stream::try_unfold(lines, Lines::next)));
    response.headers_mut().insert(CONTENT_TYPE, JSON_LINES);
    Ok(response)
}

/// A chain on its way out.
struct Lines {
    engine: Arc<Engine>,
    chain: String,
    sent: i64,
    end: i64,
}

impl Lines {
    /// The next lines; `None` after the last. A fault in the middle breaks the answer off, so that nobody takes it for
    /// whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Refusal> {
        let left = u32::try_from(self.end - self.sent).unwrap_or(ENTRIES_AT_ONCE);
        let (chain, sent, limit) = (self.chain.clone(), self.sent, left.min(ENTRIES_AT_ONCE));
        if limit == 0 {
            return Ok(None);
        }
        let read = move |rows: &_| audits::after(rows, &chain, sent, limit);
        let entries = self.engine.read(read).await?;
        let Some(last) = entries.last() else { return Ok(None) };
        self.sent = last.seq as i64;
        Ok(Some((lines(&entries), self)))
    }
}

fn lines(entries: &[Entry]) -> Bytes {
    entries.iter().map(|entry| entry.line() + "\n").collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api3_a_cursor_reads_back() {
        let place = (1_700_000_000_123, "my-scope".to_owned(), 42);
        assert_eq!(read_cursor(&cursor(&place)), Some(place));
        for bad in ["", "1.2", "x.2.a", "1.y.a"] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }

    // What the record keeps is what the contract shows.
    #[test]
    fn d52_an_entry_is_shown_as_it_is_kept() {
        use tiltyard_model::audit::{Act, ActResult, Action, Head};
        let act = Act {
            time: 5,
            scope: "default".into(),
            actor: "ada".into(),
            action: Action::TaskRetried,
            target: "t".into(),
            result: ActResult::Ok,
            client: None,
            request_id: Some("r".into()),
            phase: None,
            detail: serde_json::Map::from_iter([("a".to_owned(), 1.into())]),
        };
        let text = serde_json::to_string(&Entry::link(act, &Head::default())).unwrap();
        let read: wire::Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
