//! A deed on its way through the door.

use crate::act::{Act, Pass};
use crate::memory::ready::Want;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::sync::oneshot;

/// Where a deed stands after it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// Its answer goes out after the commit.
    Done,
    /// Nothing to do yet: try again when something has changed.
    NotYet,
}

/// What the door does with a deed, whatever its answer's type.
pub(super) trait Deed: Send {
    /// Who enters.
    fn pass(&self) -> Arc<Pass>;

    /// Does it. An error is kept as the answer and takes back what was written.
    fn perform(&mut self, act: &mut Act<'_>) -> Result<Tried, Refusal>;

    /// Its answer is this refusal, whatever it did: its transaction is lost.
    fn refuse(&mut self, refusal: Refusal);

    /// Who asks for work, where queues choose among those who wait.
    fn asker(&self) -> Option<&Want> {
        None
    }

    /// Whether somebody still waits for a deed that is to be tried again; it is then being tried.
    fn still_wanted(&mut self) -> bool {
        true
    }

    /// Whether nobody waits for a deed that is to be tried again.
    fn is_given_up(&self) -> bool {
        false
    }

    /// Sends the answer; gives the deed that makes good for an answer that nobody took.
    fn answer(self: Box<Self>) -> Option<Box<dyn Deed>>;
}

/// A deed that is done at once.
pub(super) struct Plain<T, F> {
    pass: Arc<Pass>,
    deed: Option<F>,
    answer: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

impl<T, F> Plain<T, F> {
    pub(super) fn new(pass: Arc<Pass>, deed: F, reply: oneshot::Sender<Result<T, Refusal>>) -> Self {
        Self { pass, deed: Some(deed), answer: None, reply }
    }
}

impl<T, F> Deed for Plain<T, F>
where
    T: Send,
    F: FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send,
{
    fn pass(&self) -> Arc<Pass> {
        Arc::clone(&self.pass)
    }

    fn perform(&mut self, act: &mut Act<'_>) -> Result<Tried, Refusal> {
        let deed = self.deed.take().ok_or_else(|| Refusal::new(Code::Internal, "a deed was done twice"))?;
        self.answer = Some(Ok(deed(act)?));
        Ok(Tried::Done)
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Err(refusal));
    }

    fn answer(self: Box<Self>) -> Option<Box<dyn Deed>> {
        // Nobody may be listening any more; what was done stands all the same.
        let _ = self.reply.send(self.answer?);
        None
    }
}
