//! Wake-ups among the servers of a store (LISTEN, NOTIFY): without data, and never needed. Who hears none looks at the journal
//! by a timer.

use super::Shared;
use super::dial::{Dialled, dial, is_replaced};
use super::failure::failure;
use crate::backend::sql;
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client};

/// After a wake-up was sent, the next one waits so long: many commits are one (a NOTIFY a commit nearly halves the
/// commits of a busy database).
pub const WAKE_EVERY: Duration = Duration::from_millis(4);

/// How long the database may take for a word on this connection: one that is silent is given up.
const WORD_TIME: Duration = Duration::from_secs(5);

/// A connection of its own that hears and sends wake-ups.
#[derive(Clone)]
pub struct Wakes {
    pub(super) shared: Arc<Shared>,
}

impl Wakes {
    /// Hears the wake-ups of other servers, and sends one whenever `grown` changes, until the connection is lost. `hear` is
    /// called once at the beginning, when from now on nothing is missed. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// Why it ended: it may be begun again.
    pub async fn carry(&self, grown: &mut watch::Receiver<i64>, mut hear: impl FnMut() + Send) -> Result<()> {
        let Dialled { client, mut connection, line } = dial(&self.shared).await?;
        let (heard, mut came) = watch::channel(());
        let own = Arc::new(AtomicI32::new(0));
        let this = Arc::clone(&own);
        let driver = tokio::spawn(async move {
            loop {
                let next = std::future::poll_fn(|context| connection.poll_message(context)).await;
                match next {
                    Some(Ok(AsyncMessage::Notification(rang))) => {
                        if rang.process_id() != this.load(Ordering::Relaxed) {
                            heard.send_replace(());
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return failure("wake", &error),
                    None => return Error::Lost("the connection has ended".to_owned()),
                }
            }
        });
        let mut driver = Ended(driver);
        let channel = in_time(listen(&client, &own)).await?;
        hear();
        loop {
            tokio::select! {
                ended = &mut driver.0 => {
                    return Err(ended.unwrap_or_else(|error| Error::Lost(error.to_string())));
                }
                rang = came.changed() => {
                    if rang.is_ok() {
                        hear();
                    }
                }
                more = grown.changed() => {
                    if more.is_err() {
                        return Ok(());
                    }
                    if is_replaced(line, &self.shared) {
                        return Err(Error::Lost("another primary has taken its place".to_owned()));
                    }
                    grown.borrow_and_update();
                    in_time(wake(&client, &channel)).await?;
                    tokio::time::sleep(WAKE_EVERY).await;
                }
            }
        }
    }
}

/// Ends the task with this value.
struct Ended(tokio::task::JoinHandle<Error>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens on the channel of this store, whose name no other store of the database has.
async fn listen(client: &Client, own: &AtomicI32) -> Result<String> {
    let found = client.query_one(sql!("journal/channel").postgres, &[]).await;
    let found = found.map_err(|error| failure("channel", &error))?;
    let channel: String = found.get(0);
    own.store(found.get(1), Ordering::Relaxed);
    let listening = client.batch_execute(&format!("LISTEN {channel}")).await;
    listening.map_err(|error| failure("listen", &error)).map(|()| channel)
}

async fn in_time<T>(word: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = || Err(Error::Lost("the database has not answered in time".to_owned()));
    tokio::time::timeout(WORD_TIME, word).await.unwrap_or_else(|_| silent())
}

async fn wake(client: &Client, channel: &str) -> Result<()> {
    client.batch_execute(&format!("NOTIFY {channel}")).await.map_err(|error| failure("wake", &error))
}
