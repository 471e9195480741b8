//! One connection with what it has prepared, and how a row of statements goes out on it at once.

mod bulk;

use super::dial::{Dialled, dial, is_replaced};
use super::failure::{ends_session, failure};
use super::prepared::Prepared;
use super::queue::{Control, Part, Queue, What};
use super::value::Column;
use super::{Role, Shared};
use crate::backend::{Statement, Value};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// What a statement brought.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was done.
    Done,
    /// How many rows it touched.
    Touched(u64),
    /// Its rows.
    Rows(Vec<Row>),
}

/// A question that goes out behind what waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) statement: &'static Statement,
    pub(crate) parameters: Parameters<'a>,
}

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parameters<'a> {
    /// A value a place.
    Values(&'a [Value<'a>]),
    /// A list a place.
    Lists(&'a [Column<'a>]),
}

impl<'a> Ask<'a> {
    pub(crate) fn of(statement: &'static Statement, values: &'a [Value<'a>]) -> Self {
        Self { statement, parameters: Parameters::Values(values) }
    }
}

/// How each statement ended, in order.
pub(crate) type Ends = Vec<std::result::Result<Answer, tokio_postgres::Error>>;
type Coming<'a> = Pin<Box<dyn Future<Output = std::result::Result<Answer, tokio_postgres::Error>> + 'a>>;

/// A connection.
pub(crate) struct Live {
    client: Client,
    driver: JoinHandle<()>,
    prepared: HashMap<&'static str, Prepared>,
    begin: String,
    /// The line of time of its database; 0 where there is none.
    line: i64,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Live {
    /// Connects.
    pub(crate) async fn connect(shared: &Shared, role: Role) -> Result<Self> {
        let Dialled { client, connection, line } = dial(shared).await?;
        // What ends the connection shows in whatever is asked next.
        let driver = tokio::spawn(async move { drop(connection.await) });
        let begin = shared.patience.begin(role, shared.durability);
        Ok(Self { client, driver, prepared: HashMap::new(), begin, line })
    }

    /// Several statements in one text.
    pub(crate) async fn script(&self, name: &'static str, text: &str) -> Result<()> {
        self.client.batch_execute(text).await.map_err(|error| failure(name, &error))
    }

    /// Whether another connection is needed: it is closed, or leads to a primary that was replaced since.
    pub(crate) fn is_over(&self, shared: &Shared) -> bool {
        self.client.is_closed() || is_replaced(self.line, shared)
    }

    /// Prepares what these need and is not prepared yet, all at once.
    pub(crate) async fn prepare(
        &mut self,
        statements: impl Iterator<Item = &'static Statement>,
    ) -> Result<()> {
        let mut lacking: Vec<&'static Statement> = Vec::new();
        for statement in statements {
            let known = self.prepared.contains_key(statement.name)
                || lacking.iter().any(|other| other.name == statement.name);
            if !known {
                lacking.push(statement);
            }
        }
        let mut coming: Vec<_> =
            lacking.iter().map(|own| Box::pin(self.client.prepare(own.postgres))).collect();
        let ends = in_turn(&mut coming).await;
        drop(coming);
        for (own, end) in lacking.into_iter().zip(ends) {
            // Told as lost, so that whoever may begins anew on another connection.
            let statement = end.map_err(|error| match failure(own.name, &error) {
                Error::Busy(reason) if ends_session(&error) => Error::Lost(reason),
                other => other,
            })?;
            self.prepared.insert(own.name, Prepared::new(own, statement));
        }
        Ok(())
    }

    pub(crate) fn prepared(&self, statement: &'static Statement) -> &Prepared {
        self.prepared.get(statement.name).expect("everything is prepared before it is sent")
    }

    /// Sends all parts and the questions without waiting in between, and waits for their ends. Nothing here goes by COPY: a
    /// server that freezes inside of one holds the store's lock, and no time-out of the database ends it.
    pub(crate) async fn send(&self, queue: &Queue, parts: &[Part], asks: &[Ask<'_>]) -> Ends {
        let writes = parts.iter().map(|part| self.part(queue, part));
        let asked = asks.iter().map(|ask| self.ask(*ask));
        let mut coming: Vec<Coming<'_>> = writes.chain(asked).collect();
        in_turn(&mut coming).await
    }

    fn part<'a>(&'a self, queue: &'a Queue, part: &'a Part) -> Coming<'a> {
        match part.what {
            What::Control(control) => Box::pin(async move {
                self.client.batch_execute(&self.text(control)).await.map(|()| Answer::Done)
            }),
            What::Write(statement, _) => Box::pin(async move {
                let own = &self.prepared(statement).statement;
                let columns: Vec<Column<'_>> = (0..own.params().len())
                    .map(|place| Column { queue, entries: &part.entries, place })
                    .collect();
                let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|own| own as _).collect();
                self.client.execute(own, &columns).await.map(Answer::Touched)
            }),
        }
    }

    fn ask<'a>(&'a self, ask: Ask<'a>) -> Coming<'a> {
        Box::pin(async move {
            let own = &self.prepared(ask.statement).statement;
            let parameters: Vec<&(dyn ToSql + Sync)> = match ask.parameters {
                Parameters::Values(values) => values.iter().map(|own| own as _).collect(),
                Parameters::Lists(columns) => columns.iter().map(|own| own as _).collect(),
            };
            if own.columns().is_empty() {
                return self.client.execute(own, &parameters).await.map(Answer::Touched);
            }
            self.client.query(own, &parameters).await.map(Answer::Rows)
        })
    }

    fn text(&self, control: Control) -> std::borrow::Cow<'_, str> {
        match control {
            Control::Begin => self.begin.as_str().into(),
            Control::Commit => "COMMIT".into(),
            Control::Rollback => "ROLLBACK".into(),
            Control::Save(depth) => format!("SAVEPOINT s{depth}").into(),
            Control::Keep(depth) => format!("RELEASE s{depth}").into(),
            Control::Undo(depth) => format!("ROLLBACK TO s{depth}; RELEASE s{depth}").into(),
        }
    }
}

/// Starts all of them in their order, then waits for each: answers come in the order of what was sent.
async fn in_turn<F: Future + Unpin>(coming: &mut [F]) -> Vec<F::Output> {
    let mut ends: Vec<Option<F::Output>> = Vec::with_capacity(coming.len());
    std::future::poll_fn(|context| {
        for own in coming.iter_mut() {
            ends.push(match Pin::new(own).poll(context) {
                Poll::Ready(end) => Some(end),
                Poll::Pending => None,
            });
        }
        Poll::Ready(())
    })
    .await;
    let mut all = Vec::with_capacity(ends.len());
    for (end, own) in ends.into_iter().zip(coming) {
        all.push(match end {
            Some(end) => end,
            None => own.await,
        });
    }
    all
}
