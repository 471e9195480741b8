//! The live tokens in memory, so that authentication costs no SQL. The door's deeds change the table, with a way back
//! as everything in its memory; everybody else only looks.

use crate::memory::Memory;
use crate::memory::step::form;
use crate::sign_in::{self, Proof};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use subtle::ConstantTimeEq;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_model::sign_in::{Kind, digest_beside};
use tiltyard_model::time::{MINUTE_MS, TimeMs};
use tiltyard_model::token::{ADMIN_OWNER, Digest, MAX_TEXT_BYTES, MIN_ADMIN_TOKEN_CHARS, Token, digest_of};
use tiltyard_store::Rows;

/// A live token.
#[derive(Debug, Deserialize)]
#[serde(from = "Written")]
pub struct Entry {
    pub(super) key: i64,
    digest: Digest,
    pub(super) caller: Arc<Caller>,
    /// When it was used last, to the minute; 0 for never.
    used: AtomicI64,
    /// What of that the store knows.
    kept: AtomicI64,
}

impl Entry {
    pub(crate) fn new(token: &Token, digest: Digest) -> Arc<Self> {
        let used = token.last_used.unwrap_or_default();
        Arc::new(Self {
            key: token.id.key(),
            digest,
            caller: Arc::new(token.caller()),
            used: AtomicI64::new(used),
            kept: AtomicI64::new(used),
        })
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.digest, &self.caller) == (other.key, other.digest, &other.caller)
    }
}

/// A live token as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    key: i64,
    digest: Digest,
    #[serde(with = "form::Caller")]
    caller: Caller,
    used: TimeMs,
}

impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let caller = Caller::clone(&self.caller);
        let used = self.used.load(Ordering::Relaxed);
        Written { key: self.key, digest: self.digest, caller, used }.serialize(serializer)
    }
}

impl From<Written> for Entry {
    fn from(written: Written) -> Self {
        let Written { key, digest, caller, used } = written;
        let (used, kept) = (AtomicI64::new(used), AtomicI64::new(used));
        Self { key, digest, caller: Arc::new(caller), used, kept }
    }
}

#[derive(Debug, Default)]
struct Live {
    /// By the first bytes of the digest: the rest is compared in constant time.
    by_start: HashMap<u64, Arc<Entry>>,
    by_key: BTreeMap<i64, Arc<Entry>>,
    by_expiry: BTreeSet<(TimeMs, i64)>,
    /// The tokens of each agent that has its own.
    by_agent: HashMap<String, BTreeSet<i64>>,
}

#[derive(Debug, Default)]
struct Inner {
    live: RwLock<Live>,
    admin: RwLock<Option<Digest>>,
    sign_ins: RwLock<sign_in::table::Table>,
}

/// The table: cheap to clone, the same for all.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    inner: Arc<Inner>,
}

impl Tokens {
    /// The live tokens of a store. One that expired while nobody looked is among them until its end is recorded; it
    /// authenticates nobody.
    ///
    /// # Errors
    /// When the store is broken.
    pub fn load(rows: &Rows) -> tiltyard_store::Result<Self> {
        let tokens = Self::default();
        for (token, digest) in tiltyard_store::token::live(rows)? {
            tokens.put(&Entry::new(&token, digest));
        }
        for (sign_in, digest) in tiltyard_store::sign_in::all(rows)? {
            let caller = match sign_in.token {
                Some(key) => tokens.by_key(key).map(|entry| Arc::clone(&entry.caller)),
                None => Some(Arc::new(admin())),
            };
            if let Some(caller) = caller {
                let entry = sign_in::table::Entry::new(sign_in, &caller, digest);
                tokens.inner.sign_ins.write().put(entry);
            }
        }
        Ok(tokens)
    }

    /// Becomes as `fresh` is, for everybody who has this table.
    pub(crate) fn become_as(&self, fresh: &Self) {
        *self.inner.live.write() = std::mem::take(&mut *fresh.inner.live.write());
        *self.inner.sign_ins.write() = std::mem::take(&mut *fresh.inner.sign_ins.write());
    }

    /// Takes `ADMIN_TOKEN` as an admin beside the store, for as long as the program runs (SEC2).
    ///
    /// # Errors
    /// 422 when it is too short to be a secret.
    pub fn take_admin(&self, text: &str) -> Result<(), Refusal> {
        if text.chars().count() < MIN_ADMIN_TOKEN_CHARS {
            let error = "ADMIN_TOKEN must have at least 16 characters: make a longer one, or unset it";
            return Err(Refusal::field("", error));
        }
        *self.inner.admin.write() = Some(digest_of(text));
        Ok(())
    }

