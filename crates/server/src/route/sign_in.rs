//! Sign-ins of browsers (API1, SEC2): a token or a one-time code for a cookie, and back.

use crate::ask::Ask;
use crate::reply::{Answer, Reply};
use http::StatusCode;
use http::header::SET_COOKIE;
use tiltyard_engine::sign_in::{self as sign_ins, Made, Proof};
use tiltyard_engine::{Act, Urgency, token};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::time::MAX_TIME_MS;
use tiltyard_wire::sign_in as wire;
use tiltyard_wire::time::Time;

/// `POST /auth/session`. Whoever shows something wrong is charged by the edge, as everywhere.
pub(crate) async fn sign_in(mut ask: Ask) -> Answer {
    let proof = proof(ask.body().await?)?;
    let now = ask.app.engine.clock().now().wall;
    let who = ask.app.engine.tokens().who(&proof, now)?;
    let mut pass = ask.pass();
    pass.caller = Caller::clone(&who);
    let random = token::random()?;
    let deed = move |act: &mut Act<'_>| sign_ins::sign_in(act, &proof, &random);
    let made = ask.app.engine.enter(pass, Urgency::Normal, deed).await?;
    let cookie = ask.app.cookie.set(made.text.expose(), made.expires - now);
    let mut response = Reply::json(StatusCode::CREATED, &view(&made.caller)).one().into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// `DELETE /auth/session`.
pub(crate) async fn sign_out(ask: Ask) -> Answer {
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let caller = &act.pass.caller;
        demanded.check(|| caller.sign_in.map(|_| Reply::ok(&view(caller)).body))?;
        sign_ins::sign_out(act)
    };
    let mut response = ask.act(Urgency::Urgent, deed, |()| Reply::empty()).await?;
    response.headers_mut().insert(SET_COOKIE, ask.app.cookie.clear());
    Ok(response)
}

/// `POST /auth/codes`.
pub(crate) async fn code(mut ask: Ask) -> Answer {
    ask.no_body()?;
    let random = token::random()?;
    let shown = |made: Made| {
        let code = wire::Code { code: made.text.expose().clone(), expires: Time(made.expires) };
        Reply::json(StatusCode::CREATED, &code).shown_once("a sign-in code".to_owned())
    };
    ask.act(Urgency::Normal, move |act| sign_ins::offer(act, &random), shown).await
}

fn proof(asked: wire::With) -> Result<Proof, Refusal> {
    match (asked.token, asked.code) {
        (Some(token), None) => Ok(Proof::Token(token.into())),
        (None, Some(code)) => Ok(Proof::Code(code.into())),
        _ => Err(Refusal::field("", "must hold a token or a one-time code, one of the two")),
    }
}

/// The one who is signed in: a sign-in says itself when it ends.
fn view(caller: &Caller) -> wire::View {
    wire::View {
        token: caller.token,
        owner: caller.owner.clone(),
        groups: caller.groups.clone(),
        role: caller.role,
        scopes: caller.reach.to_list(),
        expires: Time(caller.expires.unwrap_or(MAX_TIME_MS)),
    }
}
