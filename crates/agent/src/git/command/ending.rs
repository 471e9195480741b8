//! Gits that are being ended, so that "nothing of it runs any more" is said when it is true (D4): a dropped call
//! ends its process group, which takes a moment, on a task of its own.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static ENDING: Ending;
}

/// What of one job is still ending.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    busy: usize,
    /// The groups that could not be ended.
    left: Vec<u32>,
}

/// Something that has not ended yet; until dropped.
#[derive(Debug)]
pub(crate) struct Busy(Ending);

impl Ending {
    /// Does work whose gits are counted here.
    pub(crate) fn scope<F: Future>(&self, work: F) -> TaskLocalFuture<Self, F> {
        ENDING.scope(self.clone(), work)
    }

    /// That of the work which is being done, if anybody counts.
    pub(crate) fn current() -> Option<Self> {
        ENDING.try_with(Clone::clone).ok()
    }

    /// Counts one more.
    pub(crate) fn begin(&self) -> Busy {
        self.0.send_modify(|state| state.busy += 1);
        Busy(self.clone())
    }

    /// Waits until nothing is ending any more; tells the process groups that could not be ended.
    pub(crate) async fn all_ended(&self) -> Vec<u32> {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|state| state.busy == 0).await;
        self.0.borrow().left.clone()
    }
}

impl Busy {
    /// It did not end.
    pub(super) fn stays(&self, group: u32) {
        self.0.0.send_modify(|state| state.left.push(group));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.busy = state.busy.saturating_sub(1));
    }
}

/// Does work to its end, also when the caller is dropped: it must not stop half-way. It is counted as ending until
/// then.
///
/// # Errors
/// When it panicked.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> std::io::Result<T> {
    let ending = Ending::current().unwrap_or_default();
    let busy = ending.begin();
    let task = async move {
        let done = ending.scope(work).await;
        drop(busy);
        done
    };
    tokio::spawn(task).await.map_err(std::io::Error::other)
}
