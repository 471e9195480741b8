//! Tokens: only the digest of a token's text is kept (SEC1).

use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::id::Noun;
use tiltyard_model::role::{Reach, Role};
use tiltyard_model::time::TimeMs;
use tiltyard_model::token::{Digest, Token};

/// Where a page lies, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Only keys below this one; `i64::MAX` from the top.
    pub below: i64,
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Writes a new token.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, token: &Token, digest: &Digest) -> Result<()> {
    let (groups, scopes) = (json(&token.groups), json(&token.reach.to_list()));
    let queues = token.queues.as_ref().map(json);
    let parameters = [
        token.id.key().into(),
        digest.as_slice().into(),
        (&token.label).into(),
        (&token.owner).into(),
        (&groups).into(),
        token.role.as_str().into(),
        (&scopes).into(),
        queues.as_deref().into(),
        token.agent.as_deref().into(),
        token.expires.into(),
    ];
    tx.put(sql!("token/insert"), &parameters)
}

/// Every token whose end is not recorded, with its digest.
///
/// # Errors
/// When the store is broken.
pub fn live(rows: &Rows) -> Result<Vec<(Token, Digest)>> {
    rows.all(sql!("token/live"), &[], |row| {
        let digest = row.bytes(11)?.try_into().map_err(|_| row.unreadable("a digest has not 32 bytes"))?;
        Ok((token_of(rows, row)?, digest))
    })
}

/// One token.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, key: i64) -> Result<Option<Token>> {
    rows.one(sql!("token/get"), &[key.into()], |row| token_of(rows, row))
}

/// Whether there was ever a token.
///
/// # Errors
/// When the store is broken.
pub fn any(rows: &Rows) -> Result<bool> {
    Ok(rows.number(sql!("token/any"), &[])? == 1)
}

/// Records that a token has ended, and when it was revoked where that is why; false when it had ended before.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn end(tx: &Tx, key: i64, now: TimeMs, revoked: Option<TimeMs>) -> Result<bool> {
    Ok(tx.run(sql!("token/end"), &[key.into(), now.into(), revoked.into()])? == 1)
}

/// Gives a live token that is no agent's to an agent; false when it has ended or is one's already.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn bind(tx: &Tx, key: i64, agent: &str) -> Result<bool> {
    Ok(tx.run(sql!("token/bind"), &[key.into(), agent.into()])? == 1)
}

/// Keeps when a token was used last.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn used(tx: &Tx, key: i64, at: TimeMs) -> Result<()> {
    tx.put(sql!("token/use"), &[key.into(), at.into()])
}

/// Tokens all of whose scopes are among `scopes` (`None` for every token), newest first, ended ones too.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, scopes: Option<&[String]>, window: Window) -> Result<Vec<Token>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    let parameters =
        [scopes.as_deref().into(), window.below.into(), window.limit.into(), window.offset.into()];
    rows.all(sql!("token/page"), &parameters, |row| token_of(rows, row))
}

/// How many such tokens there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<u64> {
    let scopes = scopes.map(|scopes| json(&scopes));
    Ok(rows.number(sql!("token/count"), &[scopes.as_deref().into(), limit.into()])? as u64)
}

fn token_of(rows: &Rows, row: &Row<'_>) -> Result<Token> {
    let role = row.text(4)?;
    let scopes: Vec<String> = row.json_or_default(5)?;
    Ok(Token {
        id: rows.id(Noun::Token, row.int(0)?),
        label: row.text(1)?,
        owner: row.text(2)?,
        groups: row.json_or_default(3)?,
        role: Role::parse(&role).ok_or_else(|| row.unreadable(format!("no role is called {role}")))?,
        reach: Reach::from_list(&scopes),
        queues: row.json_or_default(6)?,
        agent: row.opt_text(7)?,
        expires: row.opt_int(8)?,
        last_used: row.opt_int(9)?,
        revoked: row.opt_int(10)?,
    })
}