    /// Who calls with this text at `now`.
    ///
    /// # Errors
    /// 401 for a token that is not known, was revoked, or has expired.
    pub fn verify(&self, text: &str, now: TimeMs) -> Result<Arc<Caller>, Refusal> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(unknown());
        }
        let digest = digest_of(text);
        if let Some(entry) = self.entry(&digest) {
            return entry.admit(now);
        }
        if self.inner.admin.read().is_some_and(|admin| admin.ct_eq(&digest).into()) {
            return Ok(Arc::new(admin()));
        }
        Err(unknown())
    }

    /// Who calls with the cookie of a sign-in at `now`.
    ///
    /// # Errors
    /// 401 for one that is not known, or has ended, also with its token.
    pub fn verify_cookie(&self, text: &str, now: TimeMs) -> Result<Arc<Caller>, Refusal> {
        let caller = self.signed_in(Kind::SignIn, text, now).ok_or_else(|| {
            let said = "the browser is signed in no more: sign in again; `tiltyard ui` prints a link";
            Refusal::new(Code::Unauthenticated, said)
        })?;
        self.caller_of(caller.token, now)?;
        Ok(caller)
    }

    /// Who it is that shows this to sign in at `now`. Of a code, the caller's `sign_in` is the code's key.
    ///
    /// # Errors
    /// 401 for what is not known, was used, or has ended.
    pub fn who(&self, proof: &Proof, now: TimeMs) -> Result<Arc<Caller>, Refusal> {
        match proof {
            Proof::Token(text) => self.verify(text.expose(), now),
            Proof::Code(text) => self.signed_in(Kind::Code, text.expose(), now).ok_or_else(|| {
                let said = "the code is not known, was used, or is too old; `tiltyard ui` prints a new link";
                Refusal::new(Code::Unauthenticated, said)
            }),
        }
    }

    fn signed_in(&self, kind: Kind, text: &str, now: TimeMs) -> Option<Arc<Caller>> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let beside = self.inner.admin.read().map(|admin| digest_beside(text, &admin));
        let sign_ins = self.inner.sign_ins.read();
        let own = sign_ins.find(kind, &digest_of(text), now);
        let found = own.or_else(|| sign_ins.find(kind, &beside?, now))?;
        Some(Arc::clone(&found.caller))
    }

    /// The caller of a live token at `now`, which is thereby used; of `ADMIN_TOKEN` where it is `None`.
    ///
    /// # Errors
    /// 401 when it has ended.
    pub(crate) fn caller_of(&self, token: Option<Id>, now: TimeMs) -> Result<Arc<Caller>, Refusal> {
        match token {
            Some(token) => self.by_key(token.key()).ok_or_else(unknown)?.admit(now),
            None => Ok(Arc::new(admin())),
        }
    }

    /// The digest of a text that stands for a caller.
    ///
    /// # Errors
    /// 409 `wrong_state` for a caller without a token where there is no `ADMIN_TOKEN`: nobody needs to sign in.
    pub(crate) fn digest_for(&self, text: &str, caller: &Caller) -> Result<Digest, Refusal> {
        if caller.token.is_some() {
            return Ok(digest_of(text));
        }
        let admin = *self.inner.admin.read();
        admin.map(|admin| digest_beside(text, &admin)).ok_or_else(|| {
            let said = "no tokens are asked for here, so nobody has to sign in: open the address as it is";
            Refusal::new(Code::WrongState, said)
        })
    }

    /// Whether what a stream was opened with still authenticates.
    pub fn holds(&self, token: Option<Id>, sign_in: Option<i64>) -> bool {
        token.is_none_or(|token| self.is_live(token))
            && sign_in.is_none_or(|key| self.inner.sign_ins.read().has(key))
    }

    /// Sign-ins and codes.
    pub(crate) fn sign_ins(&self) -> &RwLock<sign_in::table::Table> {
        &self.inner.sign_ins
    }

    /// The agent that a caller speaks for, also where its token was bound after it had called.
    pub fn agent_of(&self, caller: &Caller) -> Option<String> {
        let bound = || self.by_key(caller.token?.key())?.caller.agent.clone();
        caller.agent.clone().or_else(bound)
    }

    fn by_key(&self, key: i64) -> Option<Arc<Entry>> {
        self.inner.live.read().by_key.get(&key).cloned()
    }

    fn entry(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let live = self.inner.live.read();
        let entry = live.by_start.get(&start_of(digest))?;
        bool::from(entry.digest.ct_eq(digest)).then(|| Arc::clone(entry))
    }

    /// When the next token, sign-in or code expires.
    pub fn next_expiry(&self) -> Option<TimeMs> {
        let token = self.inner.live.read().by_expiry.first().map(|(at, _)| *at);
        let sign_in = self.inner.sign_ins.read().next_expiry();
        token.into_iter().chain(sign_in).min()
    }

    /// How many people can decide in a scope at `now`: identities with a live operator or admin token that covers it
    /// (SEC1), however many tokens each has.
    pub fn humans(&self, scope: &str, now: TimeMs) -> usize {
        self.owners(scope, now).len()
    }

    /// Whether an identity is one of them.
    pub fn is_human(&self, owner: &str, scope: &str, now: TimeMs) -> bool {
        self.owners(scope, now).contains(owner)
    }

    fn owners(&self, scope: &str, now: TimeMs) -> HashSet<String> {
        let live = self.inner.live.read();
        let personal = live.by_key.values().map(|entry| &entry.caller).filter(|caller| {
            caller.role.is_personal()
                && caller.reach.covers(scope)
                && caller.expires.is_none_or(|expires| expires > now)
        });
        let mut owners: HashSet<String> = personal.map(|caller| caller.owner.clone()).collect();
        if self.inner.admin.read().is_some() {
            owners.insert(ADMIN_OWNER.to_owned());
        }
        owners
    }

    /// Whether a token is live.
    pub fn is_live(&self, token: Id) -> bool {
        self.inner.live.read().by_key.contains_key(&token.key())
    }

    /// Whether an agent has a token of its own.
    pub fn bind(&self, agent: &str) -> bool {
        self.inner.live.read().by_agent.contains_key(agent)
    }

    /// What the tokens of an agent reach.
    pub(crate) fn reaches_of(&self, agent: &str) -> Vec<Reach> {
        let live = self.inner.live.read();
        let keys = live.by_agent.get(agent).into_iter().flatten();
        keys.filter_map(|key| live.by_key.get(key)).map(|entry| entry.caller.reach.clone()).collect()
    }

    /// How many tokens are live.
    pub fn len(&self) -> usize {
        self.inner.live.read().by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of live tokens that `wanted` wants.
    pub(super) fn keys(&self, wanted: impl Fn(&Caller) -> bool) -> Vec<i64> {
        let live = self.inner.live.read();
        live.by_key.values().filter(|entry| wanted(&entry.caller)).map(|entry| entry.key).collect()
    }

    /// How many live tokens name a scope.
    pub(crate) fn naming(&self, scope: &str) -> usize {
        self.keys(|caller| matches!(&caller.reach, Reach::Only(_)) && caller.reach.covers(scope)).len()
    }

    /// Keys of tokens that have expired at `now`, at most `limit`.
    pub(super) fn expired(&self, now: TimeMs, limit: usize) -> Vec<i64> {
        let live = self.inner.live.read();
        live.by_expiry.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, key)| *key).collect()
    }

    /// Tokens that were used since the store was told last, at most `limit`: key and minute.
    pub fn used(&self, limit: usize) -> Vec<(i64, TimeMs)> {
        let live = self.inner.live.read();
        let last = |entry: &Arc<Entry>| (entry.key, entry.used.load(Ordering::Relaxed));
        let newer = live
            .by_key
            .values()
            .filter(|entry| entry.used.load(Ordering::Relaxed) > entry.kept.load(Ordering::Relaxed));
        newer.take(limit).map(last).collect()
    }

    /// Whether a digest that begins so is taken: two that agree in 64 bits mean that the randomness is none.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.inner.live.read().by_start.contains_key(&start_of(digest))
    }

    /// Knows a token, or knows it differently; gives how it was known before.
    pub(super) fn put(&self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        let mut live = self.inner.live.write();
        if let Some(expires) = entry.caller.expires {
            live.by_expiry.insert((expires, entry.key));
        }
        if let Some(agent) = &entry.caller.agent {
            live.by_agent.entry(agent.clone()).or_default().insert(entry.key);
        }
        live.by_start.insert(start_of(&entry.digest), Arc::clone(entry));
        let before = live.by_key.insert(entry.key, Arc::clone(entry))?;
        let former = before.caller.agent.as_ref().filter(|agent| Some(*agent) != entry.caller.agent.as_ref());
        if let Some(keys) = former.and_then(|agent| live.by_agent.get_mut(agent)) {
            keys.remove(&entry.key);
        }
        live.by_agent.retain(|_, keys| !keys.is_empty());
        Some(before)
    }

    fn remove(&self, key: i64) -> Option<Arc<Entry>> {
        let mut live = self.inner.live.write();
        let entry = live.by_key.remove(&key)?;
        live.by_start.remove(&start_of(&entry.digest));
        if let Some(expires) = entry.caller.expires {
            live.by_expiry.remove(&(expires, key));
        }
        if let Some(agent) = &entry.caller.agent
            && let Some(keys) = live.by_agent.get_mut(agent)
        {
            keys.remove(&key);
            if keys.is_empty() {
                live.by_agent.remove(agent);
            }
        }
        Some(entry)
    }
}

