//! Whether a pool that hands out single transactions stands between (PgBouncer, `pool_mode = transaction`): what is prepared in one
//! session would then be looked for in another, or a statement of somebody else's be found there under its name.

use super::Shared;
use super::dial::{Dialled, dial};
use super::failure::failure;
use crate::backend::sql;
use crate::error::{Error, Result};
use std::time::Duration;
use tokio_postgres::Client;

/// How long a connection may wait for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Whether two connections, of which one is in a transaction, come by each other's sessions.
pub(super) async fn mixes(one: &Client, other: &Client) -> Result<bool> {
    let mixed = async {
        let first = session(one).await?;
        other.batch_execute("BEGIN").await?;
        // The pool gives what has just been given back, or goes round.
        let mixed = session(other).await? == first || session(one).await? != first;
        other.batch_execute("ROLLBACK").await.map(|()| mixed)
    };
    let late = "a second connection gets no turn at the database: a pool between must hold 8 for each server";
    match tokio::time::timeout(TURN, mixed).await {
        Ok(mixed) => mixed.map_err(|error| failure("examine/session", &error)),
        Err(_) => Err(Error::Lost(late.to_owned())),
    }
}

/// Refuses such a pool.
pub(super) async fn refuse(shared: &Shared) -> Result<()> {
    let (one, other) = (dial(shared).await?, dial(shared).await?);
    let (one, other) = (Carried::new(one), Carried::new(other));
    if mixes(&one.client, &other.client).await? {
        let text = "a pool that hands out single transactions stands before the database (PgBouncer, pool_mode = \
                    transaction): set shared.poll_only = true, or let it hand out whole sessions";
        return Err(Error::Locked(text.to_owned()));
    }
    Ok(())
}

/// The session that answers.
async fn session(client: &Client) -> std::result::Result<i32, tokio_postgres::Error> {
    Ok(client.query_typed_one(sql!("examine/session").postgres, &[]).await?.get(0))
}

/// A connection that is carried as long as this lives.
struct Carried {
    client: Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Carried {
    fn new(dialled: Dialled) -> Self {
        let Dialled { client, connection, .. } = dialled;
        // What ends the connection shows in whatever is asked next.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Self { client, driver }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
