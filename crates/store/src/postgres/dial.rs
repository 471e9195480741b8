//! The way to the database. Where several hosts are named all of them are called, and of those that take writes the one of the newest
//! line of time is spoken to: a primary that was replaced may come back and still believe that it is one.

use super::entry;
use super::failure::failure;
use super::tls::Tls;
use super::{OLDEST_VERSION, Shared};
use crate::backend::{Statement, sql};
use crate::error::{Error, Result};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Row, Socket};

/// How long one host may take until it has said what it is.
const CALL_TIME: Duration = Duration::from_secs(5);
/// After one host has answered as a primary, the others are waited for so long.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A host that takes writes.
pub(super) struct Dialled {
    pub(super) client: Client,
    /// Carries what the client says, as long as it is polled.
    pub(super) connection: Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>,
    /// The line of time of its database; 0 where there is none.
    pub(super) line: i64,
}

/// Whether a primary of a newer line of time was seen than the one of this connection.
pub(super) fn is_replaced(line: i64, shared: &Shared) -> bool {
    line > 0 && line < shared.line.load(Ordering::Relaxed)
}

/// Calls all hosts, and refuses a primary that is of an older line of time than one that was seen.
pub(super) async fn dial(shared: &Shared) -> Result<Dialled> {
    let mut calls = JoinSet::new();
    for host in &shared.hosts {
        calls.spawn(call(host.clone(), shared.tls.clone()));
    }
    let found = newest(&mut calls).await?;
    let (line, seen) = (found.line, shared.line.fetch_max(found.line, Ordering::Relaxed));
    if line > 0 && line < seen {
        let text = format!("a primary of an older line of time answers ({line} before {seen})");
        return Err(Error::Lost(text));
    }
    Ok(found)
}

/// What hosts have answered so far.
#[derive(Default)]
struct Answers {
    best: Option<Dialled>,
    worst: Option<Error>,
}

impl Answers {
    fn take(&mut self, answer: std::result::Result<Result<Dialled>, JoinError>) {
        match answer.unwrap_or_else(|error| Err(Error::Lost(error.to_string()))) {
            Ok(found) => {
                let is_better = self.best.as_ref().is_none_or(|best| best.line < found.line);
                self.best = if is_better { Some(found) } else { self.best.take() };
            }
            Err(error) => self.worst = Some(worse(self.worst.take(), error)),
        }
    }
}

async fn newest(calls: &mut JoinSet<Result<Dialled>>) -> Result<Dialled> {
    let mut answers = Answers::default();
    while answers.best.is_none()
        && let Some(answer) = calls.join_next().await
    {
        answers.take(answer);
    }
    let others = async {
        while let Some(answer) = calls.join_next().await {
            answers.take(answer);
        }
    };
    // Who has not answered by then is left out.
    let _ = timeout(GRACE, others).await;
    let none = || answers.worst.unwrap_or_else(|| Error::Lost("no host is named".to_owned()));
    answers.best.ok_or_else(none)
}

/// What to tell of several hosts that all failed: rather what somebody must see to than what may pass.
fn worse(one: Option<Error>, other: Error) -> Error {
    let weight = |error: &Error| match error {
        Error::Lost(_) => 0,
        Error::Busy(_) => 1,
        _ => 2,
    };
    match one {
        Some(one) if weight(&one) >= weight(&other) => one,
        _ => other,
    }
}

async fn call(host: Config, tls: Tls) -> Result<Dialled> {
    let called = timeout(CALL_TIME, examined(&host, tls)).await;
    called.unwrap_or_else(|_| Err(Error::Lost("a host of the database has not answered in time".to_owned())))
}

async fn examined(host: &Config, tls: Tls) -> Result<Dialled> {
    let (client, mut connection) = host.connect(tls).await.map_err(|error| match entry::refused(&error) {
        Error::Lost(reason) => Error::Lost(format!("no host answers as a primary: {reason}")),
        other => other,
    })?;
    let line = tokio::select! {
        line = examine(&client) => line?,
        ended = &mut connection => {
            let reason = ended.err().map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
            return Err(Error::Lost(format!("a connection to the database broke off: {reason}")));
        }
    };
    Ok(Dialled { client, connection, line })
}

/// Whether the database will do; its line of time.
async fn examine(client: &Client) -> Result<i64> {
    let facts = alone(client, sql!("journal/facts")).await.map_err(|error| failure("facts", &error))?;
    let [facts] = facts.as_slice() else {
        return Err(Error::Broken { statement: "facts", reason: "no answer".to_owned() });
    };
    let (version, encoding): (i64, &str) = (facts.get(0), facts.get(1));
    if version < OLDEST_VERSION {
        let text = format!("the database is too old (version number {version}): PostgreSQL 14 or later");
        return Err(Error::Locked(text));
    }
    if encoding != "UTF8" {
        let text = format!("the database has the encoding {encoding}: create one with ENCODING 'UTF8'");
        return Err(Error::Locked(text));
    }
    // Not every database that speaks PostgreSQL has such lines; then there is nothing to compare.
    let line = alone(client, sql!("journal/line")).await.ok();
    Ok(line.and_then(|rows| rows.first().map(|row| row.get::<_, i64>(0))).unwrap_or_default())
}

async fn alone(
    client: &Client,
    statement: &'static Statement,
) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
    // Without a name: the next word may go to another session.
    client.query_typed(statement.postgres, &[]).await
}
