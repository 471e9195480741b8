//! A connection as [`crate::rows`] uses it: blocking, with a queue of writes before it, and made anew when it was lost.

mod bulk;

use super::failure::{ends_session, failure};
use super::live::{Answer, Ask, Ends, Live, Parameters, Place};
use super::queue::{Control, Expect, Part, Queue, What};
use super::value::Column;
use super::{Role, STEP_LOCK_MS, STEP_TIME, Shared, pool};
use crate::backend::{Statement, Value};
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Row;

/// What is told of a database that hangs.
const SILENT: &str = "the database has not answered in time";

/// A connection. It must not be used on an asynchronous thread: it blocks.
pub(crate) struct Session {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    role: Role,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// Whether a transaction is under way, sent or waiting to be sent.
    open: bool,
    queue: Queue,
    marks: Vec<Mark>,
    /// Why the transaction can only be taken back.
    failed: Option<Error>,
    /// What went wrong is not of the deed at work: no mark takes it back.
    hopeless: bool,
    /// Whether the transaction has changed a row, or may have.
    wrote: bool,
}

/// A point to come back to.
struct Mark {
    name: &'static str,
    /// So many entries of the queue came before it.
    at: usize,
    /// The database knows it.
    sent: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.get_mut().live = None;
        if let Some(runtime) = self.runtime.take() {
            // A session may be dropped on an asynchronous thread, which may not wait.
            runtime.shutdown_background();
        }
    }
}

