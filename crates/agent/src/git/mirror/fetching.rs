//! One fetch of a repository at a time, shared by all who wait for it, and given up early when the repository's host
//! is silent: a dead forge must not hold the slots that others need (C31).

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::super::command::{GitError, Refused};
use super::super::name::Oid;

/// The longest wait for somebody else's fetch, in seconds.
const MAX_WAIT_SECONDS: u64 = 60;
/// A failure that took this long is a host that is silent, in seconds.
const SILENT_SECONDS: u64 = 5;
/// How long a silent host is left alone, in seconds.
const REST_SECONDS: u64 = 30;
const WHAT: &str = "fetch the target branch";

/// The fetches of one mirror.
#[derive(Debug, Default)]
pub(super) struct Fetching(Mutex<Option<Last>>);

/// The last fetch.
#[derive(Debug)]
struct Last {
    began: Instant,
    ended: Instant,
    told: Result<Oid, Told>,
}

/// An error that more than one can hear.
#[derive(Debug, Clone)]
enum Told {
    Refused(Refused),
    Passing(String),
}

impl Fetching {
    /// Fetches, unless one that began after this was asked for has ended meanwhile: its answer is as new.
    pub(super) async fn fetch<F: Future<Output = Result<Oid, GitError>>>(
        &self,
        fetch: impl FnOnce() -> F,
    ) -> Result<Oid, GitError> {
        let asked = Instant::now();
        let waited = timeout(Duration::from_secs(MAX_WAIT_SECONDS), self.0.lock()).await;
        let mut last = waited.map_err(|_| passing("another task is still fetching it".to_owned()))?;
        if let Some(told) = last.as_ref().and_then(|last| last.told_to(asked, Instant::now())) {
            return told;
        }
        let began = Instant::now();
        let answer = fetch().await;
        let told = match &answer {
            Ok(head) => Ok(head.clone()),
            Err(GitError::Refused(refused)) => Err(Told::Refused(refused.clone())),
            Err(error) => Err(Told::Passing(error.to_string())),
        };
        *last = Some(Last { began, ended: Instant::now(), told });
        answer
    }

    /// Nothing is fetched while the guard lives.
    pub(super) async fn pause(&self) -> Paused<'_> {
        Paused { _last: self.0.lock().await }
    }
}

/// Nothing is fetched while this lives.
pub(super) struct Paused<'f> {
    _last: tokio::sync::MutexGuard<'f, Option<Last>>,
}

impl Last {
    /// What is told, without another fetch, to one who asked then.
    fn told_to(&self, asked: Instant, now: Instant) -> Option<Result<Oid, GitError>> {
        let silent = self.ended - self.began >= Duration::from_secs(SILENT_SECONDS);
        let resting = silent && now - self.ended < Duration::from_secs(REST_SECONDS);
        match &self.told {
            Ok(head) => (self.began >= asked).then(|| Ok(head.clone())),
            Err(Told::Refused(refused)) => (self.began >= asked).then(|| Err(refused.clone().into())),
            Err(Told::Passing(words)) if resting || self.began >= asked => {
                Some(Err(passing(format!("it was out of reach a moment ago ({words})"))))
            }
            Err(Told::Passing(_)) => None,
        }
    }
}

fn passing(reason: String) -> GitError {
    GitError::Failed { what: WHAT, code: 1, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn head() -> Oid {
        Oid::try_from("a".repeat(40)).expect("is an id")
    }

    // C31: those who wait share one answer; who asks later gets a new one.
    #[tokio::test]
    async fn c31_those_who_wait_share_one_fetch() {
        let (fetching, count) = (Fetching::default(), AtomicUsize::new(0));
        let slow = || async {
            count.fetch_add(1, Ordering::SeqCst);
            // Lets the others ask.
            tokio::task::yield_now().await;
            Ok(head())
        };
        let begin = || fetching.fetch(slow);
        let all = tokio::join!(begin(), begin(), begin(), begin());
        assert!([all.0, all.1, all.2, all.3].into_iter().all(|answer| answer.is_ok()));
        assert_eq!(count.load(Ordering::SeqCst), 2, "the second began after all had asked");
        begin().await.expect("is there");
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    // C31: a silent host is asked once and left alone for a while; a quick no is not.
    #[tokio::test]
    async fn c31_a_silent_host_costs_one_wait_and_not_one_each() {
        let began = Instant::now();
        let after = |seconds: u64| began + Duration::from_secs(seconds);
        let failed = |ended: Instant| Last { began, ended, told: Err(Told::Passing("silent".to_owned())) };
        let words = |last: &Last, asked: u64, now: u64| {
            last.told_to(after(asked), after(now)).map(|told| told.expect_err("it failed").to_string())
        };
        let slow = failed(after(SILENT_SECONDS));
        let soon = words(&slow, SILENT_SECONDS + 1, SILENT_SECONDS + 2).expect("it is left alone");
        assert!(soon.contains("out of reach") && soon.contains("silent"), "{soon}");
        assert_eq!(words(&slow, 99, SILENT_SECONDS + REST_SECONDS), None, "it is asked again");
        let quick = failed(after(1));
        assert_eq!(words(&quick, 2, 2), None);
        assert!(words(&quick, 0, 1).is_some(), "who asked before it began has the same answer");
    }
}
