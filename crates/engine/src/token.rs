//! Tokens: minted, rotated, revoked, expired; who they stand for is in [`table`] (SEC1, SEC2, SEC19).

pub mod table;

pub use table::Tokens;

use crate::act::record::Told;
use crate::act::{Act, Effect, refusal_of};
use crate::scope::may_name;
use crate::task::access::may_speak_for;
use table::Entry;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{Subject, TokenCreated, TokenRevoked};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role, SYSTEM_SCOPE};
use tiltyard_model::time::TimeMs;
use tiltyard_model::token::{
    ADMIN_OWNER, AGENT_OWNER_PREFIX, MAX_NAMES, Mint, RANDOM_BYTES, Token, admit, digest_of, queues_of,
    text_of,
};
use tiltyard_store::Rows;
use tiltyard_store::token;
/// Which part of a list.
pub use tiltyard_store::token::Window;

/// Most live tokens of a store.
pub const MAX_LIVE_TOKENS: usize = 100_000;
/// Most tokens of one deed of a service; the rest are next.
pub const MAX_TOKENS_AT_ONCE: usize = 500;
/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A new token with its text, which is shown this once and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// What is kept of it.
    pub token: Token,
    /// Its text.
    pub text: String,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Randomness of the operating system, for [`mint`] and [`rotate`].
///
/// # Errors
/// When the system gives none.
pub fn random() -> Result<[u8; RANDOM_BYTES], Refusal> {
    let mut random = [0; RANDOM_BYTES];
    match getrandom::fill(&mut random) {
        Ok(()) => Ok(random),
        Err(error) => Err(Refusal::new(Code::Internal, format!("the system gives no randomness: {error}"))),
    }
}

/// Mints a token.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have; 422 `unknown_scope`; 422 with every wrong field.
pub fn mint(act: &mut Act<'_>, mint: &Mint, random: &[u8; RANDOM_BYTES]) -> Result<Minted, Refusal> {
    admit(mint, act.now.wall)?;
    let reach = reach(act, &mint.scopes)?;
    let token = Token {
        id: next_id(act),
        label: mint.label.clone(),
        owner: mint.owner().to_owned(),
        groups: mint.groups.clone(),
        role: mint.role,
        reach,
        queues: queues_of(mint.role, mint.queues.as_ref()),
        agent: None,
        expires: mint.expires,
        last_used: None,
        revoked: None,
    };
    let minted = make(act, token, random)?;
    record_made(act, &minted.token)?;
    Ok(minted)
}

/// The token of an agent: it speaks for that agent only (SEC3).
///
/// # Errors
/// As [`mint`].
pub fn mint_for_agent(
    act: &mut Act<'_>,
    agent: &str,
    scopes: &[String],
    random: &[u8; RANDOM_BYTES],
) -> Result<Minted, Refusal> {
    if scopes.is_empty() || scopes.len() > MAX_NAMES {
        return Err(Refusal::field("/scopes", "must be 1 to 100 scopes, or `*` for all of them"));
    }
    let reach = reach(act, scopes)?;
    let token = Token {
        id: next_id(act),
        label: format!("agent {agent}"),
        owner: format!("{AGENT_OWNER_PREFIX}{agent}"),
        groups: Vec::new(),
        role: Role::Agent,
        reach,
        queues: None,
        agent: Some(agent.to_owned()),
        expires: None,
        last_used: None,
        revoked: None,
    };
    let minted = make(act, token, random)?;
    record_made(act, &minted.token)?;
    Ok(minted)
}

/// The first token of a store that has none (SEC2); `None` where there is or was one.
///
/// # Errors
/// When the store cannot write it.
pub fn first(act: &mut Act<'_>, random: &[u8; RANDOM_BYTES]) -> Result<Option<Minted>, Refusal> {
    if token::any(act.tx).map_err(refusal_of)? {
        return Ok(None);
    }
    let first = Mint {
        label: "first token".to_owned(),
        role: Role::Admin,
        scopes: vec!["*".to_owned()],
        queues: None,
        owner: Some(ADMIN_OWNER.to_owned()),
        groups: Vec::new(),
        expires: None,
    };
    mint(act, &first, random).map(Some)
}