impl Session {
    /// Connects.
    pub(crate) fn open(shared: Arc<Shared>, role: Role) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("start the driver of PostgreSQL", &error))?;
        let session = Self { runtime: Some(runtime), shared, role, state: RefCell::default() };
        session.connect(&mut session.state.borrow_mut())?;
        Ok(session)
    }

    /// Why the transaction, or the part behind the last mark, can only be taken back.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state.borrow().failed.clone()
    }

    /// Looks whether what a session keeps is found again, and refuses a database where it is not.
    pub(crate) fn refuse_pool(&self) -> Result<()> {
        self.wait(pool::refuse(&self.shared))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is there until the session is dropped")
    }

    fn connect(&self, state: &mut State) -> Result<()> {
        state.live = None;
        let live = self.wait(Live::connect(&self.shared, self.role))?;
        state.live = Some(live);
        Ok(())
    }

    /// Another connection to the same store.
    pub(crate) fn beside(&self, role: Role) -> Result<Self> {
        Self::open(Arc::clone(&self.shared), role)
    }

    /// Waits for the database, but not for ever: one that is frozen answers nothing.
    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.wait_for(self.shared.patience.answer(self.role), work)
    }

    fn wait_for<T>(&self, limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime().block_on(async {
            tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Error::Lost(SILENT.to_owned())))
        })
    }

    /// Begins a transaction: sent together with what comes next.
    pub(crate) fn begin(&self) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        state.reset();
        if state.live.as_ref().is_none_or(|live| live.is_over(&self.shared)) {
            self.connect(state)?;
        }
        state.open = true;
        state.queue.control(Control::Begin);
        Ok(())
    }

    /// The rows of a question, behind everything that waits.
    pub(crate) fn query(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<Vec<Row>> {
        if holds_nul(parameters) && !statement.postgres.contains("RETURNING") {
            // No text here holds it, so nothing is like it.
            return Ok(Vec::new());
        }
        refuse_nul(statement, parameters)?;
        match self.ask(&[Ask::of(statement, parameters)])?.pop() {
            Some(Answer::Rows(rows)) => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }

    /// The rows of a statement whose parameters are lists, for many sets of them at once.
    pub(crate) fn query_many<'a, const N: usize>(
        &self,
        statement: &'static Statement,
        many: impl Iterator<Item = [Value<'a>; N]>,
    ) -> Result<Vec<Row>> {
        let mut lists = Queue::default();
        for parameters in many {
            refuse_nul(statement, &parameters)?;
            lists.write(statement, &parameters, Expect::Any);
        }
        if lists.is_empty() {
            return Ok(Vec::new());
        }
        let entries: Vec<usize> = (0..lists.len()).collect();
        let columns: Vec<Column<'_>> =
            (0..N).map(|place| Column { queue: &lists, entries: &entries, place }).collect();
        let parameters = Parameters::Lists(&columns);
        match self.ask(&[Ask { statement, parameters }])?.pop() {
            Some(Answer::Rows(rows)) => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }

    /// Writes now, and says how many rows that touched.
    pub(crate) fn run(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<usize> {
        refuse_nul(statement, parameters)?;
        match self.ask(&[Ask::of(statement, parameters)])?.pop() {
            Some(Answer::Touched(count)) => Ok(count as usize),
            Some(Answer::Rows(rows)) => Ok(rows.len()),
            _ => Ok(0),
        }
    }

    /// Several questions in one way there and back.
    pub(crate) fn ask(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer>> {
        self.exchange(&mut self.state.borrow_mut(), asks)
    }

    /// The rows of several questions in one way there and back.
    pub(crate) fn ask_rows(&self, asks: &[(&'static Statement, &[Value<'_>])]) -> Result<Vec<Vec<Row>>> {
        let asks: Vec<Ask<'_>> =
            asks.iter().map(|(statement, parameters)| Ask::of(statement, parameters)).collect();
        let rows = |answer| match answer {
            Answer::Rows(rows) => rows,
            _ => Vec::new(),
        };
        Ok(self.ask(&asks)?.into_iter().map(rows).collect())
    }

    /// Several statements in one text, without parameters: a step of the schema.
    pub(crate) fn script(&self, name: &'static str, text: &'static str) -> Result<()> {
        self.flush()?;
        let state = &mut *self.state.borrow_mut();
        let live = state.live.as_ref().ok_or_else(|| Error::Lost("there is no connection".to_owned()))?;
        // The database's own limits are those of deeds. Whoever reads a table that the step changes is done with it by then.
        let lock_ms = self.shared.patience.read_ms + STEP_LOCK_MS;
        let limits = format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {lock_ms}; SET LOCAL enable_seqscan = on"
        );
        let done = self.wait_for(STEP_TIME, async {
            live.script(name, &limits).await?;
            live.script(name, text).await
        });
        done.map_err(|error| state.fail(error))
    }

    /// Writes some time before the next question, at the latest with the commit.
    pub(crate) fn defer(
        &self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
        expect: Expect,
    ) -> Result<()> {
        refuse_nul(statement, parameters)?;
        let state = &mut *self.state.borrow_mut();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        state.queue.write(statement, parameters, expect);
        state.wrote = true;
        if state.open && !state.queue.is_full() {
            return Ok(());
        }
        self.exchange(state, &[]).map(drop)
    }

    /// Sends what waits.
    pub(crate) fn flush(&self) -> Result<()> {
        self.exchange(&mut self.state.borrow_mut(), &[]).map(drop)
    }

    /// Commits. [`Error::Unknown`] when nobody knows whether that happened.
    pub(crate) fn commit(&self) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        if state.queue.has_doubts() {
            // Who finds out after the commit that memory and rows disagree cannot take it back.
            self.exchange(state, &[])?;
        }
        if let Some(error) = state.failed.clone() {
            return Err(error);
        }
        state.marks.clear();
        state.queue.control(Control::Commit);
        let ended = self.exchange(state, &[]).map(drop);
        if ended.is_ok() {
            state.reset();
        }
        match ended {
            Err(Error::Lost(reason)) => Err(Error::Unknown(reason)),
            Err(Error::Busy(reason)) if state.live.is_none() => Err(Error::Unknown(reason)),
            ended => ended,
        }
    }

    /// Takes the transaction back; a lost connection has done it already.
    pub(crate) fn rollback(&self) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        if !state.open {
            return Ok(());
        }
        let begun = !matches!(state.queue.first(), Some(What::Control(Control::Begin)));
        let over = state.live.is_none();
        state.reset();
        if !begun || over {
            return Ok(());
        }
        state.queue.control(Control::Rollback);
        // Whatever keeps it from being said ends the session, and the session's end takes the transaction back.
        if self.exchange(state, &[]).is_err() {
            state.live = None;
        }
        state.reset();
        Ok(())
    }

    /// Marks a point to come back to. The database hears of it only when something behind it is sent before it is over.
    pub(crate) fn save(&self, name: &'static str) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let at = state.queue.len();
        state.marks.push(Mark { name, at, sent: false });
        Ok(())
    }

    /// Keeps what came after the mark.
    pub(crate) fn keep(&self, name: &'static str) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let Some((mark, depth)) = state.back_to(name) else { return Ok(()) };
        if mark.sent {
            state.queue.control(Control::Keep(depth));
        }
        Ok(())
    }

    /// Takes back what came after the mark.
    pub(crate) fn undo(&self, name: &'static str) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        let Some((mark, depth)) = state.back_to(name) else { return Ok(()) };
        if let (true, Some(error)) = (state.hopeless, &state.failed) {
            return Err(error.clone());
        }
        if !mark.sent {
            state.queue.truncate(mark.at);
            return state.failed.clone().map_or(Ok(()), Err);
        }
        if state.live.is_none() {
            return Err(state.failed.clone().unwrap_or_else(|| Error::Lost("it is gone".to_owned())));
        }
        state.queue.truncate(mark.at);
        state.queue.control(Control::Undo(depth));
        if state.failed.take().is_some() {
            // Nothing can be asked about in a transaction that has failed, also not what a statement takes and gives.
            self.exchange(state, &[])?;
        }
        Ok(())
    }

    /// Whether the transaction has changed a row, or may have; what was taken back again counts.
    pub(crate) fn has_written(&self) -> bool {
        self.state.borrow().wrote
    }

    /// Sends what waits and the questions, and waits for all of it.
    fn exchange(&self, state: &mut State, asks: &[Ask<'_>]) -> Result<Vec<Answer>> {
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.queue.is_empty() && asks.is_empty() {
            return Ok(Vec::new());
        }
        if state.live.is_none() {
            if state.open {
                return Err(Error::Lost("the transaction's connection is gone".to_owned()));
            }
            self.connect(state)?;
        }
        let asks_write = asks.iter().any(|ask| ask.statement.writes());
        state.wrote |= asks_write;
        state.send_marks(asks_write);
        let queue = std::mem::take(&mut state.queue);
        let mut told = self.once(state, &queue, asks);
        // A connection that died while it was idle: nothing but the beginning was on its way. Where it was silence that killed it, who
        // asked has waited long enough.
        let silent = matches!(&told, Err(Error::Lost(reason)) if reason == SILENT);
        let fresh =
            !silent && queue.len() == 1 && matches!(queue.first(), Some(What::Control(Control::Begin)));
        if told.is_err() && state.live.is_none() && fresh {
            (state.failed, state.hopeless) = (None, false);
            told = match self.connect(state) {
                Ok(()) => self.once(state, &queue, asks),
                Err(error) => Err(state.fail(error)),
            };
        }
        state.queue = queue;
        state.queue.clear();
        told
    }

    fn once(&self, state: &mut State, queue: &Queue, asks: &[Ask<'_>]) -> Result<Vec<Answer>> {
        let (parts, ends) = self.converse(state, queue, asks).map_err(|error| {
            // Nothing of what waited was sent, and some of it is of deeds that are over.
            state.hopeless = true;
            state.fail(error)
        })?;
        self.judge(state, &parts, asks, ends)
    }

    fn converse(&self, state: &mut State, queue: &Queue, asks: &[Ask<'_>]) -> Result<(Vec<Part>, Ends)> {
        let live = state.live.as_mut().ok_or_else(|| Error::Lost("there is no connection".to_owned()))?;
        let begins = matches!(queue.first(), Some(What::Control(Control::Begin)));
        let place = if state.open && !begins { Place::Inside } else { Place::Outside };
        self.wait(async {
            live.prepare(queue.statements().chain(asks.iter().map(|ask| ask.statement)), place).await?;
            let parts = queue.parts(|statement| &live.prepared(statement).shape);
            let ends = live.send(queue, &parts, asks).await;
            Ok((parts, ends))
        })
    }

    /// The first thing that went wrong is what went wrong; all behind it failed for that reason.
    fn judge(&self, state: &mut State, parts: &[Part], asks: &[Ask<'_>], ends: Ends) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(asks.len());
        for (place, end) in ends.into_iter().enumerate() {
            let part = parts.get(place);
            match end {
                Ok(answer) if part.is_none() => answers.push(answer),
                Ok(answer) => {
                    if let Some(error) = part.and_then(|part| surprise(part, &answer)) {
                        // It may be of a deed that is over, and the database has no fault to take back.
                        state.hopeless = true;
                        return Err(state.fail(error));
                    }
                }
                Err(error) => {
                    let name = part.map_or_else(|| asks[place - parts.len()].statement.name, name_of);
                    if ends_session(&error) {
                        state.live = None;
                    }
                    state.unmark(&parts[place.min(parts.len())..]);
                    return Err(state.fail(failure(name, &error)));
                }
            }
        }
        Ok(answers)
    }
}

/// PostgreSQL keeps no U+0000 in texts. Found out before it is sent, it costs the deed and not the transaction.
fn refuse_nul(statement: &'static Statement, parameters: &[Value<'_>]) -> Result<()> {
    let reason = "a text holds U+0000, which the database cannot keep".to_owned();
    if holds_nul(parameters) { Err(Error::Constraint { statement: statement.name, reason }) } else { Ok(()) }
}

fn holds_nul(parameters: &[Value<'_>]) -> bool {
    parameters.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0')))
}

fn name_of(part: &Part) -> &'static str {
    match part.what {
        What::Write(statement, _) => statement.name,
        What::Control(Control::Begin) => "begin",
        What::Control(Control::Commit) => "commit",
        What::Control(_) => "savepoint",
    }
}

/// Rows that are not as the writer's memory says.
fn surprise(part: &Part, answer: &Answer) -> Option<Error> {
    let (must, Answer::Touched(count)) = (part.must_touch()?, answer) else { return None };
    let reason = format!("{count} of {must} rows were there: memory and rows disagree");
    (*count != must).then(|| Error::Unreadable { statement: name_of(part), reason })
}

impl State {
    fn reset(&mut self) {
        self.open = false;
        self.hopeless = false;
        self.wrote = false;
        self.queue.clear();
        self.marks.clear();
        self.failed = None;
    }

    /// Outside of a transaction a failure is over with its statement.
    fn fail(&mut self, error: Error) -> Error {
        if matches!(error, Error::Lost(_)) {
            self.live = None;
        }
        if self.open {
            self.failed = Some(error.clone());
        }
        error
    }

    /// Savepoints among these never came to be.
    fn unmark(&mut self, parts: &[Part]) {
        for part in parts {
            if let What::Control(Control::Save(depth)) = part.what {
                self.marks[depth - 1].sent = false;
            }
        }
    }

    /// Takes the newest mark of that name away, with those above it; gives it with its depth.
    fn back_to(&mut self, name: &'static str) -> Option<(Mark, usize)> {
        let depth = self.marks.iter().rposition(|mark| mark.name == name)?;
        self.marks.truncate(depth + 1);
        self.marks.pop().map(|mark| (mark, depth + 1))
    }

    /// Before anything is sent: the database must hear of each mark that has something behind it. What is asked stands behind all of
    /// them; a question that changes nothing need not be taken back.
    fn send_marks(&mut self, asks_write: bool) {
        if self.marks.iter().all(|mark| mark.sent) {
            return;
        }
        let waiting = self.queue.len();
        let places: Vec<(usize, usize)> = (self.marks.iter_mut().enumerate())
            .filter(|(_, mark)| !mark.sent && (asks_write || mark.at < waiting))
            .map(|(place, mark)| {
                mark.sent = true;
                (mark.at, place + 1)
            })
            .collect();
        self.queue.insert_saves(&places);
        for mark in &mut self.marks {
            mark.at = 0;
        }
    }
}
