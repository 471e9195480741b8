//! What a database says about itself, and whether it does what servers ask of it: for `doctor`, without any change to it.

use super::address::Address;
use super::entry;
use super::failure::failure;
use super::pool;
use super::tls::Tls;
use crate::backend::sql;
use crate::error::{Error, Result};
use std::time::Duration;
use tiltyard_model::time::TimeMs;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, Row};

/// The name under which it is tried whether wake-ups arrive.
const CHANNEL: &str = "tiltyard_doctor";
/// How long a wake-up may take.
const WAKE_PATIENCE: Duration = Duration::from_secs(2);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Wake-ups that may wait to be looked at; one is enough.
const MAX_WAITING_WAKES: usize = 4;

pub use super::OLDEST_VERSION;

/// What a database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As it calls its version.
    pub version: String,
    /// The same as a number: 140005 for 14.5.
    pub version_number: i64,
    /// The encoding of its texts.
    pub encoding: String,
    /// As whom one is there.
    pub user: String,
    /// The name of the database.
    pub database: String,
    /// The schema that tables are made in; empty when there is none.
    pub schema: String,
    /// Whether this user may make tables there.
    pub may_create: bool,
    /// Whether a store is there.
    pub holds_store: bool,
    /// `synchronous_commit` as it is set; servers say it in each transaction themselves.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`; empty when no standby is waited for.
    pub synchronous_standbys: String,
    /// `fsync`.
    pub fsync: String,
    /// `max_connections`.
    pub max_connections: i64,
    /// Those of them that only superusers get.
    pub reserved_connections: i64,
    /// Connections that there are, this one included.
    pub used_connections: i64,
    /// `idle_in_transaction_session_timeout`, as it is written.
    pub idle_in_transaction: String,
    /// `idle_session_timeout`, as it is written.
    pub idle_session: String,
    /// `transaction_timeout`, as it is written; empty before PostgreSQL 17.
    pub transaction_timeout: String,
    /// Its time.
    pub now: TimeMs,
    /// Whether each transaction may be another session's: a pool stands between.
    pub mixes_sessions: bool,
    /// Whether a wake-up arrives; else why not.
    pub wakes: std::result::Result<(), String>,
}

/// Asks a database about itself.
///
/// # Errors
/// [`Error::Locked`] when the address cannot be read, else why it does not answer.
pub async fn examine(url: &str) -> Result<Facts> {
    let asked = tokio::time::timeout(PATIENCE, ask(url)).await;
    asked.unwrap_or_else(|_| Err(Error::Lost(format!("it has not answered within {} s", PATIENCE.as_secs()))))
}

/// Asks the first host that takes writes.
async fn ask(url: &str) -> Result<Facts> {
    let Address { hosts, tls } = Address::parse(url)?;
    let mut last = Error::Lost("no host is named".to_owned());
    for host in &hosts {
        match ask_host(host, tls.clone()).await {
            Ok(facts) => return Ok(facts),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask_host(config: &Config, tls: Tls) -> Result<Facts> {
    let called = config.connect(tls.clone()).await;
    let (client, mut connection) = called.map_err(|error| entry::refused(&error))?;
    let (heard, mut wakes) = mpsc::channel(MAX_WAITING_WAKES);
    let driver = tokio::spawn(async move {
        // What ends the connection shows in whatever is asked next.
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                // Nobody may be listening any more; then it does not matter.
                heard.try_send(()).unwrap_or_default();
            }
        }
    });
    let row = client.query_typed_one(sql!("examine/facts").postgres, &[]).await;
    let row = row.map_err(|error| failure("examine/facts", &error))?;
    let mixes_sessions = mixes(&client, config, tls).await?;
    let listening = client.batch_execute(&format!("LISTEN {CHANNEL}")).await;
    let rung = match listening {
        Ok(()) => client.batch_execute(&format!("NOTIFY {CHANNEL}")).await,
        Err(error) => Err(error),
    };
    let wakes = match rung {
        Err(error) => Err(failure("listen", &error).to_string()),
        Ok(()) => match tokio::time::timeout(WAKE_PATIENCE, wakes.recv()).await {
            Ok(Some(())) => Ok(()),
            Ok(None) | Err(_) => Err("none has arrived".to_owned()),
        },
    };
    driver.abort();
    facts(&row, mixes_sessions, wakes).map_err(|error| failure("examine/facts", &error))
}

/// Whether a pool mixes the sessions of this connection and another one.
async fn mixes(one: &Client, config: &Config, tls: Tls) -> Result<bool> {
    let (other, connection) = config.connect(tls).await.map_err(|error| entry::refused(&error))?;
    tokio::select! {
        mixes = pool::mixes(one, &other) => mixes,
        ended = connection => {
            let reason = ended.err().map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
            Err(Error::Lost(format!("a second connection to the database broke off: {reason}")))
        }
    }
}

fn facts(
    row: &Row,
    mixes_sessions: bool,
    wakes: std::result::Result<(), String>,
) -> std::result::Result<Facts, tokio_postgres::Error> {
    Ok(Facts {
        version: row.try_get(0)?,
        version_number: row.try_get(1)?,
        encoding: row.try_get(2)?,
        user: row.try_get(3)?,
        database: row.try_get(4)?,
        schema: row.try_get(5)?,
        may_create: row.try_get(6)?,
        holds_store: row.try_get(7)?,
        synchronous_commit: row.try_get(8)?,
        synchronous_standbys: row.try_get(9)?,
        fsync: row.try_get(10)?,
        max_connections: row.try_get(11)?,
        reserved_connections: row.try_get(12)?,
        used_connections: row.try_get(13)?,
        idle_in_transaction: row.try_get(14)?,
        idle_session: row.try_get(15)?,
        transaction_timeout: row.try_get(16)?,
        now: row.try_get(17)?,
        mixes_sessions,
        wakes,
    })
}