/// What the scopes reach; each must be there, and be the caller's own, or a small admin could make a great one.
fn reach(act: &Act<'_>, scopes: &[String]) -> Result<Reach, Refusal> {
    let caller = &act.pass.caller;
    let reach = Reach::from_list(scopes);
    match &reach {
        Reach::All if caller.reach != Reach::All => {
            let text = "the token does not cover every scope, so it cannot give every scope";
            return Err(Refusal::new(Code::ScopeForbidden, text));
        }
        Reach::All => {}
        Reach::Only(scopes) => {
            for (index, scope) in scopes.iter().enumerate() {
                may_name(caller, scope)?;
                if act.memory.names.scope_key(scope).is_none() {
                    let text = format!("there is no scope `{scope}`: make it first");
                    return Err(Refusal::fault(Code::UnknownScope, format!("/scopes/{index}"), text));
                }
            }
        }
    }
    Ok(reach)
}

fn next_id(act: &mut Act<'_>) -> Id {
    let key = act.next_key();
    act.id(Noun::Token, key)
}

fn make(act: &mut Act<'_>, token: Token, random: &[u8; RANDOM_BYTES]) -> Result<Minted, Refusal> {
    if act.memory.tokens.len() >= MAX_LIVE_TOKENS {
        return Err(Refusal::field("", "the store has 100,000 live tokens: revoke those that nobody uses"));
    }
    let text = text_of(random);
    let digest = digest_of(&text);
    if act.memory.tokens.knows(&digest) {
        return Err(Refusal::new(Code::Internal, "the system's randomness repeats itself: nothing was done"));
    }
    token::insert(act.tx, &token, &digest).map_err(refusal_of)?;
    act.memory.know_token(Entry::new(&token, digest));
    let event = TokenCreated { role: token.role.as_str().to_owned(), owner: token.owner.clone() };
    let scope = act.system_scope();
    act.event(scope, &Subject::Id(token.id), None, &event)?;
    Ok(Minted { token, text })
}

fn record_made(act: &mut Act<'_>, token: &Token) -> Result<(), Refusal> {
    let told = Told::done(SYSTEM_SCOPE, Action::TokenCreated, token.id);
    let told = told.with("owner", token.owner.as_str()).with("label", token.label.as_str());
    act.audit(told.with("role", token.role.as_str()).with("scopes", token.reach.to_list()))
}

/// A token that the caller may manage: one all of whose scopes are its own.
///
/// # Errors
/// 404.
pub fn managed(act: &Act<'_>, id: Id) -> Result<Token, Refusal> {
    let found = match act.tx.key(id) {
        Some(key) => token::get(act.tx, key).map_err(refusal_of)?,
        None => None,
    };
    found.filter(|token| covers(&act.pass.caller, token)).ok_or_else(|| Refusal::missing("token", id))
}

fn covers(caller: &Caller, token: &Token) -> bool {
    match &token.reach {
        Reach::All => caller.reach == Reach::All,
        Reach::Only(scopes) => scopes.iter().all(|scope| caller.reach.covers(scope)),
    }
}

/// Revokes a token; one that has ended already stays so.
///
/// # Errors
/// 404.
pub fn revoke(act: &mut Act<'_>, id: Id) -> Result<(), Refusal> {
    let token = managed(act, id)?;
    if end(act, &token, Ending::Revoked)? {
        let told = Told::done(SYSTEM_SCOPE, Action::TokenRevoked, id);
        act.audit(told.with("owner", token.owner.as_str()).with("reason", "revoked"))?;
    }
    Ok(())
}

/// Ends a token and mints its like.
///
/// # Errors
/// 404; 409 `wrong_state` for one that has ended.
pub fn rotate(act: &mut Act<'_>, id: Id, random: &[u8; RANDOM_BYTES]) -> Result<Minted, Refusal> {
    let old = managed(act, id)?;
    let expired = old.expires.is_some_and(|expires| expires <= act.now.wall);
    if expired || !end(act, &old, Ending::Rotated)? {
        return Err(Refusal::new(Code::WrongState, format!("{id} has ended: mint a new one instead")));
    }
    let like = Token { id: next_id(act), last_used: None, revoked: None, ..old.clone() };
    let minted = make(act, like, random)?;
    let told = Told::done(SYSTEM_SCOPE, Action::TokenRotated, id);
    act.audit(told.with("owner", old.owner.as_str()).with("new", minted.token.id.to_string()))?;
    Ok(minted)
}

