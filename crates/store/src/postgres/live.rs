//! One connection with what it has prepared, and how a row of statements goes out on it at once.

mod bulk;

use super::dial::{Dialled, dial, is_replaced};
use super::failure::{ends_session, failure};
use super::prepared::Prepared;
use super::queue::{Control, Part, Queue, What};
use super::value::Column;
use super::{Role, Sessions, Shared};
use crate::backend::{Statement, Value};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
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

/// Where statements are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the transaction that is under way.
    Inside,
    /// Before one.
    Outside,
}

/// How each statement ended, in order.
pub(crate) type Ends = Vec<std::result::Result<Answer, tokio_postgres::Error>>;
type Coming<'a> = Pin<Box<dyn Future<Output = std::result::Result<Answer, tokio_postgres::Error>> + 'a>>;

/// A connection.
pub(crate) struct Live {
    shared: Arc<Shared>,
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
    pub(crate) async fn connect(shared: &Arc<Shared>, role: Role) -> Result<Self> {
        let Dialled { client, connection, line } = dial(shared).await?;
        // What ends the connection shows in whatever is asked next.
        let driver = tokio::spawn(async move { drop(connection.await) });
        let begin = shared.patience.begin(role, shared.durability);
        let shared = Arc::clone(shared);
        Ok(Self { shared, client, driver, prepared: HashMap::new(), begin, line })
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
        place: Place,
    ) -> Result<()> {
        let mut lacking: Vec<&'static Statement> = Vec::new();
        for statement in statements {
            if self.knows(statement) || lacking.iter().any(|other| other.name == statement.name) {
                continue;
            }
            lacking.push(statement);
        }
        if lacking.is_empty() {
            return Ok(());
        }
        match (self.shared.sessions, place) {
            (Sessions::Own, _) | (_, Place::Inside) => self.ask_about(lacking).await,
            (Sessions::Mixed, Place::Outside) => {
                self.script("begin", "BEGIN").await?;
                let told = self.ask_about(lacking).await;
                self.script("rollback", "ROLLBACK").await?;
                told
            }
        }
    }

    /// Whether a statement is known here; where names are not kept, what one connection knows all know.
    fn knows(&mut self, statement: &'static Statement) -> bool {
        if self.prepared.contains_key(statement.name) {
            return true;
        }
        let known = self.shared.known.lock().get(statement.name).cloned();
        known.is_some_and(|known| self.prepared.insert(statement.name, known).is_none())
    }

    async fn ask_about(&mut self, lacking: Vec<&'static Statement>) -> Result<()> {
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
            let prepared = Prepared::new(own, statement, self.shared.sessions);
            if self.shared.sessions == Sessions::Mixed {
                self.shared.known.lock().insert(own.name, prepared.clone());
            }
            self.prepared.insert(own.name, prepared);
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
                let count = self.prepared(statement).types.len();
                let columns: Vec<Column<'_>> =
                    (0..count).map(|place| Column { queue, entries: &part.entries, place }).collect();
                let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|own| own as _).collect();
                self.execute(statement, &columns).await.map(Answer::Touched)
            }),
        }
    }

    fn ask<'a>(&'a self, ask: Ask<'a>) -> Coming<'a> {
        Box::pin(async move {
            let parameters: Vec<&(dyn ToSql + Sync)> = match ask.parameters {
                Parameters::Values(values) => values.iter().map(|own| own as _).collect(),
                Parameters::Lists(columns) => columns.iter().map(|own| own as _).collect(),
            };
            if self.prepared(ask.statement).gives_rows {
                return self.query(ask.statement, &parameters).await.map(Answer::Rows);
            }
            self.execute(ask.statement, &parameters).await.map(Answer::Touched)
        })
    }

    async fn execute(
        &self,
        statement: &'static Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> std::result::Result<u64, tokio_postgres::Error> {
        let own = self.prepared(statement);
        match &own.named {
            Some(named) => self.client.execute(named, parameters).await,
            None => self.client.execute_typed(statement.postgres, &typed(own, parameters)).await,
        }
    }

    async fn query(
        &self,
        statement: &'static Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
        let own = self.prepared(statement);
        match &own.named {
            Some(named) => self.client.query(named, parameters).await,
            None => self.client.query_typed(statement.postgres, &typed(own, parameters)).await,
        }
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

/// Parameters with what the database takes them for.
fn typed<'a>(own: &Prepared, parameters: &[&'a (dyn ToSql + Sync)]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    parameters.iter().copied().zip(own.types.iter().cloned()).collect()
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
