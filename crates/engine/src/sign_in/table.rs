//! Sign-ins and codes in memory, so that a cookie costs no SQL either. The door's deeds change the table, with a way
//! back as everything in its memory; everybody else only looks.

use crate::memory::Memory;
use crate::memory::step::form::{self, shared_caller};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tiltyard_model::role::Caller;
use tiltyard_model::sign_in::{Kind, SignIn};
use tiltyard_model::time::TimeMs;
use tiltyard_model::token::Digest;

/// A sign-in or a code, with whom it stands for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What is kept of it.
    #[serde(with = "form::SignIn")]
    pub(crate) sign_in: SignIn,
    /// Who calls with it: the caller of the token, until one of the two ends.
    #[serde(with = "shared_caller")]
    pub(crate) caller: Arc<Caller>,
    digest: Digest,
}

impl Entry {
    /// One that stands for `caller`.
    pub(crate) fn new(sign_in: SignIn, caller: &Caller, digest: Digest) -> Arc<Self> {
        let caller = Caller { sign_in: Some(sign_in.key), expires: Some(sign_in.expires), ..caller.clone() };
        Arc::new(Self { sign_in, caller: Arc::new(caller), digest })
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By the first bytes of the digest: the rest is compared in constant time.
    by_start: HashMap<u64, Arc<Entry>>,
    by_key: BTreeMap<i64, Arc<Entry>>,
    by_expiry: BTreeSet<(TimeMs, i64)>,
}

impl Table {
    /// The one of a digest, of that kind, unless its time is over.
    pub(crate) fn find(&self, kind: Kind, digest: &Digest, now: TimeMs) -> Option<Arc<Entry>> {
        let entry = self.by_start.get(&start_of(digest))?;
        let is_it = bool::from(entry.digest.ct_eq(digest)) && entry.sign_in.kind == kind;
        (is_it && entry.sign_in.expires > now).then(|| Arc::clone(entry))
    }

    /// Whether one is there.
    pub(crate) fn has(&self, key: i64) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Whether a digest that begins so is taken.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        self.by_start.contains_key(&start_of(digest))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Keys of those of a token, oldest first; of `ADMIN_TOKEN` where it is `None`.
    pub(crate) fn of_token(&self, token: Option<i64>) -> impl Iterator<Item = SignIn> {
        self.by_key.values().map(|entry| entry.sign_in).filter(move |sign_in| sign_in.token == token)
    }

    /// When the next one ends.
    pub(crate) fn next_expiry(&self) -> Option<TimeMs> {
        self.by_expiry.first().map(|(at, _)| *at)
    }

    /// Keys of those whose time is over at `now`, at most `limit`.
    pub(crate) fn expired(&self, now: TimeMs, limit: usize) -> Vec<i64> {
        self.by_expiry.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, key)| *key).collect()
    }

    /// Takes one in.
    pub(crate) fn put(&mut self, entry: Arc<Entry>) {
        let SignIn { key, expires, .. } = entry.sign_in;
        self.by_start.insert(start_of(&entry.digest), Arc::clone(&entry));
        self.by_expiry.insert((expires, key));
        self.by_key.insert(key, entry);
    }

    fn remove(&mut self, key: i64) -> Option<Arc<Entry>> {
        let entry = self.by_key.remove(&key)?;
        self.by_start.remove(&start_of(&entry.digest));
        self.by_expiry.remove(&(entry.sign_in.expires, key));
        Some(entry)
    }
}

fn start_of(digest: &Digest) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(start)
}

/// A step of a sign-in or a code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// One is there.
    Begin(Arc<Entry>),
    /// One is there no more.
    End {
        /// Its key.
        key: i64,
    },
}

impl Table {
    /// Does a step; gives what takes it back.
    pub(crate) fn apply(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Begin(entry) => {
                let key = entry.sign_in.key;
                self.put(entry);
                Some(Step::End { key })
            }
            Step::End { key } => self.remove(key).map(Step::Begin),
        }
    }

    /// Its parts as text, for comparisons.
    pub(crate) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (key, entry) in &self.by_key {
            all.insert(format!("sign-in {key}"), format!("{entry:?}"));
        }
        all.insert("sign-ins".to_owned(), format!("{:?} {}", self.by_expiry, self.by_start.len()));
    }
}

impl Memory {
    /// One is there from now on. It is known a moment before it is on disk, but nobody has its text yet.
    pub(super) fn know_sign_in(&mut self, entry: Arc<Entry>) {
        self.step(Step::Begin(entry));
    }

    /// One is there no more.
    pub(super) fn forget_sign_in(&mut self, key: i64) {
        self.step(Step::End { key });
    }
}