impl Entry {
    /// The same, of this agent.
    fn bound(&self, agent: &str) -> Arc<Self> {
        let kept = |at: &AtomicI64| AtomicI64::new(at.load(Ordering::Relaxed));
        Arc::new(Self {
            key: self.key,
            digest: self.digest,
            caller: Arc::new(Caller { agent: Some(agent.to_owned()), ..Caller::clone(&self.caller) }),
            used: kept(&self.used),
            kept: kept(&self.kept),
        })
    }

    fn admit(&self, now: TimeMs) -> Result<Arc<Caller>, Refusal> {
        if self.caller.expires.is_some_and(|expires| expires <= now) {
            let text = "the token has expired: ask an admin for a new one";
            return Err(Refusal::new(Code::Unauthenticated, text));
        }
        self.used.fetch_max(now - now.rem_euclid(MINUTE_MS), Ordering::Relaxed);
        Ok(Arc::clone(&self.caller))
    }
}

fn unknown() -> Refusal {
    Refusal::new(Code::Unauthenticated, "the token is not known, or was revoked: ask an admin for a new one")
}

fn start_of(digest: &Digest) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(start)
}

/// Who calls with `ADMIN_TOKEN`, and with no token at all where none is asked for.
pub fn admin() -> Caller {
    Caller { owner: ADMIN_OWNER.to_owned(), role: Role::Admin, ..Caller::system() }
}

