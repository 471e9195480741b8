//! Who knocks (SEC1, SEC2, API1): a token, or the cookie of a sign-in, becomes a caller with rights.

use crate::cookie::{Cookie, check_origin};
use crate::edge::place::Place;
use crate::edge::visit::Knock;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::sync::Arc;
use tiltyard_engine::Engine;
use tiltyard_engine::clock::Clock;
use tiltyard_engine::token::Tokens;
use tiltyard_engine::token::table::admin;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_wire::endpoint::{Endpoint, Form};

/// Where `?token=` may carry a raw token on upgrades (API1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryTokens {
    /// Nowhere.
    Off,
    /// From the same machine.
    #[default]
    Loopback,
    /// From anywhere.
    On,
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Door {
    /// Who shows a token.
    #[default]
    Tokens,
    /// Everybody, as an admin (`--no-auth`).
    Open,
}

/// The one who looks at tokens.
#[derive(Debug)]
pub(crate) struct Porter {
    door: Door,
    query_tokens: QueryTokens,
    tokens: Tokens,
    clock: Clock,
    cookie: Cookie,
    anybody: Arc<Caller>,
}

impl Porter {
    /// A porter who knows these tokens.
    pub(crate) fn new(door: Door, query_tokens: QueryTokens, engine: &Engine, cookie: Cookie) -> Self {
        let (tokens, clock) = (engine.tokens().clone(), engine.clock().clone());
        Self { door, query_tokens, tokens, clock, cookie, anybody: Arc::new(admin()) }
    }

    /// Who knocks.
    ///
    /// # Errors
    /// 401 `unauthenticated`.
    pub(crate) fn let_in(&self, knock: &Knock<'_>) -> Result<Arc<Caller>, Refusal> {
        if self.door == Door::Open {
            return Ok(self.agent_of(knock).unwrap_or_else(|| Arc::clone(&self.anybody)));
        }
        let now = self.clock.now().wall;
        if let Some(token) = self.token_of(knock) {
            return self.tokens.verify(&token, now);
        }
        let shows_token = knock.headers.contains_key(AUTHORIZATION);
        let cookie = self.cookie.read(knock.headers).filter(|_| !shows_token).ok_or_else(|| {
            let said =
                "a token is needed: send `Authorization: Bearer jst_…`; `tiltyard token mint` makes one";
            Refusal::new(Code::Unauthenticated, said)
        })?;
        let caller = self.tokens.verify_cookie(cookie, now)?;
        check_origin(knock)?;
        Ok(caller)
    }

    /// Whether everybody is let in.
    pub(crate) fn is_open(&self) -> bool {
        self.door == Door::Open
    }

    /// Where everybody is let in an agent is still itself: nobody else may speak for one that has a token.
    fn agent_of(&self, knock: &Knock<'_>) -> Option<Arc<Caller>> {
        let caller = self.tokens.verify(&self.token_of(knock)?, self.clock.now().wall).ok()?;
        caller.agent.is_some().then_some(caller)
    }

    /// The token of a request: by header; on an upgrade or a stream also by `?token=`, where that is allowed.
    fn token_of<'a>(&self, knock: &Knock<'a>) -> Option<Cow<'a, str>> {
        if knock.headers.contains_key(AUTHORIZATION) {
            return bearer(knock.headers).map(Cow::Borrowed);
        }
        let allowed = match self.query_tokens {
            QueryTokens::Off => false,
            QueryTokens::Loopback => knock.client.to_canonical().is_loopback(),
            QueryTokens::On => true,
        };
        let live = knock.place.is_some_and(|place| is_live(place, knock.uri));
        if allowed && live { parameter(knock.uri.query()?, "token") } else { None }
    }
}

/// The token of the `Authorization` header; `None` for two of them or another scheme.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let (scheme, token) = only.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Whether a client may be unable to set headers there.
pub(crate) fn is_live(place: Place, uri: &Uri) -> bool {
    match place {
        // Followed, a log is a stream.
        Place::Api(Endpoint::TaskLog) => {
            uri.query().and_then(|query| parameter(query, "follow")).as_deref() == Some("true")
        }
        Place::Api(endpoint) => matches!(endpoint.row().answer, Form::Sse | Form::Socket),
        Place::Outside(_) => false,
    }
}

/// The first value of a parameter, decoded.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    parameters(query, name).next()
}

/// Every value of a parameter, decoded. A plus is a space, as forms have it.
pub(crate) fn parameters<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(own, _)| percent_decode_str(own).eq(name.bytes())).map(|(_, value)| {
        let spaced =
            if value.contains('+') { Cow::Owned(value.replace('+', " ")) } else { Cow::Borrowed(value) };
        match spaced {
            Cow::Borrowed(text) => percent_decode_str(text).decode_utf8_lossy(),
            Cow::Owned(text) => Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned()),
        }
    })
}

/// Whether the caller speaks for that agent.
///
/// # Errors
/// 403 for an agent's token that names another agent.
pub(crate) fn speaks_for(caller: &Caller, agent: &str) -> Result<(), Refusal> {
    match (caller.role, &caller.agent) {
        (Role::Agent, Some(own)) if own != agent => {
            let said = format!("the token is that of the agent `{own}`: it speaks for no other");
            Err(Refusal::new(Code::Forbidden, said))
        }
        _ => Ok(()),
    }
}

/// A queue that the caller names, where the token allows it (SEC3).
///
/// # Errors
/// 403 `queue_forbidden`.
pub(crate) fn may_use_queue(caller: &Caller, queue: &str) -> Result<(), Refusal> {
    if caller.may_use_queue(queue) {
        return Ok(());
    }
    let shown: String = queue.chars().take(64).collect();
    let said = format!("the token does not name the queue `{shown}`; use one of its own, or another token");
    Err(Refusal::new(Code::QueueForbidden, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api1_only_one_bearer_token_counts() {
        let token = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token(&["Bearer abc"]), Some("abc".into()));
        assert_eq!(token(&["bearer  abc"]), Some("abc".into()));
        for bad in [&["Basic abc"][..], &["Bearer "], &["abc"], &["Bearer a", "Bearer a"]] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(parameter("a=1&to%6ben=x%20y+z", "token").as_deref(), Some("x y z"));
        assert_eq!(parameters("scope=a&scope=b&scopes=c", "scope").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(parameter("a=1", "token"), None);
    }
}