/// Refuses whoever does not speak for an agent (SEC3). A token of the role agent that was made for none is the first
/// one's that it speaks for, from then on and for good; an agent that has a token already takes no second one so.
///
/// # Errors
/// 403; 422 for a name that is no slug.
pub fn speak_for(act: &mut Act<'_>, agent: &str) -> Result<(), Refusal> {
    if may_speak_for(act, agent) {
        return Ok(());
    }
    let caller = &act.pass.caller;
    let text = match (act.memory.tokens.agent_of(caller), caller.token) {
        (Some(own), _) => format!("the token is that of the agent `{own}`: it speaks for no other"),
        (None, Some(id)) if caller.role == Role::Agent && !act.memory.tokens.bind(agent) => {
            return bind(act, id, agent);
        }
        _ => format!(
            "the agent `{agent}` has a token of its own, and only that one speaks for it: use it, or revoke it first"
        ),
    };
    Err(Refusal::new(Code::Forbidden, text))
}

fn bind(act: &mut Act<'_>, id: Id, agent: &str) -> Result<(), Refusal> {
    act.agent_key(agent)?;
    if !token::bind(act.tx, id.key(), agent).map_err(refusal_of)? || !act.memory.bind_token(id.key(), agent) {
        return Err(Refusal::new(Code::Unauthenticated, "the token has ended: ask an admin for a new one"));
    }
    act.audit(Told::done(SYSTEM_SCOPE, Action::TokenBound, id).with("agent", agent))
}

/// Revokes every token that speaks for an agent; the agent's deletion is the act that the record covers.
///
/// # Errors
/// When the store cannot write it.
pub fn end_of_agent(act: &mut Act<'_>, agent: &str) -> Result<(), Refusal> {
    for key in act.memory.tokens.keys(|caller| caller.agent.as_deref() == Some(agent)) {
        if let Some(token) = token::get(act.tx, key).map_err(refusal_of)? {
            end(act, &token, Ending::Revoked)?;
        }
    }
    Ok(())
}

/// Ends tokens whose time is over; says how many. The table refuses them from that moment on by itself: this closes
/// their streams and tells the log.
///
/// # Errors
/// When the store cannot write it.
pub fn expire_due(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = act.memory.tokens.expired(act.now.wall, MAX_TOKENS_AT_ONCE);
    for key in &keys {
        let Some(token) = token::get(act.tx, *key).map_err(refusal_of)? else { continue };
        end(act, &token, Ending::Expired)?;
        let told = Told::done(SYSTEM_SCOPE, Action::TokenRevoked, token.id);
        act.audit(told.with("owner", token.owner.as_str()).with("reason", "expired"))?;
    }
    Ok(keys.len())
}

/// Why a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Revoked,
    Rotated,
    Expired,
}

impl Ending {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Rotated => "rotated",
            Self::Expired => "expired",
        }
    }
}

/// Ends a token; false when it had ended before.
fn end(act: &mut Act<'_>, token: &Token, why: Ending) -> Result<bool, Refusal> {
    let (key, now) = (token.id.key(), act.now.wall);
    let revoked = (why != Ending::Expired).then_some(now);
    if !token::end(act.tx, key, now, revoked).map_err(refusal_of)? {
        return Ok(false);
    }
    act.memory.forget_token(key);
    crate::sign_in::end_of_token(act, key)?;
    act.effects.push(Effect::TokenEnded { token: token.id });
    let scope = act.system_scope();
    act.event(scope, &Subject::Id(token.id), None, &TokenRevoked { reason: why.as_str().to_owned() })?;
    Ok(true)
}

/// Keeps when tokens were used last, in one transaction; no act, so neither event nor entry.
///
/// # Errors
/// When the store cannot write it.
pub fn keep_used(act: &mut Act<'_>, used: &[(i64, TimeMs)]) -> Result<(), Refusal> {
    for (key, at) in used {
        token::used(act.tx, *key, *at).map_err(refusal_of)?;
        act.memory.keep_use(*key, *at);
    }
    Ok(())
}

/// A page of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first, ended ones too.
    pub items: Vec<Token>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// A page of the tokens that the caller may manage.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, caller: &Caller, window: Window) -> Result<Page, Refusal> {
    let scopes = match &caller.reach {
        Reach::All => None,
        Reach::Only(scopes) => Some(scopes.as_slice()),
    };
    let wider = Window { limit: window.limit + 1, ..window };
    let mut items = token::page(rows, scopes, wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(|token| token.id.key());
    let total = token::count(rows, scopes, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}
