//! Once (API5): a request with an `Idempotency-Key` is done once; asked again, it gets the answer that it got.
//!
//! The answer is kept in the transaction of the deed, so that there is never one without the other. Only what was done
//! is kept: a request that was refused changed nothing, and may be sent again.

use crate::act::{Act, refusal_of};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_store::idempotency::{self, Kept};

/// Longest `Idempotency-Key` in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// What a key stands for: digests, so that neither the key nor the body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    key: [u8; 32],
    body: [u8; 32],
}

impl Key {
    /// The key of a caller at an endpoint. `request` is what must be the same when it is asked again: path, query, body.
    ///
    /// # Errors
    /// 400 `bad_parameter` for a key that is empty, too long, or not printable ASCII.
    pub fn of(caller: &Caller, endpoint: &str, key: &str, request: &[&[u8]]) -> Result<Self, Refusal> {
        let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if key.trim().is_empty() || key.len() > MAX_KEY_BYTES || !printable {
            let text = "Idempotency-Key must be 1 to 255 printable ASCII characters";
            return Err(Refusal::new(Code::BadParameter, text));
        }
        let token = caller.token.map(|id| id.to_string());
        let who = token.as_deref().unwrap_or(&caller.owner);
        let kind = if token.is_some() { "token" } else { "owner" };
        let parts = [kind, who, endpoint, key].map(str::as_bytes);
        Ok(Self { key: digest_of(&parts), body: digest_of(request) })
    }
}

/// Each part with its length before it, so that no two lists of parts look alike.
fn digest_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of it.
    Whole(Whole),
    /// It held a secret, which is shown once and stored nowhere (SEC1): asked again, the caller hears what was made.
    ShownOnce {
        /// The id or name of what was made.
        made: String,
    },
}

/// An answer as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    /// The status.
    pub status: u16,
    /// The entity tag of what it shows.
    pub tag: Option<String>,
    /// Where what was made is.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

/// What begins a kept answer that has a tag or a place before its body; no JSON begins so.
const HEAD: char = '#';

impl Whole {
    /// As its row keeps it: tag and place on a line of their own, where there are any, then the body.
    fn to_text(&self) -> String {
        if self.tag.is_none() && self.location.is_none() {
            return self.body.clone();
        }
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        format!("{HEAD}{}\t{}\n{}", word(&self.tag), word(&self.location), self.body)
    }

    fn of_text(status: u16, text: String) -> Self {
        let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        let head = text.strip_prefix(HEAD).and_then(|rest| rest.split_once('\n'));
        match head.and_then(|(head, body)| head.split_once('\t').map(|words| (words, body))) {
            None => Self { status, body: text, ..Self::default() },
            Some(((tag, location), body)) => {
                Self { status, tag: word(tag), location: word(location), body: body.to_owned() }
            }
        }
    }
}

/// The status in the row of an answer that was shown once.
const SHOWN_ONCE: u16 = 0;

/// The status in the row of a request whose work is many deeds, and which is under way on a server that shares the store.
const UNDER_WAY: u16 = 1;
/// A request that is under way is told of so long, and told anew meanwhile: a server that was killed is waited for no longer.
pub const UNDER_WAY_MS: DurationMs = 30_000;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// It was done now.
    Done(T),
    /// It had been done before, and was answered like this.
    Replayed(Whole),
}

/// Does a deed, or gives the answer that it got before. `render` says what is to be kept.
///
/// # Errors
/// 422 `idempotency_mismatch` when the key was used with another request; 409 `already_exists` when the answer held a
/// secret that is not shown again; what the deed says.
pub fn once<T>(
    act: &mut Act<'_>,
    key: Option<&Key>,
    render: impl FnOnce(&T) -> Answer,
    deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal>,
) -> Result<Once<T>, Refusal> {
    let Some(key) = key else { return deed(act).map(Once::Done) };
    if let Some(kept) = idempotency::get(act.tx, &key.key, act.now.wall).map_err(refusal_of)? {
        return replay(key, kept);
    }
    let done = deed(act)?;
    let (status, answer) = match render(&done) {
        Answer::Whole(whole) => (whole.status, whole.to_text()),
        Answer::ShownOnce { made } => (SHOWN_ONCE, made),
    };
    let kept = Kept { body: key.body.to_vec(), status, answer };
    idempotency::put(act.tx, &key.key, &kept, act.now.wall).map_err(refusal_of)?;
    Ok(Once::Done(done))
}

/// The answer that a request got before, for one whose work is many deeds.
///
/// # Errors
/// As [`once`].
pub fn find(act: &Act<'_>, key: &Key) -> Result<Option<Whole>, Refusal> {
    let kept = idempotency::get(act.tx, &key.key, act.now.wall).map_err(refusal_of)?;
    let kept = kept.filter(|kept| kept.status != UNDER_WAY);
    Ok(match kept.map(|kept| replay::<()>(key, kept)).transpose()? {
        Some(Once::Replayed(whole)) => Some(whole),
        _ => None,
    })
}

/// Who has a request under way, among all servers of a store: another word for each time that it is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder(u64);