/// A step of a live token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// It is live from now on.
    Live(Arc<Entry>),
    /// It is live no more.
    End {
        /// Its key.
        key: i64,
    },
    /// The store knows that it was used.
    Used {
        /// Its key.
        key: i64,
        /// When, to the minute.
        at: TimeMs,
    },
}

impl Tokens {
    /// Does a step; gives what takes it back.
    pub(crate) fn apply(&self, step: Step) -> Option<Step> {
        match step {
            Step::Live(entry) => {
                let key = entry.key;
                Some(self.put(&entry).map_or(Step::End { key }, Step::Live))
            }
            Step::End { key } => self.remove(key).map(Step::Live),
            Step::Used { key, at } => {
                let live = self.inner.live.read();
                let entry = live.by_key.get(&key)?;
                entry.used.fetch_max(at, Ordering::Relaxed);
                Some(Step::Used { key, at: entry.kept.swap(at, Ordering::Relaxed) })
            }
        }
    }

    /// Its parts as text, for comparisons.
    pub(crate) fn summary(&self, all: &mut BTreeMap<String, String>) {
        let live = self.inner.live.read();
        for entry in live.by_key.values() {
            all.insert(format!("token {}", entry.key), format!("{:?} {:?}", entry.caller, entry.digest));
        }
        all.insert("tokens".to_owned(), format!("{:?} {}", live.by_expiry, live.by_start.len()));
        self.inner.sign_ins.read().summary(all);
    }

    /// What the store and other servers know of their use, as text.
    pub(crate) fn shared_summary(&self, all: &mut BTreeMap<String, String>) {
        for entry in self.inner.live.read().by_key.values() {
            let kept = entry.kept.load(Ordering::Relaxed);
            all.insert(format!("token {} used", entry.key), kept.to_string());
        }
    }
}

impl Memory {
    /// A token is live from now on. It is known a moment before it is on disk, but nobody has its text yet.
    pub(super) fn know_token(&mut self, entry: Arc<Entry>) {
        self.step(Step::Live(entry));
    }

    /// A live token speaks for this agent from now on; false when it is not live.
    pub(super) fn bind_token(&mut self, key: i64, agent: &str) -> bool {
        let Some(before) = self.tokens.by_key(key) else { return false };
        self.step(Step::Live(before.bound(agent)));
        true
    }

    /// A token is live no more.
    pub(super) fn forget_token(&mut self, key: i64) {
        self.step(Step::End { key });
    }

    /// The store knows that a token was used.
    pub(super) fn keep_use(&mut self, key: i64, at: TimeMs) {
        self.step(Step::Used { key, at });
    }
}
