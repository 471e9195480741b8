//! The ledger: what was sent, and what the server said of it. It is kept in memory by those who send, beside the
//! server and without its help, so that it can be held against the store afterwards.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A task's id and the generation of one of its attempts.
pub(crate) type Attempt = (String, i64);

/// What the server said of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nothing: it may be in the store or not.
    Unknown,
    /// It is done, under this id.
    Done(String),
    /// It is not: refused, or never sent.
    Refused,
    /// It is a second task of a unique key: the first, with this id, stands for it.
    Twin(String),
}

/// A submission.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    /// What was said of it.
    pub(crate) word: Word,
    /// The batch it came in: all of it or nothing.
    pub(crate) batch: Option<String>,
    /// Its unique key.
    pub(crate) unique: Option<String>,
}

/// How an attempt was said to have ended, and what the server said of that.
#[derive(Debug, Clone)]
pub(crate) struct Settle {
    /// `succeeded`, `failed` or `released`.
    pub(crate) outcome: &'static str,
    /// The result, or the error.
    pub(crate) said: Value,
    /// Whether the server said that it is done, or had been before.
    pub(crate) done: bool,
    /// How often it was taken as new.
    pub(crate) accepted: u32,
    /// How often it was said.
    pub(crate) times: u32,
}

/// What the server said of a settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Taken.
    Accepted,
    /// Taken before.
    Replayed,
    /// Not taken, with the code.
    Refused(String),
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which one.
    pub(crate) kind: Kind,
    /// What was seen.
    pub(crate) text: String,
}

/// The promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What was acknowledged is there (E1).
    Lost,
    /// What happens once happens once (E3, E4, E8, API5).
    Twice,
    /// The log has no holes, and tells what is so (D50, D51, E5).
    Log,
    /// What was never done is not there.
    Stranger,
    /// An answer is one that the request may get.
    Answer,
}

/// What a handed-out task was answered with under an `Idempotency-Key`.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    /// The key.
    pub(crate) key: String,
    /// The path.
    pub(crate) path: &'static str,
    /// The body.
    pub(crate) body: Value,
    /// The answer's status and body.
    pub(crate) answer: (u16, Value),
}

/// The pages of the ledger.
#[derive(Debug, Default, Clone)]
pub(crate) struct Book {
    /// By title; no two tasks have the same.
    pub(crate) tasks: BTreeMap<String, Submission>,
    /// By task and generation.
    pub(crate) settles: BTreeMap<Attempt, Settle>,
    /// Who was given which attempt.
    pub(crate) handed: BTreeMap<Attempt, String>,
    /// Answers that must come again.
    pub(crate) keyed: Vec<Keyed>,
    /// Settles that were answered, in that order.
    pub(crate) answered: Vec<Attempt>,
    /// What was wrong when it was heard.
    pub(crate) faults: Vec<Fault>,
    /// Tasks that were acknowledged and have no final settle yet.
    pub(crate) open: i64,
}

/// The ledger. Many hands write it.
pub(crate) struct Ledger {
    book: Mutex<Book>,
    heard: watch::Sender<u64>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { book: Mutex::default(), heard: watch::Sender::new(0) }
    }

    /// Its pages.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many answers of success were heard; tells when there are more.
    pub(crate) fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// One more answer of success.
    pub(crate) fn hear(&self) {
        self.heard.send_modify(|count| *count += 1);
    }

    /// Something is wrong already.
    pub(crate) fn fault(&self, kind: Kind, text: String) {
        self.book().faults.push(Fault { kind, text });
    }

    /// A submission is about to be sent.
    pub(crate) fn will_submit(&self, title: &str, batch: Option<&str>, unique: Option<&str>) {
        let submission = Submission {
            word: Word::Unknown,
            batch: batch.map(str::to_owned),
            unique: unique.map(str::to_owned),
        };
        self.book().tasks.insert(title.to_owned(), submission);
    }

    /// What was said of it.
    pub(crate) fn submitted(&self, title: &str, word: Word) {
        let mut book = self.book();
        if matches!(word, Word::Done(_)) {
            book.open += 1;
        }
        book.tasks.get_mut(title).expect("it was written down before it was sent").word = word;
    }

    /// An agent was given an attempt; nobody else may have been.
    pub(crate) fn handed(&self, agent: &str, attempt: &Attempt) {
        let mut book = self.book();
        let before = book.handed.insert(attempt.clone(), agent.to_owned());
        if let Some(before) = before.filter(|before| before != agent) {
            let text = format!("{attempt:?} was given to {before} and to {agent}");
            book.faults.push(Fault { kind: Kind::Twice, text });
        }
    }

    /// A settle is about to be sent, perhaps again.
    pub(crate) fn will_settle(&self, attempt: &Attempt, outcome: &'static str, said: &Value) {
        let mut book = self.book();
        let fresh = || Settle { outcome, said: said.clone(), done: false, accepted: 0, times: 0 };
        book.settles.entry(attempt.clone()).or_insert_with(fresh).times += 1;
    }

    /// What was said of it.
    pub(crate) fn settled(&self, attempt: &Attempt, verdict: &Verdict) {
        let mut book = self.book();
        let settle = book.settles.get_mut(attempt).expect("it was written down before it was sent");
        let before = settle.clone();
        settle.done |= !matches!(verdict, Verdict::Refused(_));
        settle.accepted += u32::from(*verdict == Verdict::Accepted);
        let after = settle.clone();
        if after.done && !before.done {
            book.answered.push(attempt.clone());
            book.open -= i64::from(after.outcome == "succeeded");
        }
        let fault = match verdict {
            Verdict::Accepted if before.done => Some((Kind::Twice, "was accepted after it had been settled")),
            Verdict::Replayed if before.times < 2 => {
                Some((Kind::Stranger, "was replayed when said for the first time"))
            }
            Verdict::Refused(_) if before.done => {
                Some((Kind::Lost, "was refused after it had been acknowledged"))
            }
            _ => None,
        };
        if let Some((kind, what)) = fault {
            book.faults.push(Fault { kind, text: format!("{attempt:?} {what}: {verdict:?}") });
        }
    }

    /// How many acknowledged tasks wait to be finished.
    pub(crate) fn open(&self) -> i64 {
        self.book().open
    }
}