impl Holder {
    /// A word that nobody else has.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn draw() -> Result<Self, Refusal> {
        let mut word = [0; 8];
        getrandom::fill(&mut word).map_err(|error| {
            Refusal::new(Code::Internal, format!("the system gives no randomness: {error}"))
        })?;
        Ok(Self(u64::from_le_bytes(word)))
    }

    /// As the row of a request that is under way keeps it, with the time until which it counts.
    fn word(self, until: TimeMs) -> String {
        format!("{until} {:016x}", self.0)
    }

    fn has(self, answer: &str) -> bool {
        answer.split_once(' ').is_some_and(|(_, word)| word == format!("{:016x}", self.0))
    }
}

/// The same where servers share the store; when there is no answer the request is under way from now on, and `holder` has it.
///
/// # Errors
/// As [`once`]; 409 `idempotency_running` while it is under way elsewhere.
pub fn reserve(act: &mut Act<'_>, key: &Key, holder: Holder) -> Result<Option<Whole>, Refusal> {
    go_on(act, key, holder)
}

/// The request is still under way. When it was done elsewhere meanwhile, since this server could not say so for too long, gives the
/// answer: what is left of the work is not to be done.
///
/// # Errors
/// 409 `idempotency_running` when it is under way elsewhere meanwhile; when the store cannot write it.
pub fn go_on(act: &mut Act<'_>, key: &Key, holder: Holder) -> Result<Option<Whole>, Refusal> {
    let found = others(act, key, holder)?;
    if found.is_none() {
        let answer = holder.word(act.now.wall + UNDER_WAY_MS);
        let kept = Kept { body: key.body.to_vec(), status: UNDER_WAY, answer };
        idempotency::put(act.tx, &key.key, &kept, act.now.wall).map_err(refusal_of)?;
    }
    Ok(found)
}

/// The request was refused: it may be sent again. What somebody else has made of it stays.
///
/// # Errors
/// When the store cannot write it.
pub fn release(act: &mut Act<'_>, key: &Key, holder: Holder) -> Result<(), Refusal> {
    let kept = idempotency::get(act.tx, &key.key, act.now.wall).map_err(refusal_of)?;
    match kept {
        Some(kept) if kept.status == UNDER_WAY && holder.has(&kept.answer) => {
            idempotency::delete(act.tx, &key.key, act.now.wall).map_err(refusal_of)
        }
        _ => Ok(()),
    }
}

/// Keeps the answer of a request whose work was many deeds. When it was done elsewhere meanwhile, gives the answer that was
/// kept there: a key has one.
///
/// # Errors
/// 409 `idempotency_running` when it is under way elsewhere meanwhile; when the store cannot write it.
pub fn keep(act: &mut Act<'_>, key: &Key, holder: Holder, whole: &Whole) -> Result<Option<Whole>, Refusal> {
    let found = others(act, key, holder)?;
    if found.is_none() {
        let kept = Kept { body: key.body.to_vec(), status: whole.status, answer: whole.to_text() };
        idempotency::put(act.tx, &key.key, &kept, act.now.wall).map_err(refusal_of)?;
    }
    Ok(found)
}

/// What others have made of a request: their answer; `None` when it is nobody's, or has been `holder`'s all the time.
fn others(act: &Act<'_>, key: &Key, holder: Holder) -> Result<Option<Whole>, Refusal> {
    let kept = idempotency::get(act.tx, &key.key, act.now.wall).map_err(refusal_of)?;
    let Some(kept) = kept.filter(|kept| kept.status == UNDER_WAY) else { return find(act, key) };
    let until = kept.answer.split(' ').next().and_then(|until| until.parse::<TimeMs>().ok());
    if holder.has(&kept.answer) || until.is_none_or(|until| until <= act.now.wall) {
        return Ok(None);
    }
    Err(if kept.body == key.body { running() } else { mismatch() })
}

fn replay<T>(key: &Key, kept: Kept) -> Result<Once<T>, Refusal> {
    if kept.body != key.body {
        return Err(mismatch());
    }
    if kept.status == SHOWN_ONCE {
        let text = format!("this was done before and made {}, whose secret was shown that once", kept.answer);
        return Err(Refusal::new(Code::AlreadyExists, text).with("made", kept.answer));
    }
    Ok(Once::Replayed(Whole::of_text(kept.status, kept.answer)))
}

fn mismatch() -> Refusal {
    let text = "this Idempotency-Key was used with another request within 24 h: use a fresh key";
    Refusal::new(Code::IdempotencyMismatch, text)
}

fn running() -> Refusal {
    let text =
        "a request with this Idempotency-Key is under way: wait for its answer, or ask again in a moment";
    Refusal::new(Code::IdempotencyRunning, text)
}

/// Requests with a key that are under way, one at most for each connection.
#[derive(Debug, Clone, Default)]
pub struct Running {
    keys: Arc<Mutex<HashSet<[u8; 32]>>>,
}

/// Says that a request is under way, until it is dropped.
#[derive(Debug)]
pub struct Guard {
    running: Running,
    key: [u8; 32],
}

impl Running {
    /// Begins a request.
    ///
    /// # Errors
    /// 409 `idempotency_running` while another with the same key is under way.
    pub fn begin(&self, key: &Key) -> Result<Guard, Refusal> {
        if self.keys.lock().insert(key.key) {
            return Ok(Guard { running: self.clone(), key: key.key });
        }
        Err(running())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.running.keys.lock().remove(&self.key);
    }
}
