//! Keeping a child running: started again when it ends, until it is told to end.

use super::restart::{Restarts, Verdict};
use super::{Child, Ended, Order};
use crate::exit::{Exit, Failure};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;

/// What the parent wants of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Wish {
    /// That it runs.
    #[default]
    Run,
    /// That it ends in order.
    End,
    /// That it ends at once.
    EndAtOnce,
}

/// What is told of a child.
#[derive(Debug, Clone)]
pub enum News<'a> {
    /// It runs (again).
    Runs(&'a Child),
    /// It ended and is started again after the pause.
    Again(&'a Ended, Duration),
}

/// A child and how it is kept.
#[derive(Debug)]
pub struct Keeper {
    /// What is started again.
    pub order: Order,
    /// How long it may take to end in order.
    pub patience: Duration,
    /// What is wanted.
    pub wish: watch::Receiver<Wish>,
}

impl Keeper {
    /// Keeps `child` running until it is told to end.
    ///
    /// # Errors
    /// When it is given up: it ended too often, or what it said will not change by another try.
    pub async fn keep(mut self, mut child: Child, tell: impl Fn(&News<'_>)) -> Result<(), Failure> {
        let mut restarts = Restarts::default();
        loop {
            tell(&News::Runs(&child));
            let started = Instant::now();
            let ended = tokio::select! {
                ended = child.ended() => ended,
                () = wished(&mut self.wish, Wish::End) => return self.end(child).await,
            };
            let Verdict::Again(pause) = judge(&mut restarts, &ended, started.elapsed()) else {
                return Err(given_up(&ended));
            };
            tell(&News::Again(&ended, pause));
            tokio::select! {
                () = sleep(pause) => {}
                () = wished(&mut self.wish, Wish::End) => return Ok(()),
            }
            child = Child::start(&self.order).await?;
        }
    }

    async fn end(mut self, mut child: Child) -> Result<(), Failure> {
        let ended = tokio::select! {
            ended = child.end(self.patience) => Some(ended),
            () = wished(&mut self.wish, Wish::EndAtOnce) => None,
        };
        let Some(ended) = ended else {
            child.kill();
            child.ended().await;
            return Ok(());
        };
        if ended.status.success() { Ok(()) } else { Err(ended.failure()) }
    }
}

/// Waits until that much is wished; a parent that has forgotten its wish wishes nothing more.
async fn wished(wish: &mut watch::Receiver<Wish>, at_least: Wish) {
    if wish.wait_for(|wish| *wish >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Wrong usage stays wrong however often it is tried.
fn judge(restarts: &mut Restarts, ended: &Ended, lived: Duration) -> Verdict {
    match ended.status.code() {
        Some(code) if code == Exit::Usage as i32 => Verdict::GiveUp,
        _ => restarts.ended(lived),
    }
}

fn given_up(ended: &Ended) -> Failure {
    let failure = ended.failure();
    let hint = failure.hint.unwrap_or_else(|| "`tiltyard doctor` looks at this machine".to_owned());
    Failure { message: format!("given up: {}", failure.message), hint: Some(hint), ..failure }
}
