//! Sign-ins (SEC2, API1): a token or a one-time code becomes what a browser holds; who that is, is in [`table`].

pub(crate) mod table;

use crate::act::record::Told;
use crate::act::{Act, Effect, refusal_of};
use std::sync::Arc;
use table::Entry;
use tiltyard_model::audit::Action;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, SYSTEM_SCOPE};
use tiltyard_model::secret::Secret;
use tiltyard_model::sign_in::{Kind, MAX_SIGN_INS, SignIn, expiry};
use tiltyard_model::time::TimeMs;
use tiltyard_model::token::RANDOM_BYTES;
use tiltyard_store::sign_in;

/// Most that one deed of a service ends; the rest are next.
pub const MAX_ENDED_AT_ONCE: usize = 500;

/// What somebody shows to sign in.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A token.
    Token(Secret<String>),
    /// A one-time code.
    Code(Secret<String>),
}

/// What was made, with its text, which is shown this once and kept nowhere.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its text.
    pub text: Secret<String>,
    /// When it ends.
    pub expires: TimeMs,
    /// Whom it stands for.
    pub caller: Arc<Caller>,
}

/// A code that signs somebody in as the caller, once.
///
/// # Errors
/// 403 for who is signed in by a browser: a sign-in must not prolong itself; 409 `wrong_state` where no tokens are asked
/// for.
pub fn offer(act: &mut Act<'_>, random: &[u8; RANDOM_BYTES]) -> Result<Made, Refusal> {
    let caller = act.pass.caller.clone();
    if caller.sign_in.is_some() {
        let text = "a browser that is signed in makes no codes: use a token, `tiltyard ui` does";
        return Err(Refusal::new(Code::Forbidden, text));
    }
    make(act, Kind::Code, &caller, random)
}

/// The code for the first token of a store (SEC2).
///
/// # Errors
/// When the store cannot write it.
pub fn offer_first(act: &mut Act<'_>, first: &Caller, random: &[u8; RANDOM_BYTES]) -> Result<Made, Refusal> {
    make(act, Kind::Code, first, random)
}

/// Signs in. The pass is that of whom the proof stands for ([`crate::token::Tokens::who`]); a code is used up.
///
/// # Errors
/// 401 for a proof that is not known, was used, or has ended.
pub fn sign_in(act: &mut Act<'_>, proof: &Proof, random: &[u8; RANDOM_BYTES]) -> Result<Made, Refusal> {
    let now = act.now.wall;
    let caller = act.memory.tokens.who(proof, now)?;
    let by = match proof {
        Proof::Token(_) => "token",
        Proof::Code(_) => "code",
    };
    if let Some(code) = caller.sign_in {
        remove(act, code)?;
    }
    let whose = act.memory.tokens.caller_of(caller.token, now)?;
    let made = make(act, Kind::SignIn, &whose, random)?;
    let told = Told::done(SYSTEM_SCOPE, Action::SignedIn, target(&whose));
    act.audit(told.with("by", by).with("role", whose.role.as_str()))?;
    Ok(made)
}

/// Signs the caller's browser out.
///
/// # Errors
/// 409 `wrong_state` for who shows a token: that ends by its revocation.
pub fn sign_out(act: &mut Act<'_>) -> Result<(), Refusal> {
    let caller = act.pass.caller.clone();
    let Some(key) = caller.sign_in else {
        let text = "the call shows a token, so there is no sign-in to end; to end the token, revoke it";
        return Err(Refusal::new(Code::WrongState, text));
    };
    if remove(act, key)? {
        act.audit(Told::done(SYSTEM_SCOPE, Action::SignedOut, target(&caller)))?;
    }
    Ok(())
}

/// Ends sign-ins and codes whose time is over; says how many. They authenticate nobody from that moment on by themselves:
/// this closes their streams.
///
/// # Errors
/// When the store cannot write it.
pub fn expire_due(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = act.memory.tokens.sign_ins().read().expired(act.now.wall, MAX_ENDED_AT_ONCE);
    for key in &keys {
        remove(act, *key)?;
    }
    Ok(keys.len())
}

/// Ends what stands for a token, with the token (SEC19).
pub(crate) fn end_of_token(act: &mut Act<'_>, token: i64) -> Result<(), Refusal> {
    let keys: Vec<i64> =
        act.memory.tokens.sign_ins().read().of_token(Some(token)).map(|sign_in| sign_in.key).collect();
    keys.into_iter().try_for_each(|key| remove(act, key).map(drop))
}

fn make(
    act: &mut Act<'_>,
    kind: Kind,
    caller: &Caller,
    random: &[u8; RANDOM_BYTES],
) -> Result<Made, Refusal> {
    let token = caller.token.map(|token| token.key());
    end_oldest(act, kind, token)?;
    if act.memory.tokens.sign_ins().read().len() >= MAX_SIGN_INS {
        let text = "the store has 10,000 browsers signed in: revoke tokens that nobody uses";
        return Err(Refusal::field("", text));
    }
    let text = kind.text_of(random);
    let digest = act.memory.tokens.digest_for(&text, caller)?;
    if act.memory.tokens.sign_ins().read().knows(&digest) {
        return Err(Refusal::new(Code::Internal, "the system's randomness repeats itself: nothing was done"));
    }
    let expires = expiry(kind, caller, act.now.wall);
    let made = SignIn { key: act.next_key(), kind, token, expires };
    sign_in::insert(act.tx, &made, &digest).map_err(refusal_of)?;
    let entry = Entry::new(made, caller, digest);
    let caller = Arc::clone(&entry.caller);
    act.memory.know_sign_in(entry);
    Ok(Made { text: text.into(), expires, caller })
}

/// Makes room for one more of a token.
fn end_oldest(act: &mut Act<'_>, kind: Kind, token: Option<i64>) -> Result<(), Refusal> {
    let own: Vec<i64> = {
        let sign_ins = act.memory.tokens.sign_ins().read();
        sign_ins.of_token(token).filter(|own| own.kind == kind).map(|own| own.key).collect()
    };
    let room = kind.most_per_token() - 1;
    let over = own.len().saturating_sub(room);
    own.into_iter().take(over).try_for_each(|key| remove(act, key).map(drop))
}

/// Removes one; false when it was gone before.
fn remove(act: &mut Act<'_>, key: i64) -> Result<bool, Refusal> {
    if !sign_in::delete(act.tx, key).map_err(refusal_of)? {
        return Ok(false);
    }
    act.memory.forget_sign_in(key);
    act.effects.push(Effect::SignInEnded);
    Ok(true)
}

/// What the record names: the token, or the variable that is one.
fn target(caller: &Caller) -> String {
    caller.token.map_or_else(|| "ADMIN_TOKEN".to_owned(), |token| token.to_string())
}
