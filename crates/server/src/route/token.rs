//! Tokens: minted, listed, rotated, revoked. A text is shown once, in the answer that made it.

use crate::ask::Ask;
use crate::page::{Span, below};
use crate::reply::{Answer, Reply};
use http::StatusCode;
use tiltyard_engine::token::{self as tokens, Minted, Window};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::id::Noun;
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::token::{Mint, Token};
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::page::{Page, PageQuery};
use tiltyard_wire::time::Time;
use tiltyard_wire::token as wire;

fn view(token: Token) -> wire::View {
    wire::View {
        id: token.id,
        label: token.label,
        owner: token.owner,
        groups: token.groups,
        role: token.role,
        scopes: token.reach.to_list(),
        queues: token.queues,
        agent: token.agent,
        created: Time(token.id.time_ms()),
        expires: token.expires.map(Time),
        // It is kept to the minute, which may have begun before the token was made.
        last_used: token.last_used.map(|used| Time(used.max(token.id.time_ms()))),
        revoked: token.revoked.map(Time),
    }
}

/// What people change of a token: all but when it was used.
fn essence(token: &Token) -> Vec<u8> {
    let mut out = Vec::new();
    crate::pen::value(&mut out, &view(Token { last_used: None, ..token.clone() }));
    out
}

fn shown(minted: Minted) -> Reply {
    let (id, essence) = (minted.token.id, essence(&minted.token));
    let sentence = wire::Minted { view: view(minted.token), token: minted.text };
    let made = Reply::json(StatusCode::CREATED, &sentence).one_as(&essence);
    made.at(format!("{BASE_PATH}/auth/tokens/{id}")).shown_once(id.to_string())
}

/// `POST /auth/tokens`.
pub(crate) async fn mint(mut ask: Ask) -> Answer {
    let asked: wire::Mint = ask.body().await?;
    let mint = Mint {
        label: asked.label,
        role: asked.role,
        scopes: asked.scopes,
        queues: asked.queues,
        owner: asked.owner,
        groups: asked.groups,
        expires: asked.expires.map(|time| time.0),
    };
    let random = tokens::random()?;
    ask.act(Urgency::Normal, move |act| tokens::mint(act, &mint, &random), shown).await
}

/// `GET /auth/tokens`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let (span, below) = (Span::of_query(&asked)?, below(Noun::Token, asked.cursor.as_deref())?);
    let window = Window { below, offset: span.offset, limit: span.limit };
    let reach = ask.scopes(asked.scope.as_deref())?.map_or(Reach::All, Reach::Only);
    let page = ask.read(move |rows, caller| tokens::page(rows, &Caller { reach, ..caller.clone() }, window));
    let page = page.await?;
    let next = page.items.last().filter(|_| page.next.is_some()).map(|token| token.id.to_string());
    let items = page.items.into_iter().map(view).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

/// `DELETE /auth/tokens/{id}`.
pub(crate) async fn revoke(ask: Ask) -> Answer {
    let id = ask.id(Noun::Token)?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = tokens::managed(act, id)?;
        demanded.check(|| Some(essence(&now)))?;
        tokens::revoke(act, id)
    };
    ask.act(Urgency::Urgent, deed, |()| Reply::empty()).await
}

/// `POST /auth/tokens/{id}/rotate`.
pub(crate) async fn rotate(mut ask: Ask) -> Answer {
    ask.no_body()?;
    let id = ask.id(Noun::Token)?;
    let random = tokens::random()?;
    ask.act(Urgency::Normal, move |act| tokens::rotate(act, id, &random), shown).await
}
