//! Deeds that wait inside the door: a claim that finds nothing is tried again in the transaction that feeds it, so
//! that enqueue and start share one fsync.

use super::closed;
use super::deed::{Deed, Plain, Tried};
use crate::act::{Act, Pass};
use crate::memory::ready::Want;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::sync::oneshot;

const UNTRIED: u8 = 0;
const WANTED: u8 = 1;
const BEING_TRIED: u8 = 2;
const GIVEN_UP: u8 = 3;
/// How long somebody who gives up waits for a try that is under way, or still to come.
const LAST_TRY: Duration = Duration::from_millis(20);

/// The caller's end of a waiting deed. Dropping it gives the deed up.
pub struct Waiting<T> {
    state: Arc<AtomicU8>,
    answer: oneshot::Receiver<Result<T, Refusal>>,
}

impl<T> Waiting<T> {
    /// Waits at most `patience`; see [`Waiting::until`].
    ///
    /// # Errors
    /// What the deed says.
    pub async fn at_most(self, patience: Duration) -> Result<Option<T>, Refusal> {
        self.until(tokio::time::sleep(patience)).await
    }

    /// Waits until `over`, and in any case until the deed was tried: `None` says that there was nothing to do, never
    /// that nobody has looked. Who asks again for an answer that was lost (D3) would lose what it holds otherwise.
    ///
    /// # Errors
    /// What the deed says; 503 when the server ends before it was tried.
    pub async fn until(mut self, over: impl Future<Output = ()>) -> Result<Option<T>, Refusal> {
        let mut over = pin!(over);
        let mut is_over = false;
        while !is_over || !self.give_up_tried() {
            let next =
                async { if is_over { tokio::time::sleep(LAST_TRY).await } else { over.as_mut().await } };
            tokio::select! {
                biased;
                answer = &mut self.answer => return answer.unwrap_or_else(|_| Err(closed())).map(Some),
                () = next => is_over = true,
            }
        }
        Ok(None)
    }

    fn give_up_tried(&self) -> bool {
        self.state.compare_exchange(WANTED, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let give_up = |state| matches!(state, UNTRIED | WANTED).then_some(GIVEN_UP);
        // One that is being tried finds nobody who takes its answer, and is made good for then.
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, give_up);
    }
}

struct Parked<T, F, L> {
    pass: Arc<Pass>,
    asker: Option<Want>,
    deed: F,
    lost: Option<L>,
    state: Arc<AtomicU8>,
    answer: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

/// Both ends of a waiting deed.
pub(super) fn pair<T, F, L>(pass: Pass, asker: Option<Want>, deed: F, lost: L) -> (Box<dyn Deed>, Waiting<T>)
where
    T: Send + 'static,
    F: FnMut(&mut Act<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
    L: FnOnce(&mut Act<'_>, T) -> Result<(), Refusal> + Send + 'static,
{
    let state = Arc::new(AtomicU8::new(UNTRIED));
    let (reply, answer) = oneshot::channel();
    let parked = Parked {
        pass: Arc::new(pass),
        asker,
        deed,
        lost: Some(lost),
        state: Arc::clone(&state),
        answer: None,
        reply,
    };
    (Box::new(parked), Waiting { state, answer })
}

impl<T, F, L> Deed for Parked<T, F, L>
where
    T: Send + 'static,
    F: FnMut(&mut Act<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
    L: FnOnce(&mut Act<'_>, T) -> Result<(), Refusal> + Send + 'static,
{
    fn pass(&self) -> Arc<Pass> {
        Arc::clone(&self.pass)
    }

    fn perform(&mut self, act: &mut Act<'_>) -> Result<Tried, Refusal> {
        if !self.still_wanted() {
            return Err(Refusal::new(Code::ShuttingDown, "nobody waits for this any more"));
        }
        match (self.deed)(act)? {
            Some(found) => {
                self.answer = Some(Ok(found));
                Ok(Tried::Done)
            }
            None => {
                self.state.store(WANTED, Ordering::SeqCst);
                Ok(Tried::NotYet)
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Err(refusal));
    }

    fn asker(&self) -> Option<&Want> {
        self.asker.as_ref()
    }

    fn still_wanted(&mut self) -> bool {
        let begin = |state| (state != GIVEN_UP).then_some(BEING_TRIED);
        self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, begin).is_ok()
    }

    fn is_given_up(&self) -> bool {
        self.state.load(Ordering::SeqCst) == GIVEN_UP || self.reply.is_closed()
    }

    fn answer(self: Box<Self>) -> Option<Box<dyn Deed>> {
        let this = *self;
        let Err(unheard) = this.reply.send(this.answer?) else { return None };
        let (found, lost) = (unheard.ok()?, this.lost?);
        let (reply, _) = oneshot::channel();
        Some(Box::new(Plain::new(this.pass, move |act: &mut Act<'_>| lost(act, found), reply)))
    }
}
